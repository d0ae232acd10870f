#include "analysis/robustness.h"

#include <algorithm>
#include <cmath>

#include "attack/attacks.h"
#include "attack/defence_noise.h"
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
  int keep = 0;
  if (unet_ && memory_reals_) {
    const size_t per_step = make_plan(unet_->model(), batch_, Mode::InputGrad, false).arena;
    keep = static_cast<int>(std::min<size_t>(memory_reals_ / per_step, 1000));
  }
  target_.reset();
  target_ = std::make_unique<Defended>(unet_, behind_, purify_options(options_, t), options_.backward, batch_, true, keep);
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

AttackResult Robustness::craft(const Setting& s, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                               AttackCheckpoint* checkpoint, const std::function<bool()>& stop, const GradientObserver& observe) {
  select(s.t);
  AttackSettings settings = options_.attack;
  if (s.rand != Rand::Eot) settings.eot.draws = 1;
  DefenceNoise noise(stream_, s.seed, s.rand == Rand::Free || s.rand == Rand::Eot, settings.eot.draws, options_.t_base);
  const SlotNoise slots = [&noise](const std::vector<NoiseSlot>& at) { return noise.at(at); };
  return purescope::attack(AttackTask{*target_, x, labels.data(), std::vector<double>(x.n, s.eps), stream_, s.seed, ids, slots, stop, checkpoint, observe},
                           options_.pgd, settings);
}

std::vector<AttackRecord> Robustness::attack(const Setting& s, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                                             AttackCheckpoint* checkpoint, const std::function<bool()>& stop, const GradientObserver& observe) {
  const AttackResult result = craft(s, x, labels, ids, checkpoint, stop, observe);
  if (result.stopped) return {};
  const Measured& m = measured(s, x, ids);
  return score(s, x, labels, ids, result, m.rates, m.anchors.view());
}

std::vector<int> Robustness::predict(int t, int64_t seed, uint64_t draw, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                                     std::vector<double>* losses) {
  select(t);
  KeyedNoise noise(stream_, seed, ids, draw, options_.t_base);
  target_->forward(x, &noise);
  if (losses) *losses = target_->losses(labels.data());
  return target_->predictions();
}

Buffer Robustness::gradient(int t, int64_t seed, uint64_t first_draw, int draws, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids) {
  select(t);
  Buffer sum(x.n, x.c, x.h, x.w), part(x.n, x.c, x.h, x.w);
  KeyedNoise noise(stream_, seed, ids, first_draw, options_.t_base);
  for (int d = 0; d < draws; ++d) {
    noise.set_draw(first_draw + d);
    target_->forward(x, &noise);
    target_->backward(labels.data(), part.view());
    if (d == 0) copy_forward(part.view(), sum.view());
    else add_forward(sum.view(), part.view(), sum.view());
  }
  affine_forward(1.0 / draws, sum.view(), 0, {}, 0, sum.view());
  return sum;
}

std::vector<int> Robustness::classify(View x) {
  base_->forward(x, nullptr);
  return base_->predictions();
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
                                            const AttackResult& result, const std::vector<CompressionRate>& rates, View anchors) {
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
  KeyedNoise test(stream_, s.rand == Rand::Transfer ? options_.test_seed : s.seed, ids, s.rand == Rand::Free || s.rand == Rand::Eot ? test_draw(0) : 0, options_.t_base);
  target_->forward(adv, &test);
  const std::vector<int> predictions = target_->predictions();
  const std::vector<double> losses = target_->losses(labels.data());

  const Mirror adv_host(adv);
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
    r.forwards = static_cast<int64_t>(image.forwards) + 1;   // the test
    r.backwards = static_cast<int64_t>(image.backwards);
    r.broken_by = image.broken_by;
    if (image.not_finite || predictions[n] < 0 || !std::isfinite(losses[n])) r.status = "nan";
    else if (options_.skip_misclassified && clean[n] != labels[n]) r.status = "skipped_misclassified";
    r.robust = r.status == "ok" && predictions[n] == labels[n];
    r.adversarial.assign(adv_host.view().image(n), adv_host.view().image(n) + x.image_size());
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
