#include "analysis/robustness.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

PurifyOptions purify_options(const RobustnessOptions& o, int t) {
  PurifyOptions p = o.purify;
  p.t = t;
  p.steps_reverse = o.steps_reverse;
  return p;
}

}  // namespace

Robustness::Robustness(Net* unet, Net& base, Net& behind, const RobustnessOptions& options, const NoiseStream& stream, int batch, size_t memory_reals)
    : unet_(unet), base_net_(base), behind_(behind), options_(options), stream_(stream), batch_(batch), memory_reals_(memory_reals),
      base_(std::make_unique<Defended>(nullptr, base_net_, PurifyOptions{}, Backward::Full, batch, true)) {}

// Plans the target for this t*. Extra memory keeps the activations of the last reverse steps.
void Robustness::select(int t) {
  if (t == current_t_) return;
  const Backward backward = options_.bpda ? Backward::Bpda : Backward::Full;
  int keep = 0;
  if (unet_ && memory_reals_) {
    const size_t per_step = make_plan(unet_->model(), batch_, Mode::InputGrad, false).arena;
    keep = static_cast<int>(std::min<size_t>(memory_reals_ / per_step, 1000));
  }
  target_.reset();
  target_ = std::make_unique<Defended>(unet_, behind_, purify_options(options_, t), backward, batch_, true, keep);
  current_t_ = t;
}

std::vector<CompressionRate> Robustness::compression(int t, int64_t seed, double eps, View x, const std::vector<int64_t>& ids, View anchors) {
  select(t);
  if (!target_->purifier()) {  // the identity: rate 1
    affine_forward(2, x, 0, {}, -1, anchors);
    return std::vector<CompressionRate>(x.n, CompressionRate{1, 0, 0, {}});
  }
  KeyedNoise noise(stream_, seed, ids, 0, options_.t_base);
  return compression_rates(*target_->purifier(), x, noise, eps, options_.draws, options_.clamp_cr, stream_, seed, ids, anchors);
}

Buffer Robustness::purified(int t, int64_t seed, View x, const std::vector<int64_t>& ids) {
  select(t);
  KeyedNoise noise(stream_, seed, ids, 0, options_.t_base);
  target_->forward(x, &noise);
  Buffer result(x.n, x.c, x.h, x.w);
  copy_forward(target_->purified(), result.view());
  return result;
}

std::vector<AttackRecord> Robustness::attack(const Setting& s, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                                             PgdCheckpoint* checkpoint, const std::function<bool()>& stop) {
  select(s.t);
  KeyedNoise noise(stream_, s.seed, ids, 0, options_.t_base);
  const StepNoise step_noise = [&](int step) -> NoiseSource* {
    noise.set_draw(s.rand == Rand::Free ? eot_draw(step, 1, 0) : 0);
    return &noise;
  };
  const PgdResult result = pgd(*target_, x, labels.data(), std::vector<double>(x.n, s.eps), options_.pgd, stream_, s.seed, ids, step_noise, checkpoint, stop);
  if (result.stopped) return {};
  const Measured& m = measured(s, x, ids);
  return score(s, x, labels, ids, result, m.rates, m.anchors.view());
}

// The compression rate of a batch does not depend on the attack: measured once per (t, seed, eps) and kept for the next kind of randomness.
const Robustness::Measured& Robustness::measured(const Setting& s, View x, const std::vector<int64_t>& ids) {
  if (s.t != measured_at_.t || s.seed != measured_at_.seed || s.eps != measured_at_.eps) measured_.clear();
  measured_at_ = s;
  const auto [entry, fresh] = measured_.try_emplace(ids);
  if (fresh) {
    entry->second.anchors = Buffer(x.n, x.c, x.h, x.w);
    entry->second.rates = compression(s.t, s.seed, s.eps, x, ids, entry->second.anchors.view());
  }
  return entry->second;
}

// The harness, not the attack, decides success: one more pass under the test noise.
std::vector<AttackRecord> Robustness::score(const Setting& s, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                                            const PgdResult& result, const std::vector<CompressionRate>& rates, View anchors) {
  const View adv = result.adversarial.view();
  base_->forward(x, nullptr);
  const std::vector<int> clean = base_->predictions();
  KeyedNoise fixed(stream_, s.seed, ids, 0, options_.t_base);
  target_->forward(x, &fixed);
  const std::vector<int> anchor = target_->predictions();
  // Compression of the attack's own perturbation, under the fixed noise.
  target_->forward(adv, &fixed);
  Buffer moved(x.n, x.c, x.h, x.w), anchors01(x.n, x.c, x.h, x.w);
  copy_forward(target_->purified(), moved.view());
  affine_forward(0.5, anchors, 0, {}, 0.5, anchors01.view());
  const std::vector<double> travelled = l2_distances(moved.view(), anchors01.view()), l2 = l2_distances(adv, x), linf = linf_distances(adv, x),
                            away = l2_distances(anchors01.view(), x);
  KeyedNoise test(stream_, s.rand == Rand::Transfer ? options_.test_seed : s.seed, ids, s.rand == Rand::Free ? test_draw(0) : 0, options_.t_base);
  target_->forward(adv, &test);
  const std::vector<int> predictions = target_->predictions();
  const std::vector<double> losses = target_->losses(labels.data());

  std::vector<AttackRecord> records(x.n);
  for (int n = 0; n < x.n; ++n) {
    AttackRecord& r = records[n];
    const PgdImage& image = result.images[n];
    r.image = ids[n];
    r.label = labels[n];
    r.pred_clean = clean[n];
    r.pred_anchor = anchor[n];
    r.pred_adv = predictions[n];
    r.adv_on_path = image.adversarial_on_path;
    r.loss_start = image.loss_start;
    r.loss_end = losses[n];
    r.linf = linf[n];
    r.l2 = l2[n];
    r.l2_anchor = away[n];
    r.cr = rates[n].mean;
    r.cr_error = rates[n].standard_error;
    r.cr_adv = l2[n] > 0 ? travelled[n] / l2[n] : 0;
    r.grad_zero = image.grad_zero;
    const int checks = (options_.pgd.restarts > 1) + options_.pgd.best_iterate;   // further passes at the end of each restart
    r.forwards = (options_.pgd.steps + checks) * std::max(1, options_.pgd.restarts) + 1;
    r.backwards = options_.pgd.steps * std::max(1, options_.pgd.restarts);
    if (image.not_finite || predictions[n] < 0 || !std::isfinite(losses[n])) r.status = "nan";
    else if (options_.skip_misclassified && clean[n] != labels[n]) r.status = "skipped_misclassified";
    r.robust = r.status == "ok" && predictions[n] == labels[n];
    r.adversarial.assign(adv.image(n), adv.image(n) + x.image_size());
  }
  return records;
}

std::vector<MinimumPerturbation> Robustness::minima(double eps, int64_t seed, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids) {
  PgdOptions pgd = options_.pgd;
  if (options_.predict_steps) pgd.steps = options_.predict_steps;
  return minimum_perturbations(*base_, x, labels.data(), eps, pgd, stream_, seed, ids);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
