#include "diffusion/reverse_step.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// x0 = x / sqrt(abar) - sqrt(1 / abar - 1) eps.
ReverseStep predict_x0(int label, double abar, const PurifyOptions& o) {
  ReverseStep step;
  step.label = label;
  step.time = label;
  step.to_x0 = std::sqrt(1 / abar);
  step.from_eps = std::sqrt(1 / abar - 1);
  step.clip = o.clip != Clip::None;
  step.straight_through = o.clip == Clip::StraightThrough;
  return step;
}

ReverseStep ddpm_step(const Schedule& s, int k, int label, const PurifyOptions& o) {
  ReverseStep step = predict_x0(label, s.abar[k], o);
  const double beta = s.beta[k], abar = s.abar[k], before = s.abar_before(k);
  step.p = beta * std::sqrt(before) / (1 - abar);
  step.q = (1 - before) * std::sqrt(1 - beta) / (1 - abar);
  const auto posterior = [&](int i) { return s.beta[i] * (1 - s.abar_before(i)) / (1 - s.abar[i]); };
  if (k == 0) return step;
  switch (o.variance) {
    case Variance::FixedLarge: step.s = std::sqrt(beta); break;
    case Variance::FixedSmall: step.s = std::sqrt(posterior(k)); break;
    case Variance::Learned:
      step.learned = true;
      step.log_max = std::log(beta);
      step.log_min = std::log(posterior(k));
      break;
  }
  return step;
}

ReverseStep eta_step(double a, double next, int label, const PurifyOptions& o) {
  ReverseStep step = predict_x0(label, a, o);
  step.s = o.eta * std::sqrt((1 - a / next) * (1 - next) / (1 - a));
  const double direction = std::sqrt(1 - next - step.s * step.s);
  step.p = std::sqrt(next);
  if (!step.clip) {
    step.r = direction;
  } else {  // eps' = (to_x0 x - x0) / from_eps
    step.p -= direction / step.from_eps;
    step.q = direction * step.to_x0 / step.from_eps;
  }
  return step;
}

}  // namespace

std::vector<ReverseStep> reverse_steps(const PurifyOptions& o) {
  if (o.sampler == SamplerKind::VpSde || o.sampler == SamplerKind::VpOde) return vp_steps(o);
  if (o.sampler == SamplerKind::Dpm) return dpm_steps(o);
  const std::vector<int> indices = reverse_indices(o);
  const Schedule full = linear_schedule();
  const bool all = o.respacing.empty() && static_cast<int>(indices.size()) == o.t;
  const Schedule kept = all ? full : respaced(full, indices);
  std::vector<ReverseStep> steps;
  for (int k = static_cast<int>(indices.size()) - 1; k >= 0; --k) {
    if (o.sampler == SamplerKind::Ddpm) steps.push_back(ddpm_step(kept, k, indices[k], o));
    else steps.push_back(eta_step(full.abar[indices[k]], k > 0 ? full.abar[indices[k - 1]] : 1, indices[k], o));
  }
  return steps;
}

}  // namespace PURESCOPE_REAL_NS

}  // namespace purescope
