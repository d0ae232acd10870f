// Changes of resolution: nearest upsampling, global average, strided subsampling with zero channels. One thread per value of the result.
#include "core/check.h"
#include "cuda/reduce.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// Place of element e in planes of h x w.
struct Place { size_t plane; int row, col; };
__device__ Place place_of(size_t e, int h, int w) {
  const size_t pixels = static_cast<size_t>(h) * w;
  const int p = static_cast<int>(e % pixels);
  return {e / pixels, p / w, p % w};
}

__global__ void upsample_forward_kernel(const real* x, int h, int w, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const Place at = place_of(e, 2 * h, 2 * w);
  y[e] = x[(at.plane * h + at.row / 2) * w + at.col / 2];
}

__global__ void upsample_backward_kernel(const real* dy, int h, int w, size_t count, real* dx) {
  const size_t e = element();
  if (e >= count) return;
  const Place at = place_of(e, h, w);
  const real* p = dy + (at.plane * 2 * h + 2 * at.row) * 2 * w + 2 * at.col;
  dx[e] = (p[0] + p[1]) + (p[2 * w] + p[2 * w + 1]);
}

// One block per plane.
__global__ void plane_mean_kernel(const real* x, size_t pixels, real* y) {
  const real* plane = x + blockIdx.x * pixels;
  accum sum = 0;
  for (size_t i = threadIdx.x; i < pixels; i += kThreads) sum += plane[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = static_cast<real>(sum / pixels);
}

__global__ void spread_mean_kernel(const real* dy, size_t pixels, size_t count, real* dx) {
  const size_t e = element();
  if (e < count) dx[e] = dy[e / pixels] / static_cast<real>(pixels);
}

// x has c channels of h x w, y has c + before + after of out_h x out_w.
struct Subsample { int stride, before, channels, c, h, w, out_h, out_w; };

__global__ void subsample_forward_kernel(Subsample s, const real* x, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const Place at = place_of(e, s.out_h, s.out_w);
  const size_t n = at.plane / s.channels;
  const int channel = static_cast<int>(at.plane % s.channels) - s.before;
  const bool copied = channel >= 0 && channel < s.c;
  y[e] = copied ? x[((n * s.c + channel) * s.h + at.row * s.stride) * s.w + at.col * s.stride] : 0;
}

__global__ void subsample_backward_kernel(Subsample s, const real* dy, size_t count, real* dx) {
  const size_t e = element();
  if (e >= count) return;
  const Place at = place_of(e, s.h, s.w);
  const size_t n = at.plane / s.c, channel = at.plane % s.c + s.before;
  const bool sampled = at.row % s.stride == 0 && at.col % s.stride == 0;
  dx[e] = sampled ? dy[((n * s.channels + channel) * s.out_h + at.row / s.stride) * s.out_w + at.col / s.stride] : 0;
}

Subsample subsample_of(const SubsamplePad& s, View x, View y) {
  PURESCOPE_REQUIRE(y.c == x.c + s.before + s.after && y.h == (x.h + s.stride - 1) / s.stride &&
                    y.w == (x.w + s.stride - 1) / s.stride);
  return {s.stride, s.before, y.c, x.c, x.h, x.w, y.h, y.w};
}

}  // namespace

void upsample_nearest_forward(View x, View y) {
  PURESCOPE_REQUIRE(y.h == 2 * x.h && y.w == 2 * x.w && y.c == x.c);
  PURESCOPE_LAUNCH(upsample_forward_kernel, blocks_of(y.size()), kThreads, 0)(x.data, x.h, x.w, y.size(), y.data);
}

void upsample_nearest_backward(View dy, View dx) {
  PURESCOPE_LAUNCH(upsample_backward_kernel, blocks_of(dx.size()), kThreads, 0)(dy.data, dx.h, dx.w, dx.size(), dx.data);
}

void global_avg_pool_forward(View x, View y) {
  PURESCOPE_LAUNCH(plane_mean_kernel, dim3(x.n * x.c), kThreads, 0)(x.data, static_cast<size_t>(x.h) * x.w, y.data);
}

void global_avg_pool_backward(View dy, View dx) {
  PURESCOPE_LAUNCH(spread_mean_kernel, blocks_of(dx.size()), kThreads, 0)
  (dy.data, static_cast<size_t>(dx.h) * dx.w, dx.size(), dx.data);
}

void subsample_pad_forward(const SubsamplePad& s, View x, View y) {
  PURESCOPE_LAUNCH(subsample_forward_kernel, blocks_of(y.size()), kThreads, 0)(subsample_of(s, x, y), x.data, y.size(), y.data);
}

void subsample_pad_backward(const SubsamplePad& s, View dy, View dx) {
  PURESCOPE_LAUNCH(subsample_backward_kernel, blocks_of(dx.size()), kThreads, 0)
  (subsample_of(s, dx, dy), dy.data, dx.size(), dx.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
