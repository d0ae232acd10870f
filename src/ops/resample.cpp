// Changes of resolution: nearest upsampling, global average, strided subsampling with zero channels.
#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace cpu {

void upsample_nearest_forward(View x, View y) {
  PURESCOPE_REQUIRE(y.h == 2 * x.h && y.w == 2 * x.w && y.c == x.c);
  parallel_for(x.n, [&](int n) {
    for (int c = 0; c < x.c; ++c)
      for (int row = 0; row < y.h; ++row)
        for (int col = 0; col < y.w; ++col) y.plane(n, c)[row * y.w + col] = x.plane(n, c)[row / 2 * x.w + col / 2];
  });
}

void upsample_nearest_backward(View dy, View dx) {
  parallel_for(dx.n, [&](int n) {
    for (int c = 0; c < dx.c; ++c)
      for (int row = 0; row < dx.h; ++row)
        for (int col = 0; col < dx.w; ++col) {
          const real* p = dy.plane(n, c) + 2 * row * dy.w + 2 * col;
          dx.plane(n, c)[row * dx.w + col] = (p[0] + p[1]) + (p[dy.w] + p[dy.w + 1]);
        }
  });
}

void global_avg_pool_forward(View x, View y) {
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  parallel_for(x.n, [&](int n) {
    for (int c = 0; c < x.c; ++c) {
      accum total = 0;
      for (size_t i = 0; i < pixels; ++i) total += x.plane(n, c)[i];
      y.image(n)[c] = static_cast<real>(total / pixels);
    }
  });
}

void global_avg_pool_backward(View dy, View dx) {
  const size_t pixels = static_cast<size_t>(dx.h) * dx.w;
  parallel_for(dx.n, [&](int n) {
    for (int c = 0; c < dx.c; ++c) std::fill_n(dx.plane(n, c), pixels, dy.image(n)[c] / static_cast<real>(pixels));
  });
}

void subsample_pad_forward(const SubsamplePad& s, View x, View y) {
  PURESCOPE_REQUIRE(y.c == x.c + s.before + s.after && y.h == (x.h + s.stride - 1) / s.stride && y.w == (x.w + s.stride - 1) / s.stride);
  parallel_for(y.n, [&](int n) {
    for (int c = 0; c < y.c; ++c) {
      const bool copied = c >= s.before && c < s.before + x.c;
      for (int row = 0; row < y.h; ++row)
        for (int col = 0; col < y.w; ++col)
          y.plane(n, c)[row * y.w + col] = copied ? x.plane(n, c - s.before)[row * s.stride * x.w + col * s.stride] : 0;
    }
  });
}

void subsample_pad_backward(const SubsamplePad& s, View dy, View dx) {
  std::fill_n(dx.data, dx.size(), real(0));
  parallel_for(dx.n, [&](int n) {
    for (int c = 0; c < dx.c; ++c)
      for (int row = 0; row < dy.h; ++row)
        for (int col = 0; col < dy.w; ++col)
          dx.plane(n, c)[row * s.stride * dx.w + col * s.stride] = dy.plane(n, c + s.before)[row * dy.w + col];
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
