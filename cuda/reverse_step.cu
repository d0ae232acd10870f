// One reverse diffusion step, given the network's eps, its derivative, and the affine map of forward noising. One thread per value.
#include "cuda/launch.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// The numbers of a ReverseStep, rounded once to real.
struct StepNumbers {
  explicit StepNumbers(const ReverseStep& s)
      : a(static_cast<real>(s.to_x0)), b(static_cast<real>(s.from_eps)), p(static_cast<real>(s.p)), q(static_cast<real>(s.q)),
        r(static_cast<real>(s.r)), s(static_cast<real>(s.s)), clip(s.clip), mask(s.clip && !s.straight_through) {}
  real a, b, p, q, r, s;
  bool clip, mask;
};

// z may be null.
__global__ void reverse_step_forward_kernel(StepNumbers s, const real* x, const real* eps, const real* z, size_t count, real* y) {
  const size_t i = element();
  if (i >= count) return;
  real x0 = s.a * x[i] - s.b * eps[i];
  if (s.clip) x0 = x0 < -1 ? -1 : x0 > 1 ? 1 : x0;  // NaN stays NaN
  real v = s.p * x0 + s.q * x[i] + s.r * eps[i];
  if (z) v += s.s * z[i];
  y[i] = v;
}

// dx and deps may be null.
__global__ void reverse_step_backward_kernel(StepNumbers s, const real* x, const real* eps, const real* dy,
                                             size_t count, real* dx, real* deps) {
  const size_t i = element();
  if (i >= count) return;
  const real x0 = s.a * x[i] - s.b * eps[i], d = dy[i];
  const real g = s.mask && (x0 < -1 || x0 > 1) ? 0 : s.p * d;
  if (dx) dx[i] = s.q * d + s.a * g;
  if (deps) deps[i] = s.r * d - s.b * g;
}

// exp(logvar / 2), logvar = f log_max + (1 - f) log_min, f = (v + 1) / 2.
__device__ real sigma_of(double log_max, double log_min, real v) {
  const accum f = (static_cast<accum>(v) + 1) / 2;
  return static_cast<real>(std::exp((f * log_max + (1 - f) * log_min) / 2));
}

// y may be x.
__global__ void learned_noise_kernel(double log_max, double log_min, const real* x, const real* v, const real* z, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = x[i] + sigma_of(log_max, log_min, v[i]) * z[i];
}

__global__ void learned_noise_backward_kernel(double log_max, double log_min, const real* v, const real* z, const real* dy, size_t count,
                                              real* dv) {
  const size_t i = element();
  if (i < count) dv[i] = dy[i] * z[i] * (static_cast<real>((log_max - log_min) / 4) * sigma_of(log_max, log_min, v[i]));
}

// z may be null; y may be x.
__global__ void affine_kernel(real a, const real* x, real b, const real* z, real c, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = z ? a * x[i] + b * z[i] + c : a * x[i] + c;
}

}  // namespace

void reverse_step_forward(const ReverseStep& s, View x, View eps, View z, View y) {
  PURESCOPE_LAUNCH(reverse_step_forward_kernel, blocks_of(x.size()), kThreads, 0)
  (StepNumbers(s), x.data, eps.data, z.data, x.size(), y.data);
}

void reverse_step_backward(const ReverseStep& s, View x, View eps, View dy, View dx, View deps) {
  PURESCOPE_LAUNCH(reverse_step_backward_kernel, blocks_of(x.size()), kThreads, 0)
  (StepNumbers(s), x.data, eps.data, dy.data, x.size(), dx.data, deps.data);
}

void learned_noise_forward(const ReverseStep& s, View x, View v, View z, View y) {
  PURESCOPE_LAUNCH(learned_noise_kernel, blocks_of(x.size()), kThreads, 0)(s.log_max, s.log_min, x.data, v.data, z.data, x.size(), y.data);
}

void learned_noise_backward(const ReverseStep& s, View v, View z, View dy, View dv) {
  PURESCOPE_LAUNCH(learned_noise_backward_kernel, blocks_of(v.size()), kThreads, 0)
  (s.log_max, s.log_min, v.data, z.data, dy.data, v.size(), dv.data);
}

void affine_forward(double a, View x, double b, View z, double c, View y) {
  PURESCOPE_LAUNCH(affine_kernel, blocks_of(x.size()), kThreads, 0)(a, x.data, b, z.data, c, x.size(), y.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
