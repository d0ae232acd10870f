// One-dimensional transforms, each on kLanes values at a time, and the loops that apply them to the columns and rows of tiles.
#include "ops/winograd_lines.h"

#include <algorithm>

#include "core/simd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// The transforms of one line, on the points 0, 1, -1 and infinity (m = 2), and 2, -2 too (m = 4). in and out are rows of kLanes.
template <int kM> struct Line;

template <>
struct Line<2> {
  static inline __attribute__((always_inline)) void input(const real* __restrict d, ptrdiff_t from, real* __restrict v, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real d0 = d[l], d1 = d[from + l], d2 = d[2 * from + l], d3 = d[3 * from + l];
      v[l] = d0 - d2;
      v[to + l] = d1 + d2;
      v[2 * to + l] = d2 - d1;
      v[3 * to + l] = d1 - d3;
    }
  }
  static inline __attribute__((always_inline)) void output(const real* __restrict p, ptrdiff_t from, real* __restrict y, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real sum = p[from + l] + p[2 * from + l], difference = p[from + l] - p[2 * from + l];
      y[l] = p[l] + sum;
      y[to + l] = difference - p[3 * from + l];
    }
  }
  static inline __attribute__((always_inline)) void output_adjoint(const real* __restrict y, ptrdiff_t from, real* __restrict e, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real y0 = y[l], y1 = y[from + l];
      e[l] = y0;
      e[to + l] = y0 + y1;
      e[2 * to + l] = y0 - y1;
      e[3 * to + l] = -y1;
    }
  }
  static inline __attribute__((always_inline)) void filter(const real* __restrict w, ptrdiff_t from, real* __restrict u, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real w0 = w[l], w1 = w[from + l], w2 = w[2 * from + l];
      u[l] = w0;
      u[to + l] = (w0 + w2 + w1) / 2;
      u[2 * to + l] = (w0 + w2 - w1) / 2;
      u[3 * to + l] = w2;
    }
  }
  static inline __attribute__((always_inline)) void filter_adjoint(const real* __restrict u, ptrdiff_t from, real* __restrict w, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real half = (u[from + l] + u[2 * from + l]) / 2;
      w[l] = u[l] + half;
      w[to + l] = (u[from + l] - u[2 * from + l]) / 2;
      w[2 * to + l] = half + u[3 * from + l];
    }
  }
};

template <>
struct Line<4> {
  static inline __attribute__((always_inline)) void input(const real* __restrict d, ptrdiff_t from, real* __restrict v, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real d0 = d[l], d1 = d[from + l], d2 = d[2 * from + l], d3 = d[3 * from + l], d4 = d[4 * from + l], d5 = d[5 * from + l];
      const real even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, far = 2 * (d3 - d1);
      v[l] = 4 * d0 + (d4 - 5 * d2);
      v[to + l] = even + odd;
      v[2 * to + l] = even - odd;
      v[3 * to + l] = near + far;
      v[4 * to + l] = near - far;
      v[5 * to + l] = 4 * d1 + (d5 - 5 * d3);
    }
  }
  static inline __attribute__((always_inline)) void output(const real* __restrict p, ptrdiff_t from, real* __restrict y, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real p1 = p[from + l], p2 = p[2 * from + l], p3 = p[3 * from + l], p4 = p[4 * from + l];
      const real near = p1 + p2, turn = p1 - p2, far = p3 + p4, twist = p3 - p4;
      y[l] = p[l] + near + far;
      y[to + l] = turn + 2 * twist;
      y[2 * to + l] = near + 4 * far;
      y[3 * to + l] = turn + 8 * twist + p[5 * from + l];
    }
  }
  static inline __attribute__((always_inline)) void output_adjoint(const real* __restrict y, ptrdiff_t from, real* __restrict e, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real y0 = y[l], y1 = y[from + l], y2 = y[2 * from + l], y3 = y[3 * from + l];
      const real even = y0 + y2, odd = y1 + y3, even2 = y0 + 4 * y2, odd2 = 2 * y1 + 8 * y3;
      e[l] = y0;
      e[to + l] = even + odd;
      e[2 * to + l] = even - odd;
      e[3 * to + l] = even2 + odd2;
      e[4 * to + l] = even2 - odd2;
      e[5 * to + l] = y3;
    }
  }
  static inline __attribute__((always_inline)) void filter(const real* __restrict w, ptrdiff_t from, real* __restrict u, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real w0 = w[l], w1 = w[from + l], w2 = w[2 * from + l];
      const real even = (w0 + w2) / 6, odd = w1 / 6, even2 = w0 / 24 + w2 / 6, odd2 = w1 / 12;
      u[l] = w0 / 4;
      u[to + l] = -(even + odd);
      u[2 * to + l] = odd - even;
      u[3 * to + l] = even2 + odd2;
      u[4 * to + l] = even2 - odd2;
      u[5 * to + l] = w2;
    }
  }
  static inline __attribute__((always_inline)) void filter_adjoint(const real* __restrict u, ptrdiff_t from, real* __restrict w, ptrdiff_t to) {
    for (int l = 0; l < kLanes; ++l) {
      const real near = (u[from + l] + u[2 * from + l]) / 6, turn = (u[2 * from + l] - u[from + l]) / 6;
      const real far = (u[3 * from + l] + u[4 * from + l]) / 6, twist = (u[3 * from + l] - u[4 * from + l]) / 12;
      w[l] = u[l] / 4 - near + far / 4;
      w[to + l] = turn + twist;
      w[2 * to + l] = far - near + u[5 * from + l];
    }
  }
};

