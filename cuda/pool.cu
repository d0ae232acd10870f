// Pooling over windows: the mean of 2 x 2 blocks and the maximum of padded windows. One thread per value of the result.
#include "core/check.h"
#include "cuda/launch.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// Place of element e in planes of h x w.
struct PoolPlace { size_t plane; int row, col; };
__device__ PoolPlace pool_place(size_t e, int h, int w) {
  const size_t pixels = static_cast<size_t>(h) * w;
  const int p = static_cast<int>(e % pixels);
  return {e / pixels, p / w, p % w};
}

// y is h x w, x twice that.
__global__ void avg_pool_kernel(const real* x, int h, int w, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const PoolPlace at = pool_place(e, h, w);
  const real* p = x + (at.plane * 2 * h + 2 * at.row) * 2 * w + 2 * at.col;
  y[e] = ((p[0] + p[1]) + (p[2 * w] + p[2 * w + 1])) * real(0.25);
}

__global__ void avg_pool_backward_kernel(const real* dy, int h, int w, size_t count, real* dx) {
  const size_t e = element();
  if (e >= count) return;
  const PoolPlace at = pool_place(e, 2 * h, 2 * w);
  dx[e] = dy[(at.plane * h + at.row / 2) * w + at.col / 2] * real(0.25);
}

struct Windows { int kernel, stride, pad, h, w, out_h, out_w; };

// The first largest tap of the window, a NaN before all others; taps in the padding do not count.
__global__ void max_pool_kernel(Windows s, const real* x, size_t count, real* y, real* taps) {
  const size_t e = element();
  if (e >= count) return;
  const PoolPlace at = pool_place(e, s.out_h, s.out_w);
  const real* plane = x + at.plane * s.h * s.w;
  int best = -1;
  real value = 0;
  for (int a = 0; a < s.kernel; ++a)
    for (int b = 0; b < s.kernel; ++b) {
      const int r = at.row * s.stride + a - s.pad, c = at.col * s.stride + b - s.pad;
      if (r < 0 || r >= s.h || c < 0 || c >= s.w) continue;
      const real v = plane[r * s.w + c];
      if (best < 0 || v > value || v != v) { best = a * s.kernel + b; value = v; }
    }
  y[e] = value;
  taps[e] = static_cast<real>(best);
}

// Outputs in row-major order, those whose maximum this value was.
__global__ void max_pool_backward_kernel(Windows s, const real* taps, const real* dy, size_t count, real* dx) {
  const size_t e = element();
  if (e >= count) return;
  const PoolPlace at = pool_place(e, s.h, s.w);
  real sum = 0;
  for (int row = 0; row < s.out_h; ++row) {
    const int a = at.row + s.pad - row * s.stride;
    if (a < 0) break;
    if (a >= s.kernel) continue;
    for (int col = 0; col < s.out_w; ++col) {
      const int b = at.col + s.pad - col * s.stride;
      if (b < 0) break;
      if (b >= s.kernel) continue;
      const size_t o = (at.plane * s.out_h + row) * s.out_w + col;
      if (static_cast<int>(taps[o]) == a * s.kernel + b) sum += dy[o];
    }
  }
  dx[e] = sum;
}

}  // namespace

void avg_pool_forward(View x, View y) {
  PURESCOPE_REQUIRE(x.h == 2 * y.h && x.w == 2 * y.w && y.c == x.c);
  PURESCOPE_LAUNCH(avg_pool_kernel, blocks_of(y.size()), kThreads, 0)(x.data, y.h, y.w, y.size(), y.data);
}

void avg_pool_backward(View dy, View dx) {
  PURESCOPE_LAUNCH(avg_pool_backward_kernel, blocks_of(dx.size()), kThreads, 0)(dy.data, dy.h, dy.w, dx.size(), dx.data);
}

void max_pool_forward(const MaxPool& s, View x, View y, View saved) {
  PURESCOPE_REQUIRE(y.c == x.c && y.h == max_pool_size(s, x.h) && y.w == max_pool_size(s, x.w) && s.pad < s.kernel);
  const Windows windows{s.kernel, s.stride, s.pad, x.h, x.w, y.h, y.w};
  PURESCOPE_LAUNCH(max_pool_kernel, blocks_of(y.size()), kThreads, 0)(windows, x.data, y.size(), y.data, saved.data);
}

void max_pool_backward(const MaxPool& s, View saved, View dy, View dx) {
  const Windows windows{s.kernel, s.stride, s.pad, dx.h, dx.w, dy.h, dy.w};
  PURESCOPE_LAUNCH(max_pool_backward_kernel, blocks_of(dx.size()), kThreads, 0)(windows, saved.data, dy.data, dx.size(), dx.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
