// audit, in the scalar of this build: what is measured, on which images, in which order.
#include <algorithm>
#include <chrono>
#include <functional>

#include "audit/attack_checks.h"
#include "audit/binarisation.h"
#include "audit/gradient_checks.h"
#include "audit/noise_checks.h"
#include "cli/attack_run.h"
#include "cli/commands.h"
#include "cli/run_audit_target.h"
#include "core/check.h"
#include "defence/planted.h"
#include "io/fraction.h"
#include "io/json_text.h"
#include "io/progress.h"
#include "io/signals.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

std::optional<LoadedNet> diffusion_network(const AuditRunOptions& o) {
  if (o.purifier.weights == "none" || o.purifier.weights.starts_with("noise:")) return {};
  return load_purifier(o.purifier, o.common);
}

struct Stage {
  const char* name;
  std::vector<int> checks;  // measured if any of these is wanted
  int limit;                // images, at most
  std::function<void(Subject&, const Unit&)> run;
};

std::vector<Stage> stages(const AuditOptions& a, const AuditGradients& reference) {
  constexpr int kAll = 1 << 30;
  const int proof = a.proof_images;
  return {{"connected", {kConnected, kLoss}, kAll, measure_connected},
          {"differences", {kDifferences}, proof, measure_differences},
          {"precision",
           {kDifferences},
           proof,
           [&reference](Subject& s, const Unit& u) { measure_precision(s, u, reference); }},
          {"modes", {kModes}, proof, measure_modes},
          {"determinism", {kDeterminism}, proof, measure_determinism},
          {"saturation", {kSaturation}, kAll, measure_saturation},
          {"flow", {kFlow}, kAll, measure_flow},
          {"attacks",
           {kSaturation, kSingleStep, kRandomSearch, kGradientFree, kTransfer, kFixedNoise, kSilent, kLoss, kMinimum},
           kAll,
           measure_attacks},
          {"instability", {kInstability}, kAll, measure_instability},
          {"more-steps", {kMoreSteps}, kAll, measure_more_steps},
          {"restarts", {kRestarts}, kAll, measure_restarts},
          {"budgets", {kBudget}, a.budget_images, measure_budgets},
          {"random-search", {kRandomSearch}, kAll, measure_random_search},
          {"gradient-free", {kGradientFree}, a.search_images, measure_gradient_free},
          {"transfer", {kTransfer, kTransferFailure}, kAll, measure_transfer},
          {"fixed-noise", {kFixedNoise}, kAll, measure_fixed_noise},
          {"eot", {kEot}, a.proof_images, measure_eot},
          {"control", {kControl}, a.search_images, measure_control},
          {"landscape", {kLandscape}, 5, measure_landscape},
          {"binarisation", {kBinarisation}, kAll, measure_binarisation}};
}

bool wanted(const AuditOptions& a, const Stage& s) {
  return std::any_of(s.checks.begin(), s.checks.end(), [&](int id) { return a.wants(id); });
}

// Images [first, first + count) of the data under a seed; `pixels` owns them.
Unit unit_of(const AuditRunOptions& o, const Dataset& data, int first, int count, int64_t seed, Buffer& pixels) {
  pixels = Buffer(count, data.channels, data.height, data.width, Device::Cpu);
  Unit u{pixels.view(), {}, {}, seed};
  for (int k = 0; k < count; ++k) {
    std::copy_n(data.image(first + k), data.image_size(), u.x.image(k));
    u.labels.push_back(data.labels[first + k]);
    u.ids.push_back(o.first + first + k);
  }
  return u;
}

bool done(const AuditSink& sink, const std::string& kind, const Unit& u) {
  return std::all_of(u.ids.begin(), u.ids.end(), [&](int64_t id) { return sink.has(kind, id, u.seed); });
}

std::vector<double> doubles(View v, int n) { return {v.image(n), v.image(n) + v.image_size()}; }

}  // namespace

AuditTarget::AuditTarget(const AuditRunOptions& o)
    : purifier_(diffusion_network(o)),
      classifier_(load_classifier(o.classifier, o.common)),
      behind_(classifier_.make_net()),
      alone_(classifier_.make_net()),
      stream_(o.noise.mode),
      batch_(o.batch                      ? o.batch
             : classifier_.image().h > 32 ? 1
                                          : 8) {
  std::unique_ptr<Defence> defence = honest(o);
  double scale = 1;
  if (!o.plant.empty()) {
    Plant planted = plant(o.plant, std::move(defence));
    defence = std::move(planted.defence);
    scale = planted.logit_scale;
  }
  target_ = std::make_unique<Defended>(std::move(defence), behind_, batch_, true);
  target_->set_logit_scale(scale);
  target_->set_mode(o.audit.backward);
  bare_ = std::make_unique<Defended>(nullptr, alone_, batch_, true);
}