typedef real Four __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

// to[j * to_stride + i] = from[i * from_stride + j] for i, j < 4.
inline __attribute__((always_inline)) void transpose_four(const real* from, ptrdiff_t from_stride, real* to, ptrdiff_t to_stride) {
  const Four a = *reinterpret_cast<const Four*>(from), b = *reinterpret_cast<const Four*>(from + from_stride);
  const Four c = *reinterpret_cast<const Four*>(from + 2 * from_stride), d = *reinterpret_cast<const Four*>(from + 3 * from_stride);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *reinterpret_cast<Four*>(to) = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  *reinterpret_cast<Four*>(to + to_stride) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  *reinterpret_cast<Four*>(to + 2 * to_stride) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  *reinterpret_cast<Four*>(to + 3 * to_stride) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

// out[x, lane] = from[lane * plane + x] for x in [begin, end), zero for lanes >= channels.
inline __attribute__((always_inline)) void lanes_of_row(const real* from, ptrdiff_t plane, int channels, int begin, int end, real* out) {
  int x = begin;
  if (channels >= kLanes)
    for (; x + 4 <= end; x += 4)
      for (int l = 0; l < kLanes; l += 4) transpose_four(from + l * plane + x, plane, out + x * kLanes + l, kLanes);
  for (; x < end; ++x)
    for (int l = 0; l < kLanes; ++l) out[x * kLanes + l] = l < channels ? from[l * plane + x] : real(0);
}

}  // namespace

PURESCOPE_CLONES
void load_rows(const real* planes, int channels, int h, int w, int top, int left, int rows, int columns, real* out) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(h) * w;
  const int begin = std::clamp(-left, 0, columns), end = std::clamp(w - left, begin, columns);
  for (int r = 0; r < rows; ++r, out += static_cast<ptrdiff_t>(columns) * kLanes) {
    const int y = top + r;
    if (y < 0 || y >= h) {
      std::fill_n(out, static_cast<ptrdiff_t>(columns) * kLanes, real(0));
      continue;
    }
    std::fill_n(out, begin * kLanes, real(0));
    std::fill_n(out + end * kLanes, (columns - end) * kLanes, real(0));
    lanes_of_row(planes + static_cast<ptrdiff_t>(y) * w + left, plane, channels, begin, end, out);
  }
}

PURESCOPE_CLONES
void store_rows(const real* rows, int columns, int top, int count, const real* bias, int channels, int h, int w, real* planes) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(h) * w;
  real offset[kLanes] = {}, turned[4 * kLanes];
  if (bias) std::copy_n(bias, channels, offset);
  for (int r = 0; r < std::min(count, h - top); ++r) {
    const real* from = rows + static_cast<ptrdiff_t>(r) * columns * kLanes;
    real* to = planes + static_cast<ptrdiff_t>(top + r) * w;
    int x = 0;
    for (; x + 4 <= w; x += 4) {
      for (int k = 0; k < 4; ++k)
        for (int l = 0; l < kLanes; ++l) turned[k * kLanes + l] = from[(x + k) * kLanes + l] + offset[l];
      if (channels == kLanes)
        for (int l = 0; l < kLanes; l += 4) transpose_four(turned + l, kLanes, to + l * plane + x, plane);
      else
        for (int l = 0; l < channels; ++l)
          for (int k = 0; k < 4; ++k) to[l * plane + x + k] = turned[k * kLanes + l];
    }
    for (; x < w; ++x)
      for (int l = 0; l < channels; ++l) to[l * plane + x] = from[x * kLanes + l] + offset[l];
  }
}

