// Bilinear resampling with half-pixel centres. Along one axis, output i reads source coordinate
//   p = max((i + 1/2) in/out - 1/2, 0):   y_i = (1 - w) x_k + w x_min(k+1, in-1),   k = floor(p), w = p - k
#include <algorithm>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

struct Tap { int low, high; real weight; };  // weight of `high`

std::vector<Tap> taps(int in, int out) {
  std::vector<Tap> list;
  for (int i = 0; i < out; ++i) {
    const double p = std::max((i + 0.5) * in / out - 0.5, 0.0);
    const int low = std::min(static_cast<int>(p), in - 1);
    list.push_back({low, std::min(low + 1, in - 1), static_cast<real>(p - low)});
  }
  return list;
}

}  // namespace

namespace cpu {

void resize_bilinear_forward(View x, View y) {
  PURESCOPE_REQUIRE(x.n == y.n && x.c == y.c);
  const std::vector<Tap> rows = taps(x.h, y.h), columns = taps(x.w, y.w);
  parallel_for(x.n * x.c, [&](int plane) {
    const real* from = x.plane(plane / x.c, plane % x.c);
    real* to = y.plane(plane / x.c, plane % x.c);
    for (const Tap& r : rows) {
      const real *top = from + static_cast<size_t>(r.low) * x.w, *bottom = from + static_cast<size_t>(r.high) * x.w;
      for (const Tap& c : columns) {
        const real above = (1 - c.weight) * top[c.low] + c.weight * top[c.high];
        const real below = (1 - c.weight) * bottom[c.low] + c.weight * bottom[c.high];
        *to++ = (1 - r.weight) * above + r.weight * below;
      }
    }
  });
}

void resize_bilinear_backward(View dy, View dx) {
  const std::vector<Tap> rows = taps(dx.h, dy.h), columns = taps(dx.w, dy.w);
  parallel_for(dx.n * dx.c, [&](int plane) {
    const real* from = dy.plane(plane / dx.c, plane % dx.c);
    real* to = dx.plane(plane / dx.c, plane % dx.c);
    std::fill_n(to, static_cast<size_t>(dx.h) * dx.w, real(0));
    for (const Tap& r : rows) {
      real *top = to + static_cast<size_t>(r.low) * dx.w, *bottom = to + static_cast<size_t>(r.high) * dx.w;
      for (const Tap& c : columns) {
        const real above = (1 - r.weight) * *from, below = r.weight * *from;
        top[c.low] += (1 - c.weight) * above;
        top[c.high] += c.weight * above;
        bottom[c.low] += (1 - c.weight) * below;
        bottom[c.high] += c.weight * below;
        ++from;
      }
    }
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
