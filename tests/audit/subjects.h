// What the audit tests audit: tiny networks (the gradient side) and a linear classifier behind a Gaussian field (the attack side, where
// every number is known).
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "attack/targets.h"
#include "audit/attack_checks.h"
#include "audit/binarisation.h"
#include "audit/gradient_checks.h"
#include "audit/noise_checks.h"
#include "defence/gaussian_field.h"
#include "defence/planted.h"
#include "io/json_text.h"
#include "report/audit_judge.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class MemorySink : public AuditSink {
 public:
  bool has(const std::string& kind, int64_t image, int64_t seed) const override { return keys_.count(kind + std::to_string(image) + "," + std::to_string(seed)); }
  void put(const std::string& kind, int64_t image, int64_t seed, const JsonLine& fields) override {
    keys_.insert(kind + std::to_string(image) + "," + std::to_string(seed));
    std::string head = JsonLine().add("kind", kind).add("img", image).add("seed", seed).text();
    head.back() = ',';
    lines.push_back(head + fields.text().substr(1));
  }
  void array(const std::string&, const std::vector<int64_t>&, const std::vector<double>&) override {}
  std::vector<std::string> lines;

 private:
  std::set<std::string> keys_;
};

inline std::map<int, AuditCheck> by_id(const std::vector<AuditCheck>& checks) {
  std::map<int, AuditCheck> map;
  for (const AuditCheck& c : checks) map[c.id] = c;
  return map;
}

// The checks that fall out of `checks` on one target and one batch.
inline std::map<int, AuditCheck> audit(Defended& target, Defended& bare, const AuditOptions& o, const NoiseStream& stream, const Unit& u) {
  MemorySink sink;
  Subject s(target, bare, o, stream, sink);
  target.set_mode(o.backward);
  if (o.wants(kConnected) || o.wants(kLoss)) measure_connected(s, u);
  if (o.wants(kDifferences)) measure_differences(s, u);
  if (o.wants(kModes)) measure_modes(s, u);
  if (o.wants(kDeterminism)) measure_determinism(s, u);
  if (o.wants(kSaturation)) measure_saturation(s, u);
  if (o.wants(kFlow)) measure_flow(s, u);
  if (o.wants(kSingleStep)) measure_attacks(s, u);
  if (o.wants(kMoreSteps)) measure_more_steps(s, u);
  if (o.wants(kRestarts)) measure_restarts(s, u);
  if (o.wants(kBudget)) measure_budgets(s, u);
  if (o.wants(kRandomSearch)) measure_random_search(s, u);
  if (o.wants(kGradientFree)) measure_gradient_free(s, u);
  if (o.wants(kTransfer)) measure_transfer(s, u);
  if (o.wants(kFixedNoise)) measure_fixed_noise(s, u);
  if (o.wants(kEot)) measure_eot(s, u);
  if (o.wants(kInstability)) measure_instability(s, u);
  if (o.wants(kControl)) measure_control(s, u);
  if (o.wants(kBinarisation)) measure_binarisation(s, u);
  return by_id(judge_audit(sink.lines, o, AuditBars{}));
}

// ---- tiny networks: a chain of six steps and a ResNet, labels as the target sees the images itself.
struct TinyChain {
  static constexpr int kSide = 8, kImages = 2;
  Net unet, classifier = formula_net(kTinyWrn), alone = formula_net(kTinyWrn);
  NoiseStream stream = native_stream();
  Buffer x = copy_of(pictures("audit", kImages, kSide, 0.1, 0.9).view());
  PurifyOptions purify;
  AuditOptions options;
  Unit unit{x.view(), {0, 0}, {5, 8}, 3};

  // kTinyAdm predicts variances, and they are used.
  explicit TinyChain(Clip clip = Clip::X0, const char* arch = kTinyUnet) : unet(formula_net(arch)) {
    purify.t = 6;
    purify.clip = clip;
    if (arch == std::string(kTinyAdm)) purify.variance = Variance::Learned;
    options.checks = {kConnected, kDifferences, kModes, kDeterminism, kSaturation, kFlow, kBinarisation};
    options.directions = 6;
    options.inner_points = 60;
  }
  std::unique_ptr<Defence> honest() { return std::make_unique<DiffusionDefence>(unet, purify, kImages, true); }
  std::map<int, AuditCheck> run(std::unique_ptr<Defence> defence, double scale = 1) {
    Defended target(std::move(defence), classifier, kImages, true), bare(nullptr, alone, kImages, true);
    target.set_logit_scale(scale);
    KeyedNoise noise(stream, unit.seed, unit.ids);
    target.forward(Mirror(x.view(), target.device()).view(), &noise);
    unit.labels = target.predictions();
    for (int& label : unit.labels) label = std::max(label, 0);
    return audit(target, bare, options, stream, unit);
  }
};

// ---- a linear classifier of two classes behind a Gaussian field: logit 1 - logit 0 = <w, f(x)> + b.
struct LinearField {
  static constexpr int kSide = 4, kImages = 24, kValues = 3 * kSide * kSide;
  NoiseStream stream = native_stream();
  Net classifier, alone;
  Buffer x{kImages, 3, kSide, kSide, Device::Cpu};
  GaussianField field;
  AuditOptions options;
  Unit unit{x.view(), {}, {}, 1};

  // `noise`: of the field. Margins are spread so that about half of the images can be broken.
  explicit LinearField(double noise = 0) : classifier(weights()), alone(weights()) {
    field.variance = two_variances(kValues, kValues, 0.01, 0.01);
    field.step = 0.001;
    field.steps = 5;
    field.noise = noise;
    options.eps = 8.0 / 255;
    options.pgd.steps = 20;
    options.pgd.relative_step = 0.1;
    options.checks = {kConnected, kSingleStep, kLoss, kMinimum, kSilent};
    options.random_samples = 100;
    options.search_queries = 150;
    options.instability_directions = 10;
    options.budgets = {4.0 / 255, 8.0 / 255, 0.25, 1};
    const double factor = GaussianFieldDefence(field).factors()[0];
    for (int n = 0; n < kImages; ++n) {
      unit.labels.push_back(n % 2);
      unit.ids.push_back(n);
      // The mean of channel 0 minus that of channel 1 decides; its distance from the boundary in units of what eps can do: 0.1 to 2.
      const double reach = 2 * options.eps, distance = reach * (0.1 + 1.9 * n / kImages) * (n % 2 ? 1 : -1) / 2;
      const auto grain = direction("grain " + std::to_string(n), kValues / 3, 0, 0.02);
      for (int c = 0; c < 3; ++c)
        for (int i = 0; i < kValues / 3; ++i)
          x.view().image(n)[c * kValues / 3 + i] = static_cast<real>(0.5 + grain[i] + (c == 0 ? distance : c == 1 ? -distance : 0));
    }
    factor_ = factor;
  }
  std::unique_ptr<Defence> honest() { return std::make_unique<GaussianFieldDefence>(field); }
  std::map<int, AuditCheck> run(std::unique_ptr<Defence> defence, double scale = 1) {
    Defended target(std::move(defence), classifier, kImages, true), bare(nullptr, alone, kImages, true);
    target.set_logit_scale(scale);
    return audit(target, bare, options, stream, unit);
  }
  double factor() const { return factor_; }

 private:
  static Net weights() { return linear_net(kSide, {{0, 0, 0}, {20, -20, 0}}, {0, 0}); }
  double factor_ = 1;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
