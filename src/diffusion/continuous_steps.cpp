// Reverse-time VP-SDE and probability-flow ODE on a fixed grid.
#include <cmath>

#include "diffusion/reverse_step.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

struct GridPoint { double t, h, label; };

// t_k = k / 1000 for k = t*, ..., 1, the last step ending at 1e-5.
std::vector<GridPoint> exact_grid(const PurifyOptions& o) {
  std::vector<GridPoint> grid;
  for (int k = o.t; k >= 1; --k)
    grid.push_back({k / 1000.0, k > 1 ? 1e-3 : 1e-3 - 1e-5, o.labels == Labels::Continuous ? 999 * (k / 1000.0) : k});
  return grid;
}

// The times that torchsde walks through in float32: s = 1 - t grows by float(1e-3) up to float(1 - 1e-5); label trunc(1000 t).
std::vector<GridPoint> float_grid(const PurifyOptions& o) {
  std::vector<GridPoint> grid;
  const float end = static_cast<float>(1 - 1e-5), step = 1e-3f;
  for (float s = static_cast<float>(1 - o.t / 1000.0); s < end;) {
    const float next = s + step < end ? s + step : end, t = 1 - s, scaled = t * 1000;
    grid.push_back({t, static_cast<double>(next) - s, std::trunc(scaled)});
    s = next;
  }
  return grid;
}

}  // namespace

std::vector<ReverseStep> vp_steps(const PurifyOptions& o) {
  reverse_indices(o);
  std::vector<ReverseStep> steps;
  const std::vector<GridPoint> grid = o.labels == Labels::TorchsdeFp32 ? float_grid(o) : exact_grid(o);
  for (const GridPoint& g : grid) {
    const double beta = 0.1 + 19.9 * g.t, abar = std::exp(-0.5 * 19.9 * g.t * g.t - 0.1 * g.t);
    const bool sde = o.sampler == SamplerKind::VpSde;
    ReverseStep step;
    step.label = static_cast<int>(grid.size() - steps.size()) - 1;
    step.time = g.label;
    step.q = 1 + g.h * beta / 2;
    step.r = -g.h * beta / std::sqrt(1 - abar) * (sde ? 1 : 0.5);
    step.s = sde ? std::sqrt(g.h * beta) : 0;
    steps.push_back(step);
  }
  return steps;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
