// Pooling over windows: the mean of 2 x 2 blocks and the maximum of padded windows.
#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// The tap (row-major in the window at output (row, col)) with the largest value of one plane; a NaN wins, taps in the padding do not
// count.
int largest_tap(const MaxPool& s, const real* plane, int h, int w, int row, int col) {
  int best = -1;
  real value = 0;
  for (int a = 0; a < s.kernel; ++a)
    for (int b = 0; b < s.kernel; ++b) {
      const int r = row * s.stride + a - s.pad, c = col * s.stride + b - s.pad;
      if (r < 0 || r >= h || c < 0 || c >= w) continue;
      const real v = plane[r * w + c];
      if (best < 0 || v > value || std::isnan(v)) { best = a * s.kernel + b; value = v; }
    }
  return best;
}

// Place in the plane of a tap of the window at output (row, col).
int tap_place(const MaxPool& s, int tap, int w, int row, int col) {
  return (row * s.stride + tap / s.kernel - s.pad) * w + col * s.stride + tap % s.kernel - s.pad;
}

}  // namespace

namespace cpu {

void avg_pool_forward(View x, View y) {
  PURESCOPE_REQUIRE(x.h == 2 * y.h && x.w == 2 * y.w && y.c == x.c);
  parallel_for(x.n * x.c, [&](int plane) {
    const real* from = x.plane(plane / x.c, plane % x.c);
    real* to = y.plane(plane / x.c, plane % x.c);
    for (int row = 0; row < y.h; ++row)
      for (int col = 0; col < y.w; ++col) {
        const real* p = from + 2 * row * x.w + 2 * col;
        to[row * y.w + col] = ((p[0] + p[1]) + (p[x.w] + p[x.w + 1])) * real(0.25);
      }
  });
}

void avg_pool_backward(View dy, View dx) {
  parallel_for(dx.n * dx.c, [&](int plane) {
    const real* from = dy.plane(plane / dx.c, plane % dx.c);
    real* to = dx.plane(plane / dx.c, plane % dx.c);
    for (int row = 0; row < dx.h; ++row)
      for (int col = 0; col < dx.w; ++col) to[row * dx.w + col] = from[row / 2 * dy.w + col / 2] * real(0.25);
  });
}

void max_pool_forward(const MaxPool& s, View x, View y, View saved) {
  PURESCOPE_REQUIRE(y.c == x.c && y.h == max_pool_size(s, x.h) && y.w == max_pool_size(s, x.w) && s.pad < s.kernel);
  const size_t pixels = static_cast<size_t>(y.h) * y.w;
  parallel_for(x.n * x.c, [&](int plane) {
    const real* from = x.plane(plane / x.c, plane % x.c);
    real *to = y.plane(plane / x.c, plane % x.c), *taps = saved.image(plane / x.c) + plane % x.c * pixels;
    for (int row = 0; row < y.h; ++row)
      for (int col = 0; col < y.w; ++col) {
        const int tap = largest_tap(s, from, x.h, x.w, row, col);
        taps[row * y.w + col] = static_cast<real>(tap);
        to[row * y.w + col] = from[tap_place(s, tap, x.w, row, col)];
      }
  });
}

void max_pool_backward(const MaxPool& s, View saved, View dy, View dx) {
  const size_t pixels = static_cast<size_t>(dy.h) * dy.w;
  parallel_for(dx.n * dx.c, [&](int plane) {
    const real *from = dy.plane(plane / dx.c, plane % dx.c), *taps = saved.image(plane / dx.c) + plane % dx.c * pixels;
    real* to = dx.plane(plane / dx.c, plane % dx.c);
    std::fill_n(to, static_cast<size_t>(dx.h) * dx.w, real(0));
    for (int row = 0; row < dy.h; ++row)
      for (int col = 0; col < dy.w; ++col) {
        const int tap = static_cast<int>(taps[row * dy.w + col]);
        to[tap_place(s, tap, dx.w, row, col)] += from[row * dy.w + col];
      }
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
