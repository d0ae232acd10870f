// Constants, clamping, and what is done to training images: one thread per value.
#include "cuda/launch.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

__global__ void fill_kernel(real value, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = value;
}

__global__ void clamp_kernel(real low, real high, const real* x, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];  // NaN stays NaN
}

__global__ void noising_kernel(const double* a, const double* b, const real* x, const real* z, size_t size, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = static_cast<real>(a[i / size] * (2 * x[i] - 1) + b[i / size] * z[i]);
}

__global__ void augment_kernel(const Augmentation* how, const real* x, int channels, int h, int w, size_t count, real* y) {
  const size_t i = element();
  if (i >= count) return;
  const Augmentation a = how[i / w / h / channels];
  const int col = static_cast<int>(i % w), row = static_cast<int>(i / w % h);
  const int from_row = row + a.down, from_col = (a.flip ? w - 1 - col : col) + a.right;
  const bool inside = from_row >= 0 && from_row < h && from_col >= 0 && from_col < w;
  y[i] = inside ? x[i / w / h * h * w + from_row * w + from_col] : 0;
}

__global__ void add_noise_kernel(const double* sigma, const real* z, size_t size, size_t count, real* x) {
  const size_t i = element();
  if (i < count) x[i] += static_cast<real>(sigma[i / size] * z[i]);
}

}  // namespace

void fill_forward(double value, View y) {
  PURESCOPE_LAUNCH(fill_kernel, blocks_of(y.size()), kThreads, 0)(static_cast<real>(value), y.size(), y.data);
}

void clamp_forward(double low, double high, View x, View y) {
  PURESCOPE_LAUNCH(clamp_kernel, blocks_of(x.size()), kThreads, 0)(static_cast<real>(low), static_cast<real>(high), x.data, x.size(), y.data);
}

void noising_forward(const double* a, const double* b, View x, View z, View y) {
  double* factors = workspace<double>(2 * x.n, 0);
  device_copy(PURESCOPE_DEVICE, factors, Device::Cpu, a, x.n * sizeof(double));
  device_copy(PURESCOPE_DEVICE, factors + x.n, Device::Cpu, b, x.n * sizeof(double));
  PURESCOPE_LAUNCH(noising_kernel, blocks_of(x.size()), kThreads, 0)(factors, factors + x.n, x.data, z.data, x.image_size(), x.size(), y.data);
}

void augment_forward(const Augmentation* how, View x, View y) {
  Augmentation* there = workspace<Augmentation>(x.n, 0);
  device_copy(PURESCOPE_DEVICE, there, Device::Cpu, how, x.n * sizeof(Augmentation));
  PURESCOPE_LAUNCH(augment_kernel, blocks_of(x.size()), kThreads, 0)(there, x.data, x.c, x.h, x.w, x.size(), y.data);
}

void add_noise_forward(const double* sigma, View z, View x) {
  double* there = workspace<double>(x.n, 0);
  device_copy(PURESCOPE_DEVICE, there, Device::Cpu, sigma, x.n * sizeof(double));
  PURESCOPE_LAUNCH(add_noise_kernel, blocks_of(x.size()), kThreads, 0)(there, z.data, x.image_size(), x.size(), x.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
