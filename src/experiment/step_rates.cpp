#include "experiment/step_rates.h"

#include <algorithm>
#include <cmath>

#include "core/statistics.h"
#include "experiment/chain_walk.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kSignDraws = 1 << 20, kFreshDraws = 1 << 21;

// The order-th step at x, given eps, without its noise: only differences of its results matter.
void step_without_noise(const Purifier& purifier, int order, View x, View eps, View y) {
  ReverseStep step = purifier.steps()[order];
  const double guidance = purifier.options().guidance * step.s * step.s;
  step.s = 0;
  reverse_step_forward(step, x, eps, {}, y);
  if (guidance != 0) affine_forward(1, y, -guidance, x, 0, y);
}

}  // namespace

StepFactors step_factors(const Purifier& purifier, int order) {
  const ReverseStep& s = purifier.steps()[order];
  StepFactors f;
  f.kappa = s.p * s.to_x0 + s.q - purifier.options().guidance * s.s * s.s;
  f.gamma = (s.p * s.from_eps - s.r) / f.kappa;
  return f;
}

double first_order_rate(const StepFactors& s, double divergence, double d) {
  return s.kappa * (1 - s.gamma * divergence / d);
}

double second_order_rate(const StepFactors& s, double divergence, double frobenius, double d) {
  return s.kappa * std::sqrt(std::max(0.0, 1 - 2 * s.gamma * divergence / d + s.gamma * s.gamma * frobenius / d));
}

void EpsJacobian::run(int order, View x) {
  Net& net = purifier_.unet();
  net.set_batch(x.n);
  net.use_arena(nullptr);
  copy_forward(x, net.input());
  net.set_time(purifier_.steps()[order].time);
  net.forward();
}

void EpsJacobian::eps(int order, View x, View out) {
  run(order, x);
  const View y = purifier_.unet().output();
  if (y.c == x.c) return copy_forward(y, out);
  Buffer rest(x.n, y.c - x.c, x.h, x.w, x.device);
  concat_backward(y, out, rest.view());
}

void EpsJacobian::vjp(int order, View x, View v, View out) {
  run(order, x);
  Net& net = purifier_.unet();
  const View dy = net.output_grad();
  if (dy.c == x.c) copy_forward(v, dy);
  else {
    Buffer zero(x.n, dy.c - x.c, x.h, x.w, x.device);
    fill_forward(0, zero.view());
    concat_forward(v, zero.view(), dy);
  }
  net.backward();
  copy_forward(net.input_grad(), out);
}

std::vector<Divergence> estimate_divergence(EpsJacobian& jacobian, int order, View x, int probes,
                                            const NoiseStream& stream, int64_t seed,
                                            const std::vector<int64_t>& images) {
  const size_t size = x.image_size();
  std::vector<std::vector<double>> trace(x.n), frobenius(x.n);
  Buffer v(x.n, x.c, x.h, x.w, x.device), out(x.n, x.c, x.h, x.w, x.device);
  std::vector<float> uniform(size);
  std::vector<real> signs(x.size());
  for (int k = 0; k < probes; ++k) {
    for (int n = 0; n < x.n; ++n) {
      stream.cr_uniform(seed, images[n], kSignDraws + order * 256 + k, uniform.data(), size);
      for (size_t i = 0; i < size; ++i) signs[n * size + i] = uniform[i] < 0.5f ? -1 : 1;
    }
    from_host(signs.data(), v.view());
    jacobian.vjp(order, x, v.view(), out.view());
    const std::vector<real> product = to_host(out.view());
    for (int n = 0; n < x.n; ++n) {
      double along = 0, square = 0;
      for (size_t i = n * size; i < (n + 1) * size; ++i) {
        along += static_cast<double>(signs[i]) * product[i];
        square += static_cast<double>(product[i]) * product[i];
      }
      trace[n].push_back(along);
      frobenius[n].push_back(square);
    }
  }
  std::vector<Divergence> result;
  for (int n = 0; n < x.n; ++n)
    result.push_back(
        {mean(trace[n]), standard_error(trace[n]), mean(frobenius[n]), standard_error(frobenius[n]), probes});
  return result;
}

Divergence exact_divergence(EpsJacobian& jacobian, int order, View x, int batch) {
  const int size = static_cast<int>(x.image_size());
  const std::vector<real> one = to_host(x);
  Divergence result;
  for (int first = 0; first < size; first += batch) {
    const int rows = std::min(batch, size - first);
    std::vector<real> states, basis(static_cast<size_t>(rows) * size, 0);
    for (int r = 0; r < rows; ++r) {
      states.insert(states.end(), one.begin(), one.end());
      basis[static_cast<size_t>(r) * size + first + r] = 1;
    }
    Buffer at(rows, x.c, x.h, x.w, x.device), v(rows, x.c, x.h, x.w, x.device), out(rows, x.c, x.h, x.w, x.device);
    from_host(states.data(), at.view());
    from_host(basis.data(), v.view());
    jacobian.vjp(order, at.view(), v.view(), out.view());
    const std::vector<real> row = to_host(out.view());
    for (int r = 0; r < rows; ++r) result.trace += row[static_cast<size_t>(r) * size + first + r];
    for (real value : row) result.frobenius += static_cast<double>(value) * value;
  }
  return result;
}

std::vector<double> fresh_rates(EpsJacobian& jacobian, const Purifier& purifier, int order, View x, double eps,
                                int draw, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images) {
  const Buffer moved = perturbed(x, eps, stream, seed, images, kFreshDraws + order * 256 + draw);
  Buffer predicted(x.n, x.c, x.h, x.w, x.device), y(x.n, x.c, x.h, x.w, x.device), base(x.n, x.c, x.h, x.w, x.device);
  jacobian.eps(order, x, predicted.view());
  step_without_noise(purifier, order, x, predicted.view(), base.view());
  jacobian.eps(order, moved.view(), predicted.view());
  step_without_noise(purifier, order, moved.view(), predicted.view(), y.view());
  std::vector<double> before(x.n), after(x.n);
  distances(moved.view(), x, before.data(), nullptr);
  distances(y.view(), base.view(), after.data(), nullptr);
  for (int n = 0; n < x.n; ++n) after[n] /= before[n];
  return after;
}

std::vector<double> clipped_share(EpsJacobian& jacobian, const Purifier& purifier, int order, View x) {
  const ReverseStep& s = purifier.steps()[order];
  std::vector<double> share(x.n, 0);
  if (!s.clip) return share;
  Buffer predicted(x.n, x.c, x.h, x.w, x.device);
  jacobian.eps(order, x, predicted.view());
  const std::vector<real> u = to_host(x), e = to_host(predicted.view());
  const size_t size = x.image_size();
  for (size_t i = 0; i < u.size(); ++i) share[i / size] += std::abs(s.to_x0 * u[i] - s.from_eps * e[i]) > 1;
  for (double& v : share) v /= size;
  return share;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
