// Batch normalisation: with running statistics one thread per value, with those of the batch one block per channel, images in order.
#include "core/check.h"
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// Of a batch of n images of `channels` planes of `pixels`.
struct Planes {
  int n, channels;
  size_t pixels;
  __device__ size_t begin(int image, int c) const { return (static_cast<size_t>(image) * channels + c) * pixels; }
};

__device__ accum inverse_deviation(real var, double eps) { return 1 / std::sqrt(static_cast<accum>(var) + eps); }

__global__ void batch_norm_eval_kernel(const real* x, const real* weight, const real* bias, const real* mean, const real* var, double eps,
                                       int channels, size_t pixels, size_t count, real* y) {
  const size_t i = element();
  if (i >= count) return;
  const size_t c = i / pixels % channels;
  y[i] = (x[i] - mean[c]) * (weight[c] * static_cast<real>(inverse_deviation(var[c], eps))) + bias[c];
}

__global__ void batch_norm_eval_dx_kernel(const real* dy, const real* weight, const real* var, double eps, int channels, size_t pixels,
                                          size_t count, real* dx) {
  const size_t i = element();
  if (i >= count) return;
  const size_t c = i / pixels % channels;
  dx[i] = dy[i] * (weight[c] * static_cast<real>(inverse_deviation(var[c], eps)));
}

// One block per channel. Keeps (mean, r) and moves the running statistics.
__global__ void batch_norm_train_kernel(Planes at, const real* x, const real* weight, const real* bias, double eps, double momentum,
                                        real* running_mean, real* running_var, real* y, real* saved) {
  const int c = blockIdx.x;
  const accum count = static_cast<accum>(at.n) * at.pixels;
  accum sum = 0, square = 0;
  for (int n = 0; n < at.n; ++n)
    for (size_t i = threadIdx.x; i < at.pixels; i += kThreads) sum += x[at.begin(n, c) + i];
  const accum mean = block_sum(sum) / count;
  for (int n = 0; n < at.n; ++n)
    for (size_t i = threadIdx.x; i < at.pixels; i += kThreads) {
      const accum d = x[at.begin(n, c) + i] - mean;
      square += d * d;
    }
  const accum var = block_sum(square) / count;
  const real m = static_cast<real>(mean), r = static_cast<real>(1 / std::sqrt(var + eps));
  for (int n = 0; n < at.n; ++n)
    for (size_t i = threadIdx.x; i < at.pixels; i += kThreads)
      y[at.begin(n, c) + i] = (x[at.begin(n, c) + i] - m) * (r * weight[c]) + bias[c];
  if (threadIdx.x != 0) return;
  saved[2 * c] = m;
  saved[2 * c + 1] = r;
  const accum unbiased = count > 1 ? var * count / (count - 1) : var;
  running_mean[c] = static_cast<real>((1 - momentum) * running_mean[c] + momentum * mean);
  running_var[c] = static_cast<real>((1 - momentum) * running_var[c] + momentum * unbiased);
}

// One block per channel: sums over the batch, parameter gradients, and dx when training. x (if dweight and dx are not wanted), saved,
// dx, dweight and dbias may be null.
__global__ void batch_norm_backward_kernel(Planes at, const real* x, const real* weight, const real* running_mean, const real* running_var,
                                           const real* saved, double eps, bool training, const real* dy, real* dx, real* dweight, real* dbias) {
  const int c = blockIdx.x;
  const accum mean = training ? saved[2 * c] : running_mean[c], r = training ? saved[2 * c + 1] : inverse_deviation(running_var[c], eps);
  Pair s;
  for (int n = 0; n < at.n; ++n)
    for (size_t i = threadIdx.x; i < at.pixels; i += kThreads) {
      const size_t e = at.begin(n, c) + i;
      s.a += dy[e];
      if (x) s.b += dy[e] * ((x[e] - mean) * r);
    }
  s = block_sum(s);
  if (threadIdx.x == 0) {
    if (dweight) dweight[c] += static_cast<real>(s.b);
    if (dbias) dbias[c] += static_cast<real>(s.a);
  }
  if (!training || !dx) return;
  const accum count = static_cast<accum>(at.n) * at.pixels, factor = weight[c] * r;
  const real a = static_cast<real>(factor), b = static_cast<real>(factor * s.a / count), k = static_cast<real>(factor * r * s.b / count);
  for (int n = 0; n < at.n; ++n)
    for (size_t i = threadIdx.x; i < at.pixels; i += kThreads) {
      const size_t e = at.begin(n, c) + i;
      dx[e] = dy[e] * a - b - (x[e] - static_cast<real>(mean)) * k;
    }
}

Planes planes_of(View v) { return {v.n, v.c, static_cast<size_t>(v.h) * v.w}; }

}  // namespace

void batch_norm_forward(const BatchNorm& s, View x, View weight, View bias, View running_mean, View running_var, View y, View saved) {
  PURESCOPE_REQUIRE(x.c == s.channels);
  if (s.training)
    PURESCOPE_LAUNCH(batch_norm_train_kernel, dim3(x.c), kThreads, 0)
    (planes_of(x), x.data, weight.data, bias.data, s.eps, s.momentum, running_mean.data, running_var.data, y.data, saved.data);
  else
    PURESCOPE_LAUNCH(batch_norm_eval_kernel, blocks_of(x.size()), kThreads, 0)
    (x.data, weight.data, bias.data, running_mean.data, running_var.data, s.eps, x.c, static_cast<size_t>(x.h) * x.w, x.size(), y.data);
}

void batch_norm_backward(const BatchNorm& s, View x, View weight, View running_mean, View running_var, View saved, View dy, View dx,
                         View dweight, View dbias) {
  if (!s.training && !dx.empty())
    PURESCOPE_LAUNCH(batch_norm_eval_dx_kernel, blocks_of(dy.size()), kThreads, 0)
    (dy.data, weight.data, running_var.data, s.eps, dy.c, static_cast<size_t>(dy.h) * dy.w, dy.size(), dx.data);
  if (s.training || !dweight.empty() || !dbias.empty())
    PURESCOPE_LAUNCH(batch_norm_backward_kernel, dim3(dy.c), kThreads, 0)
    (planes_of(dy), x.data, weight.data, running_mean.data, running_var.data, saved.data, s.eps, s.training, dy.data, dx.data, dweight.data,
     dbias.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