std::unique_ptr<Defence> AuditTarget::honest(const AuditRunOptions& o) {
  const std::string& name = o.purifier.weights;
  if (name == "none") return std::make_unique<IdentityDefence>();
  if (name.starts_with("noise:"))
    return std::make_unique<GaussianNoiseDefence>(parse_fraction(name.substr(6), "--purifier"));
  const ValueInfo a = purifier_->image(), b = classifier_.image();
  if (a.h != b.h || a.w != b.w)
    fail(kUsage,
         "the purifier works on " + std::to_string(a.h) + "x" + std::to_string(a.w) + " images, the classifier on " +
             std::to_string(b.h) + "x" + std::to_string(b.w),
         "--purifier " + name, "choose two that fit");
  check_t_max(*purifier_, o.purify.t[0], o.common.force);
  unet_.emplace(purifier_->make_net());
  const PurifyOptions options = audited_purification(o);
  const MemoryPlan memory = memory_plan(o.purify.memory, purifier_->model, batch_, options.reverse_count());
  unet_->set_lean(memory.lean);
  return std::make_unique<DiffusionDefence>(*unet_, options, batch_, true, memory.kept_steps);
}

AuditFacts AuditTarget::facts() const {
  return {purifier_ ? purifier_->params->sha256() : "none", classifier_.params->sha256(),
          purifier_ ? purifier_->model.arch : "none", classifier_.model.arch};
}

AuditFacts audit_facts(const AuditRunOptions& o) { return AuditTarget(o).facts(); }

AuditGradients audit_proof(const AuditRunOptions& o, const Dataset& data, AuditSink& sink) {
  AuditGradients gradients;
  if (!o.audit.wants(kDifferences)) return gradients;
  AuditTarget target(o);
  Subject subject(target.target(), target.bare(), o.audit, target.stream(), sink);
  for (int64_t seed : o.noise.seeds) {
    const int total = std::min(o.audit.proof_images, data.count());
    for (int first = 0; first < total; first += target.batch()) {
      Buffer pixels;
      const Unit u = unit_of(o, data, first, std::min(target.batch(), total - first), seed, pixels);
      const std::string last = std::string("difference:") + (sizeof(real) == 8 ? "f64:" : "f32:") +
                               (o.audit.directions < 10 ? "0" : "") + std::to_string(o.audit.directions);
      if (!done(sink, last, u)) measure_differences(subject, u);
      const Buffer g = subject.gradient(u, o.audit.backward);
      for (int n = 0; n < u.count(); ++n) gradients.push_back(doubles(g.view(), n));
    }
  }
  return gradients;
}

bool audit_measure(const AuditRunOptions& o, const Dataset& data, const AuditGradients& other, AuditSink& sink) {
  AuditTarget target(o);
  AttackOptions run;
  run.data = o.data;
  check_run(run, data, {target.image().h, target.image().w, target.classes()});
  Subject subject(target.target(), target.bare(), o.audit, target.stream(), sink);
  AuditGradients reference;
  const std::vector<Stage> all = stages(o.audit, reference);
  int total = 0;
  for (const Stage& s : all)
    if (wanted(o.audit, s)) total += std::min(s.limit, data.count()) * static_cast<int>(o.noise.seeds.size());
  Progress progress("audit", total, 0, progress_options(o.common.quiet));
  size_t proven = 0;  // gradients of `other` that earlier units have taken
  for (int64_t seed : o.noise.seeds)
    for (int first = 0; first < data.count(); first += target.batch()) {
      const int room = std::min(target.batch(), data.count() - first),
                proof = std::clamp(o.audit.proof_images - first, 0, room);
      const size_t taken = std::min(other.size(), proven + proof);
      reference.assign(other.begin() + std::min(proven, other.size()), other.begin() + taken);
      proven = taken;
      for (const Stage& s : all) {
        const int count = std::min(room, s.limit - first);
        if (!wanted(o.audit, s) || count <= 0) continue;
        if (stop_requested()) return false;
        Buffer pixels;
        const Unit u = unit_of(o, data, first, count, seed, pixels);
        const auto begin = std::chrono::steady_clock::now();
        if (!done(sink, std::string("done:") + s.name, u)) {
          s.run(subject, u);
          for (int64_t id : u.ids) sink.put(std::string("done:") + s.name, id, seed, JsonLine().add("stage", s.name));
        }
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / count;
        for (int n = 0; n < count; ++n) progress.step(seconds);
      }
      if (first == 0) {
        Buffer pixels;
        const Unit u = unit_of(o, data, 0, std::min(room, std::max(1, o.audit.proof_images)), seed, pixels);
        const Buffer g = subject.gradient(u, o.audit.backward);
        const std::vector<int64_t> shape = {u.x.n, u.x.c, u.x.h, u.x.w};
        sink.array("images", shape, {u.x.data, u.x.data + u.x.size()});
        sink.array("margin_gradient.s" + std::to_string(seed), shape, {g.data(), g.data() + g.size()});
      }
    }
  progress.finish();
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
