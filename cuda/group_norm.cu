// Group normalisation. Sums are taken in double by one block, always in the same order; what is kept is rounded to real, and the
// backward pass works with the rounded values, as on the CPU.
#include "core/check.h"
#include "cuda/reduce.h"
#include "cuda/silu.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// saved[n, group] = (mean, 1 / sqrt(var + eps)); y = (x - mean) * r * weight_c + bias_c, or silu of that. One block per (image, group),
// whose `count` values are contiguous.
__global__ void group_norm_forward_kernel(const real* x, const real* weight, const real* bias, int groups,
                                          int per_group, size_t pixels, double eps, bool silu, real* y, real* saved) {
  const int group = blockIdx.x % groups;
  const size_t count = per_group * pixels, begin = blockIdx.x * count;
  accum sum = 0, square = 0;
  for (size_t i = threadIdx.x; i < count; i += kThreads) sum += x[begin + i];
  const accum mean = block_sum(sum) / count;
  for (size_t i = threadIdx.x; i < count; i += kThreads) {
    const accum d = x[begin + i] - mean;
    square += d * d;
  }
  const real m = static_cast<real>(mean), r = static_cast<real>(1 / std::sqrt(block_sum(square) / count + eps));
  if (threadIdx.x == 0) {
    saved[2 * blockIdx.x] = m;
    saved[2 * blockIdx.x + 1] = r;
  }
  for (size_t i = threadIdx.x; i < count; i += kThreads) {
    const size_t c = group * per_group + i / pixels;
    const real norm = (x[begin + i] - m) * (r * weight[c]) + bias[c];
    y[begin + i] = silu ? silu_value(norm) : norm;
  }
}

// g = dy * silu'(y), y as in the forward pass.
__global__ void silu_of_norm_backward_kernel(const real* x, const real* weight, const real* bias, const real* saved, const real* dy, int channels,
                                             int per_group, size_t pixels, size_t count, real* g) {
  const size_t i = element();
  if (i >= count) return;
  const size_t plane = i / pixels, c = plane % channels, group = plane / per_group;
  const real norm = (x[i] - saved[2 * group]) * (saved[2 * group + 1] * weight[c]) + bias[c];
  g[i] = silu_gradient(norm, dy[i]);
}

// sums[n, c] = (sum dy, sum dy * xh). One block per plane.
__global__ void gradient_sums_kernel(const real* x, const real* saved, const real* dy, int channels, int per_group,
                                     size_t pixels, Pair* sums) {
  const size_t begin = blockIdx.x * pixels, n = blockIdx.x / channels;
  const int groups = channels / per_group, group = blockIdx.x % channels / per_group;
  const accum mean = saved[2 * (n * groups + group)], r = saved[2 * (n * groups + group) + 1];
  Pair s;
  for (size_t i = threadIdx.x; i < pixels; i += kThreads) {
    s.a += dy[begin + i];
    s.b += dy[begin + i] * ((x[begin + i] - mean) * r);
  }
  s = block_sum(s);
  if (threadIdx.x == 0) sums[blockIdx.x] = s;
}

// dx = r * (g - mean(g) - xh * mean(g * xh)), g = dy * weight_c. One block per plane; the sums of its group are added by every thread.
__global__ void group_norm_dx_kernel(const real* x, const real* weight, const real* saved, const real* dy,
                                     const Pair* sums, int channels, int per_group, size_t pixels, real* dx) {
  const size_t begin = blockIdx.x * pixels, n = blockIdx.x / channels;
  const int c = blockIdx.x % channels, groups = channels / per_group, first = c / per_group * per_group;
  const real mean = saved[2 * (n * groups + c / per_group)], r = saved[2 * (n * groups + c / per_group) + 1];
  accum mean_g = 0, mean_gx = 0;
  for (int k = first; k < first + per_group; ++k) {
    mean_g += weight[k] * sums[n * channels + k].a;
    mean_gx += weight[k] * sums[n * channels + k].b;
  }
  const accum count = static_cast<accum>(per_group) * pixels, wide = r;
  const real a = r * weight[c], b = static_cast<real>(wide * mean_g / count),
             k = static_cast<real>(wide * wide * mean_gx / count);
  for (size_t i = threadIdx.x; i < pixels; i += kThreads) dx[begin + i] = dy[begin + i] * a - b - (x[begin + i] - mean) * k;
}

// dweight_c += sums[n, c].b, dbias_c += sums[n, c].a, images in order; either may be null.
__global__ void norm_params_kernel(const Pair* sums, int images, size_t channels, real* dweight, real* dbias) {
  const size_t c = element();
  if (c >= channels) return;
  for (int n = 0; n < images; ++n) {
    if (dweight) dweight[c] += static_cast<real>(sums[n * channels + c].b);
    if (dbias) dbias[c] += static_cast<real>(sums[n * channels + c].a);
  }
}

}  // namespace

void group_norm_forward(const GroupNorm& s, View x, View weight, View bias, View y, View saved) {
  PURESCOPE_REQUIRE(x.c == s.channels && x.c % s.groups == 0);
  PURESCOPE_LAUNCH(group_norm_forward_kernel, dim3(x.n * s.groups), kThreads, 0)
  (x.data, weight.data, bias.data, s.groups, x.c / s.groups, static_cast<size_t>(x.h) * x.w, s.eps, s.silu, y.data, saved.data);
}

void group_norm_backward(const GroupNorm& s, View x, View weight, View bias, View saved, View dy, View dx, View dweight, View dbias) {
  const int per_group = x.c / s.groups;
  const size_t pixels = static_cast<size_t>(x.h) * x.w, planes = static_cast<size_t>(x.n) * x.c;
  if (s.silu) {  // the cotangent of the norm itself, where dx will be
    const View g = dx.empty() ? View{workspace<real>(x.size(), 3), x.n, x.c, x.h, x.w, x.device} : dx;
    PURESCOPE_LAUNCH(silu_of_norm_backward_kernel, blocks_of(x.size()), kThreads, 0)
    (x.data, weight.data, bias.data, saved.data, dy.data, x.c, per_group, pixels, x.size(), g.data);
    dy = g;
  }
  Pair* sums = workspace<Pair>(planes, 2);
  PURESCOPE_LAUNCH(gradient_sums_kernel, dim3(planes), kThreads, 0)(x.data, saved.data, dy.data, x.c, per_group, pixels, sums);
  if (!dx.empty())
    PURESCOPE_LAUNCH(group_norm_dx_kernel, dim3(planes), kThreads, 0)
    (x.data, weight.data, saved.data, dy.data, sums, x.c, per_group, pixels, dx.data);
  if (!dweight.empty() || !dbias.empty())
    PURESCOPE_LAUNCH(norm_params_kernel, blocks_of(x.c), kThreads, 0)(sums, x.n, x.c, dweight.data, dbias.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
