// Units of experiments: chains at a given t*, and what an image costs.
#include <cmath>

#include "report/experiment.h"

namespace purescope {
namespace {

// Probes of the search for a minimum perturbation: about three doublings, 12 bisections, two beyond the threshold.
constexpr double kMinimumProbes = 17;

// Gradients and further passes of an attack of one restart.
struct AttackWork { double gradients = 0, passes = 0; };

AttackWork attack_work(const RobustnessOptions& o, AttackKind kind) {
  const AttackSettings& a = o.attack;
  const double restarts = o.pgd.restarts;
  switch (kind) {
    case AttackKind::Pgd: return {restarts * o.pgd.steps, restarts};
    case AttackKind::Fgsm: return {1, 1};
    case AttackKind::ApgdCe:
    case AttackKind::ApgdDlr: return {restarts * (a.apgd_steps + 1.), restarts};
    case AttackKind::ApgdT: return {restarts * a.targets * (a.apgd_steps + 1.), restarts};
    case AttackKind::Square:
    case AttackKind::Spsa:
    case AttackKind::Nes:
    case AttackKind::Random: return {0, restarts * a.queries};
    case AttackKind::Suite: break;
  }
  AttackWork sum;
  for (AttackKind part : suite_sequence()) {
    const AttackWork w = attack_work(o, part);
    sum.gradients += w.gradients;
    sum.passes += w.passes;
  }
  return sum;
}

}  // namespace

Passes Passes::operator+(const Passes& b) const {
  return {unet_forward + b.unet_forward, unet_backward + b.unet_backward, classifier_forward + b.classifier_forward, classifier_backward + b.classifier_backward};
}

Passes Passes::operator*(double f) const { return {unet_forward * f, unet_backward * f, classifier_forward * f, classifier_backward * f}; }

double seconds(const Passes& n, const PassSeconds& each) {
  return n.unet_forward * each.unet_forward + n.unet_backward * each.unet_backward + n.classifier_forward * each.classifier_forward +
         n.classifier_backward * each.classifier_backward;
}

PurifyOptions purify_at(const ExperimentOptions& o, int sampler, int t) {
  PurifyOptions p = o.samplers.at(sampler).purify;
  p.t = t;
  const bool strided = p.sampler == SamplerKind::Ddpm || p.sampler == SamplerKind::Eta;
  if (!strided || !p.respacing.empty()) return p;
  p.steps_reverse = o.steps_at_most && o.steps_at_most < t ? o.steps_at_most : t;
  while (t % p.steps_reverse) --p.steps_reverse;
  return p;
}

Passes chain_passes(const ExperimentOptions& o, int sampler, int t) {
  if (sampler < 0) return {0, 0, 1, 0};
  return {static_cast<double>(purify_at(o, sampler, t).reverse_count()), 0, 1, 0};
}

// Forward, every network call once more on the way back, and its vector-Jacobian product.
Passes gradient_passes(const ExperimentOptions& o, int sampler, int t) {
  const Passes chain = chain_passes(o, sampler, t);
  return {2 * chain.unet_forward, chain.unet_forward, 1, 1};
}

Passes rate_passes(const ExperimentOptions& o, int sampler, int t) {
  if (sampler < 0) return {};
  return {chain_passes(o, sampler, t).unet_forward * (1 + o.run.draws), 0, 0, 0};
}

// The record needs the chain at the image, at its adversarial version, and once more under the test noise.
Passes attack_passes(const ExperimentOptions& o, int sampler, int t, Rand rand) {
  const AttackWork w = attack_work(o.run, o.run.attack.kind);
  const double draws = rand == Rand::Eot ? o.run.attack.eot.draws : 1;
  return gradient_passes(o, sampler, t) * (w.gradients * draws) + chain_passes(o, sampler, t) * (w.passes * draws + 3) + Passes{0, 0, 1, 0} + rate_passes(o, sampler, t);
}

Passes minimum_passes(const ExperimentOptions& o) { return Passes{0, 0, 1, 1} * (kMinimumProbes * o.run.pgd.steps); }

JsonLine experiment_line(const RunFacts& facts, const ExperimentOptions& o, const ExperimentUnit& u, int64_t image, const std::string& source) {
  const int steps = u.sampler < 0 ? 0 : purify_at(o, u.sampler, u.id.t).reverse_count();
  return JsonLine().add("v", 1).add("run", facts.run).add("kind", u.id.kind).add("img", image).add("src", source).add("seed", u.id.seed).add("t", u.id.t)
      .add("eps", u.id.eps).add("sampler", u.sampler < 0 ? "none" : o.samplers[u.sampler].name).add("reverse_steps", steps);
}

std::string with_fields(std::string line, const JsonLine& more) {
  const std::string fields = more.text();
  line.pop_back();
  return line + "," + fields.substr(1);
}

}  // namespace purescope
