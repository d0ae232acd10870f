#include "experiment/chain_walk.h"

#include <cmath>

#include "core/check.h"
#include "diffusion/noise_source.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// u <- sqrt(1 - beta_k) u + sqrt(beta_k) e_k for k = 0 ... t* - 1, as Purifier does it, with a visit after each but the
// last.
void walk_single_steps(Purifier& purifier, View u, NoiseSource& noise, int stage,
                       const std::function<void(int, View)>& visit) {
  const Schedule schedule = linear_schedule();
  const int last = reverse_indices(purifier.options()).back();
  Buffer x(u.n, u.c, u.h, u.w, u.device), e(u.n, u.c, u.h, u.w, u.device);
  copy_forward(u, x.view());
  for (int k = 0; k < last; ++k) {
    noise.forward(ForwardKind::Steps, k, e.view());
    affine_forward(std::sqrt(1 - schedule.beta[k]), x.view(), std::sqrt(schedule.beta[k]), e.view(), 0, x.view());
    visit(stage + k, x.view());
  }
}

}  // namespace

std::vector<Stage> chain_stages(const Purifier& purifier) {
  const PurifyOptions& o = purifier.options();
  std::vector<Stage> stages = {{Stage::Input, 0, -1, -1}};
  if (o.image_size) stages.push_back({Stage::Resize, 0, -1, -1});
  const int last = reverse_indices(o).back();
  if (o.forward == ForwardKind::Jump || (o.forward == ForwardKind::None && o.scale == InputScale::SqrtAbar))
    stages.push_back({Stage::Forward, o.t, last, -1});
  if (o.forward == ForwardKind::Steps)
    for (int k = 0; k <= last; ++k) stages.push_back({Stage::Forward, k + 1, k, -1});
  const int steps = static_cast<int>(purifier.steps().size());
  for (int order = 0; order < steps; ++order)
    stages.push_back({Stage::Reverse, o.t + (order + 1) * o.t / steps, purifier.steps()[order].label, order});
  if (o.image_size) stages.push_back({Stage::Resize, 2 * o.t, -1, -1});
  return stages;
}

void walk_chain(Purifier& purifier, View x, NoiseSource& noise, const std::function<void(int stage, View u)>& visit) {
  const PurifyOptions& o = purifier.options();
  Buffer u(x.n, x.c, x.h, x.w, x.device);
  affine_forward(2, x, 0, {}, -1, u.view());
  const View result = purifier.forward(u.view(), noise);
  int stage = 0;
  visit(stage++, u.view());
  Buffer inner;
  View start = u.view();
  if (o.image_size) {
    const View like = purifier.trail().x(0);
    inner = Buffer(like.n, like.c, like.h, like.w, like.device);
    resize_bilinear_forward(u.view(), inner.view());
    start = inner.view();
    visit(stage++, start);
  }
  if (o.forward == ForwardKind::Steps) {
    walk_single_steps(purifier, start, noise, stage, visit);
    stage += reverse_indices(o).back();
  }
  if (o.forward != ForwardKind::None || o.scale == InputScale::SqrtAbar) visit(stage++, purifier.trail().x(0));
  for (int order = 0; order < static_cast<int>(purifier.steps().size()); ++order)
    visit(stage++, purifier.trail().x(order + 1));
  if (o.image_size) visit(stage, result);
}

ChainStates chain_states(Purifier& purifier, View x, NoiseSource& noise) {
  ChainStates states;
  walk_chain(purifier, x, noise, [&](int, View u) { states.push_back(to_host(u)); });
  return states;
}

void walk_differences(Purifier& purifier, View x, NoiseSource& noise, const ChainStates& base,
                      const DifferenceVisit& visit) {
  walk_chain(purifier, x, noise, [&](int stage, View u) {
    const std::vector<real> now = to_host(u);
    PURESCOPE_REQUIRE(now.size() == base[stage].size());
    std::vector<double> difference(u.image_size());
    for (int n = 0; n < u.n; ++n) {
      const size_t at = n * difference.size();
      for (size_t i = 0; i < difference.size(); ++i)
        difference[i] = static_cast<double>(now[at + i]) - static_cast<double>(base[stage][at + i]);
      visit(stage, n, difference);
    }
  });
}

std::vector<std::vector<double>> tracked_norms(Purifier& purifier, View x, NoiseSource& noise,
                                               const ChainStates& base) {
  std::vector<std::vector<double>> norms(base.size(), std::vector<double>(x.n));
  walk_differences(purifier, x, noise, base,
                   [&](int stage, int image, const std::vector<double>& d) { norms[stage][image] = norm2(d); });
  return norms;
}

Buffer perturbed(View x, double eps, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images,
                 int draw) {
  Buffer result(x.n, x.c, x.h, x.w, x.device);
  fill_draws(stream, Purpose::CrUniform,
             [&](int n) { return NoiseKey{seed, images[n], static_cast<uint64_t>(draw), Phase::Forward, 0}; }, result.view());
  signed_uniform_forward(eps, result.view(), result.view());
  add_forward(x, result.view(), result.view());
  return result;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double norm2(const std::vector<double>& v) { return std::sqrt(dot(v, v)); }

std::vector<double> row_values(View v, int n) {
  const std::vector<real> values = to_host(v.images(n, 1));
  return {values.begin(), values.end()};
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
