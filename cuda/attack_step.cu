// The update of projected gradient descent: step, project, clamp, in this order.
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

__device__ real clamp01(real v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

__global__ void linf_step_kernel(const real* x0, const real* g, const real* step, const real* eps, size_t size,
                                 size_t count, real* x) {
  const size_t i = element();
  if (i >= count) return;
  const real a = step[i / size], e = eps[i / size];
  const real sign = g[i] > 0 ? 1 : g[i] < 0 ? -1 : g[i];  // sign(0) = 0, NaN stays NaN
  const real d = x[i] + a * sign - x0[i];
  x[i] = clamp01(x0[i] + (d < -e ? -e : d > e ? e : d));
}

// One block per image: each thread keeps to its own values, so between the two sums nothing has to be exchanged but the sums.
__global__ void l2_step_kernel(const real* x0, const real* g, const real* step, const real* eps, size_t size, real* x) {
  const size_t n = blockIdx.x;
  x0 += n * size;
  g += n * size;
  x += n * size;
  accum square = 0;
  for (size_t i = threadIdx.x; i < size; i += kThreads) square += static_cast<accum>(g[i]) * g[i];
  const accum norm = std::sqrt(block_sum(square));
  const real a = static_cast<real>(step[n] / (norm < 1e-12 ? 1e-12 : norm));
  square = 0;
  for (size_t i = threadIdx.x; i < size; i += kThreads) {
    x[i] += a * g[i];
    const accum d = x[i] - x0[i];
    square += d * d;
  }
  const accum distance = std::sqrt(block_sum(square)), ratio = eps[n] / (distance < 1e-12 ? 1e-12 : distance);
  const real shrink = static_cast<real>(ratio < 1 ? ratio : 1);
  for (size_t i = threadIdx.x; i < size; i += kThreads) x[i] = clamp01(x0[i] + (x[i] - x0[i]) * shrink);
}

}  // namespace

void linf_step(View x0, View g, View step, View eps, View x) {
  PURESCOPE_LAUNCH(linf_step_kernel, blocks_of(x.size()), kThreads, 0)
  (x0.data, g.data, step.data, eps.data, x.image_size(), x.size(), x.data);
}

void l2_step(View x0, View g, View step, View eps, View x) {
  PURESCOPE_LAUNCH(l2_step_kernel, dim3(x.n), kThreads, 0)(x0.data, g.data, step.data, eps.data, x.image_size(), x.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