namespace {

template <int kM>
inline __attribute__((always_inline)) void input_tiles_of(const real* rows, int tiles, real* work, const Places& v) {
  constexpr int kP = kM + 2;
  const ptrdiff_t columns = static_cast<ptrdiff_t>(kM) * tiles + 2, row = columns * kLanes;
  for (ptrdiff_t x = 0; x < row; x += kLanes) Line<kM>::input(rows + x, row, work + x, row);
  for (int t = 0; t < tiles; ++t)
    for (int r = 0; r < kP; ++r)
      Line<kM>::input(work + r * row + t * kM * kLanes, kLanes, v.data + t * v.tile + r * kP * v.place, v.place);
}

template <int kM>
inline __attribute__((always_inline)) void output_tiles_of(const Places& products, int tiles, real* rows) {
  constexpr int kP = kM + 2;
  const ptrdiff_t row = static_cast<ptrdiff_t>(kM) * tiles * kLanes;
  alignas(64) real half[kM * kP * kLanes];
  for (int t = 0; t < tiles; ++t) {
    for (int c = 0; c < kP; ++c)
      Line<kM>::output(products.data + t * products.tile + c * products.place, kP * products.place, half + c * kLanes, kP * kLanes);
    for (int r = 0; r < kM; ++r) Line<kM>::output(half + r * kP * kLanes, kLanes, rows + r * row + t * kM * kLanes, kLanes);
  }
}

template <int kM>
inline __attribute__((always_inline)) void output_tiles_adjoint_of(const real* rows, int tiles, real* work, const Places& e) {
  constexpr int kP = kM + 2;
  const ptrdiff_t row = static_cast<ptrdiff_t>(kM) * tiles * kLanes;
  for (ptrdiff_t x = 0; x < row; x += kLanes) Line<kM>::output_adjoint(rows + x, row, work + x, row);
  for (int t = 0; t < tiles; ++t)
    for (int r = 0; r < kP; ++r)
      Line<kM>::output_adjoint(work + r * row + t * kM * kLanes, kLanes, e.data + t * e.tile + r * kP * e.place, e.place);
}

template <int kM>
inline __attribute__((always_inline)) void filter_tile_of(const real* w, real* u) {
  constexpr int kP = kM + 2;
  alignas(64) real half[kP * 3 * kLanes];
  for (int c = 0; c < 3; ++c) Line<kM>::filter(w + c * kLanes, 3 * kLanes, half + c * kLanes, 3 * kLanes);
  for (int r = 0; r < kP; ++r) Line<kM>::filter(half + r * 3 * kLanes, kLanes, u + r * kP * kLanes, kLanes);
}

template <int kM>
inline __attribute__((always_inline)) void filter_tile_adjoint_of(const Places& du, real* dw) {
  constexpr int kP = kM + 2;
  alignas(64) real half[3 * kP * kLanes];
  for (int c = 0; c < kP; ++c) Line<kM>::filter_adjoint(du.data + c * du.place, kP * du.place, half + c * kLanes, kP * kLanes);
  for (int r = 0; r < 3; ++r) Line<kM>::filter_adjoint(half + r * kP * kLanes, kLanes, dw + r * 3 * kLanes, kLanes);
}

}  // namespace

PURESCOPE_CLONES
void input_tiles(int m, const real* rows, int tiles, real* work, const Places& v) {
  if (m == 2) input_tiles_of<2>(rows, tiles, work, v);
  else input_tiles_of<4>(rows, tiles, work, v);
}

PURESCOPE_CLONES
void output_tiles(int m, const Places& products, int tiles, real* rows) {
  if (m == 2) output_tiles_of<2>(products, tiles, rows);
  else output_tiles_of<4>(products, tiles, rows);
}

PURESCOPE_CLONES
void output_tiles_adjoint(int m, const real* rows, int tiles, real* work, const Places& e) {
  if (m == 2) output_tiles_adjoint_of<2>(rows, tiles, work, e);
  else output_tiles_adjoint_of<4>(rows, tiles, work, e);
}

PURESCOPE_CLONES
void filter_tile(int m, const real* w, real* u) {
  if (m == 2) filter_tile_of<2>(w, u);
  else filter_tile_of<4>(w, u);
}

PURESCOPE_CLONES
void filter_tile_adjoint(int m, const Places& du, real* dw) {
  if (m == 2) filter_tile_adjoint_of<2>(du, dw);
  else filter_tile_adjoint_of<4>(du, dw);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
