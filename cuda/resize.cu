// Bilinear resampling with half-pixel centres. One thread per value of the result; the backward pass gathers, outputs in row-major order.
#include "core/check.h"
#include "cuda/launch.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

struct Sizes { int in_h, in_w, out_h, out_w; };

// Output i of `out` reads source pixels low and high with weights 1 - weight and weight.
struct Tap { int low, high; real weight; };
__device__ Tap tap_of(int in, int out, int i) {
  double p = (i + 0.5) * in / out - 0.5;
  p = p > 0 ? p : 0;
  const int floor = static_cast<int>(p), low = floor < in - 1 ? floor : in - 1;
  return {low, low + 1 < in ? low + 1 : in - 1, static_cast<real>(p - low)};
}

__global__ void resize_kernel(Sizes s, const real* x, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const size_t pixels = static_cast<size_t>(s.out_h) * s.out_w;
  const int at = static_cast<int>(e % pixels);
  const Tap r = tap_of(s.in_h, s.out_h, at / s.out_w), c = tap_of(s.in_w, s.out_w, at % s.out_w);
  const real* plane = x + e / pixels * s.in_h * s.in_w;
  const real *top = plane + static_cast<size_t>(r.low) * s.in_w, *bottom = plane + static_cast<size_t>(r.high) * s.in_w;
  const real above = (1 - c.weight) * top[c.low] + c.weight * top[c.high];
  const real below = (1 - c.weight) * bottom[c.low] + c.weight * bottom[c.high];
  y[e] = (1 - r.weight) * above + r.weight * below;
}

// The weight with which output i reads source pixel k.
__device__ real weight_of(int in, int out, int i, int k) {
  const Tap t = tap_of(in, out, i);
  return (t.low == k ? 1 - t.weight : real(0)) + (t.high == k ? t.weight : real(0));
}

// The outputs that may read source pixel k: those whose coordinate lies within 1 of it, with room for rounding.
struct Range { int first, last; };
__device__ Range readers(int in, int out, int k) {
  const int first = static_cast<int>((k - 0.5) * out / in - 0.5) - 1, last = static_cast<int>((k + 1.5) * out / in - 0.5) + 1;
  return {first > 0 ? first : 0, last < out - 1 ? last : out - 1};
}

__global__ void resize_backward_kernel(Sizes s, const real* dy, size_t count, real* dx) {
  const size_t e = element();
  if (e >= count) return;
  const size_t pixels = static_cast<size_t>(s.in_h) * s.in_w;
  const int at = static_cast<int>(e % pixels), row = at / s.in_w, col = at % s.in_w;
  const real* plane = dy + e / pixels * s.out_h * s.out_w;
  const Range rows = readers(s.in_h, s.out_h, row), columns = readers(s.in_w, s.out_w, col);
  real sum = 0;
  for (int i = rows.first; i <= rows.last; ++i) {
    const real factor = weight_of(s.in_h, s.out_h, i, row);
    if (factor == 0) continue;
    for (int j = columns.first; j <= columns.last; ++j)
      sum += weight_of(s.in_w, s.out_w, j, col) * (factor * plane[static_cast<size_t>(i) * s.out_w + j]);
  }
  dx[e] = sum;
}

}  // namespace

void resize_bilinear_forward(View x, View y) {
  PURESCOPE_REQUIRE(x.n == y.n && x.c == y.c);
  PURESCOPE_LAUNCH(resize_kernel, blocks_of(y.size()), kThreads, 0)(Sizes{x.h, x.w, y.h, y.w}, x.data, y.size(), y.data);
}

void resize_bilinear_backward(View dy, View dx) {
  PURESCOPE_LAUNCH(resize_backward_kernel, blocks_of(dx.size()), kThreads, 0)(Sizes{dx.h, dx.w, dy.h, dy.w}, dy.data, dx.size(), dx.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
