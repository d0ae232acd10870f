// The update of projected gradient descent: step, project, clamp, in this order; random starts.
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

__global__ void linf_start_kernel(const double* eps, const real* x0, const real* u, size_t size, size_t count, real* x) {
  const size_t i = element();
  if (i >= count) return;
  const float high = static_cast<float>(eps[i / size]), width = high - (-high);
  const float product = static_cast<float>(u[i]) * width, offset = product + (-high);
  x[i] = clamp01(x0[i] + offset);
}

// One block per image.
__global__ void l2_start_kernel(const double* eps, const real* x0, const real* z, size_t size, size_t drawn, real* x) {
  const size_t n = blockIdx.x;
  x0 += n * size;
  x += n * size;
  z += n * drawn;
  accum square = 0;
  for (size_t i = threadIdx.x; i < drawn; i += kThreads) square += static_cast<accum>(z[i]) * z[i];
  const double scale = eps[n] / std::sqrt(block_sum(square));
  for (size_t i = threadIdx.x; i < size; i += kThreads) x[i] = clamp01(x0[i] + static_cast<float>(scale * z[i]));
}

__global__ void signed_uniform_kernel(double eps, const real* u, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = static_cast<real>((2.0 * u[i] - 1) * eps);
}

// The numbers of the host where kernels can read them.
const double* there(const double* numbers, int count) {
  double* copy = workspace<double>(count, 0);
  device_copy(PURESCOPE_DEVICE, copy, Device::Cpu, numbers, count * sizeof(double));
  return copy;
}

}  // namespace

void linf_step(View x0, View g, View step, View eps, View x) {
  PURESCOPE_LAUNCH(linf_step_kernel, blocks_of(x.size()), kThreads, 0)
  (x0.data, g.data, step.data, eps.data, x.image_size(), x.size(), x.data);
}

void l2_step(View x0, View g, View step, View eps, View x) {
  PURESCOPE_LAUNCH(l2_step_kernel, dim3(x.n), kThreads, 0)(x0.data, g.data, step.data, eps.data, x.image_size(), x.data);
}

void linf_start(const double* eps, View x0, View u, View x) {
  PURESCOPE_LAUNCH(linf_start_kernel, blocks_of(x.size()), kThreads, 0)(there(eps, x.n), x0.data, u.data, x.image_size(), x.size(), x.data);
}

void l2_start(const double* eps, View x0, View z, View x) {
  PURESCOPE_LAUNCH(l2_start_kernel, dim3(x.n), kThreads, 0)(there(eps, x.n), x0.data, z.data, x.image_size(), z.image_size(), x.data);
}

void signed_uniform_forward(double eps, View u, View y) {
  PURESCOPE_LAUNCH(signed_uniform_kernel, blocks_of(y.size()), kThreads, 0)(eps, u.data, y.size(), y.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
