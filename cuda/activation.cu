// SiLU and ReLU, one thread per value.
#include "cuda/silu.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

__global__ void silu_forward_kernel(const real* x, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = silu_value(x[i]);
}

__global__ void silu_backward_kernel(const real* x, const real* dy, size_t count, real* dx) {
  const size_t i = element();
  if (i < count) dx[i] = silu_gradient(x[i], dy[i]);
}

__global__ void relu_forward_kernel(const real* x, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = x[i] < 0 ? 0 : x[i];  // NaN stays NaN
}

__global__ void relu_backward_kernel(const real* y, const real* dy, size_t count, real* dx) {
  const size_t i = element();
  if (i < count) dx[i] = y[i] > 0 ? dy[i] : 0;
}

// One thread per byte of one image: eight values, fewer at its end. blockIdx.y is the image.
__global__ void sign_bits_forward_kernel(const real* y, size_t size, size_t image_bytes, unsigned char* bits) {
  const size_t i = element();
  if (i >= image_bytes) return;
  const real* from = y + blockIdx.y * size;
  unsigned byte = 0;
  for (size_t k = 8 * i; k < 8 * i + 8 && k < size; ++k) byte |= static_cast<unsigned>(from[k] > 0) << k % 8;
  bits[blockIdx.y * image_bytes + i] = static_cast<unsigned char>(byte);
}

__global__ void sign_bits_backward_kernel(const unsigned char* bits, const real* dy, size_t size, size_t image_bytes, real* dx) {
  const size_t i = element();
  if (i >= size) return;
  const size_t at = blockIdx.y * size + i;
  dx[at] = bits[blockIdx.y * image_bytes + i / 8] >> i % 8 & 1 ? dy[at] : 0;
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

void sign_bits_forward(View y, View bits) {
  const size_t bytes = bits.image_size() * sizeof(real);
  PURESCOPE_LAUNCH(sign_bits_forward_kernel, dim3(blocks_of(bytes).x, y.n), kThreads, 0)
  (y.data, y.image_size(), bytes, reinterpret_cast<unsigned char*>(bits.data));
}

void sign_bits_backward(View bits, View dy, View dx) {
  PURESCOPE_LAUNCH(sign_bits_backward_kernel, dim3(blocks_of(dy.image_size()).x, dy.n), kThreads, 0)
  (reinterpret_cast<const unsigned char*>(bits.data), dy.data, dy.image_size(), bits.image_size() * sizeof(real), dx.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
