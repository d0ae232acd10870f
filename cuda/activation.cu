// SiLU and ReLU, one thread per value.
#include "cuda/launch.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

__global__ void silu_forward_kernel(const real* x, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = x[i] / (1 + std::exp(-x[i]));
}

__global__ void silu_backward_kernel(const real* x, const real* dy, size_t count, real* dx) {
  const size_t i = element();
  if (i >= count) return;
  const real s = 1 / (1 + std::exp(-x[i]));
  dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
}

__global__ void relu_forward_kernel(const real* x, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = x[i] < 0 ? 0 : x[i];  // NaN stays NaN
}

__global__ void relu_backward_kernel(const real* y, const real* dy, size_t count, real* dx) {
  const size_t i = element();
  if (i < count) dx[i] = y[i] > 0 ? dy[i] : 0;
}

}  // namespace

void silu_forward(View x, View y) {
  PURESCOPE_LAUNCH(silu_forward_kernel, blocks_of(x.size()), kThreads, 0)(x.data, x.size(), y.data);
}

void silu_backward(View x, View dy, View dx) {
  PURESCOPE_LAUNCH(silu_backward_kernel, blocks_of(x.size()), kThreads, 0)(x.data, dy.data, x.size(), dx.data);
}

void relu_forward(View x, View y) {
  PURESCOPE_LAUNCH(relu_forward_kernel, blocks_of(x.size()), kThreads, 0)(x.data, x.size(), y.data);
}

void relu_backward(View y, View dy, View dx) {
  PURESCOPE_LAUNCH(relu_backward_kernel, blocks_of(y.size()), kThreads, 0)(y.data, dy.data, y.size(), dx.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
