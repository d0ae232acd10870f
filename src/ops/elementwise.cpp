// Sums, copies, concatenation, broadcasts and fixed affine maps.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "ops/normalise.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

PURESCOPE_CLONES
void sum(const real* a, const real* b, size_t count, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

PURESCOPE_CLONES
void shift(const real* x, real offset, size_t count, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = x[i] + offset;
}

PURESCOPE_CLONES
void multiply_add(const real* x, real factor, real offset, size_t count, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = x[i] * factor + offset;
}

constexpr size_t kBlock = 1 << 15;  // values per task; every value is computed alone, so the edges change nothing
constexpr int kPlanes = 32;         // channels per task

// run(first, count) over blocks of `size` values.
template <class Run>
void for_blocks(size_t size, const Run& run) {
  parallel_for(static_cast<int>((size + kBlock - 1) / kBlock), [&](int task) {
    const size_t first = task * kBlock;
    run(first, std::min(kBlock, size - first));
  });
}

// run(n, c) for every channel of every image.
template <class Run>
void for_planes(int images, int channels, const Run& run) {
  const int blocks = (channels + kPlanes - 1) / kPlanes;
  parallel_for(images * blocks, [&](int task) {
    const int first = task % blocks * kPlanes;
    for (int c = first; c < std::min(first + kPlanes, channels); ++c) run(task / blocks, c);
  });
}

}  // namespace

namespace cpu {

void add_forward(View a, View b, View y) {
  for_blocks(y.size(), [&](size_t first, size_t count) { sum(a.data + first, b.data + first, count, y.data + first); });
}

void copy_forward(View x, View y) {
  for_blocks(x.size(), [&](size_t first, size_t count) { std::memcpy(y.data + first, x.data + first, count * sizeof(real)); });
}

void concat_forward(View a, View b, View y) {
  PURESCOPE_REQUIRE(y.c == a.c + b.c && a.n == b.n && a.h == b.h && a.w == b.w);
  parallel_for(y.n, [&](int n) {
    std::memcpy(y.image(n), a.image(n), a.image_size() * sizeof(real));
    std::memcpy(y.image(n) + a.image_size(), b.image(n), b.image_size() * sizeof(real));
  });
}

void concat_backward(View dy, View da, View db) {
  // Either part may be empty; the other one then says where the cut is.
  const size_t cut = !da.empty() ? da.image_size() : dy.image_size() - db.image_size();
  parallel_for(dy.n, [&](int n) {
    if (!da.empty()) std::memcpy(da.image(n), dy.image(n), cut * sizeof(real));
    if (!db.empty()) std::memcpy(db.image(n), dy.image(n) + cut, (dy.image_size() - cut) * sizeof(real));
  });
}

void add_channel_forward(View x, View v, View y) {
  PURESCOPE_REQUIRE(v.image_size() == static_cast<size_t>(x.c));
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  for_planes(x.n, x.c, [&](int n, int c) { shift(x.plane(n, c), v.image(n)[c], pixels, y.plane(n, c)); });
}

void add_channel_backward(View dy, View dx, View dv) {
  if (!dx.empty()) cpu::copy_forward(dy, dx);
  if (dv.empty()) return;
  const size_t pixels = static_cast<size_t>(dy.h) * dy.w;
  for_planes(dy.n, dy.c, [&](int n, int c) { dv.image(n)[c] = static_cast<real>(moments(dy.plane(n, c), pixels, 0).a); });
}

void scale_shift_forward(View x, View e, View y) {
  PURESCOPE_REQUIRE(e.image_size() == 2 * static_cast<size_t>(x.c));
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  parallel_for(x.n, [&](int n) {
    for (int c = 0; c < x.c; ++c) multiply_add(x.plane(n, c), 1 + e.image(n)[c], e.image(n)[x.c + c], pixels, y.plane(n, c));
  });
}

void scale_shift_backward(View x, View e, View dy, View dx, View de) {
  const size_t pixels = static_cast<size_t>(dy.h) * dy.w;
  parallel_for(dy.n, [&](int n) {
    for (int c = 0; c < dy.c; ++c) {
      if (!dx.empty()) multiply_add(dy.plane(n, c), 1 + e.image(n)[c], 0, pixels, dx.plane(n, c));
      if (de.empty()) continue;
      const Sums sums = gradient_sums(dy.plane(n, c), x.plane(n, c), pixels, 0, 1);
      de.image(n)[c] = static_cast<real>(sums.b);
      de.image(n)[dy.c + c] = static_cast<real>(sums.a);
    }
  });
}

void time_embedding_forward(const TimeEmbedding& s, View t, View y) {
  const int half = s.dim / 2;
  for (int n = 0; n < t.n; ++n)
    for (int i = 0; i < half; ++i) {
      const double angle = static_cast<double>(t.image(n)[0]) * std::exp(-i * std::log(10000.0) / s.divisor);
      y.image(n)[s.sin_first ? i : half + i] = static_cast<real>(std::sin(angle));
      y.image(n)[s.sin_first ? half + i : i] = static_cast<real>(std::cos(angle));
    }
}

void normalize_forward(const Normalize& s, View x, View y) {
  PURESCOPE_REQUIRE(x.c == 3);
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  parallel_for(x.n, [&](int n) {
    for (int c = 0; c < 3; ++c)
      for (size_t i = 0; i < pixels; ++i) y.plane(n, c)[i] = (x.plane(n, c)[i] - s.mean[c]) / s.std[c];
  });
}

void normalize_backward(const Normalize& s, View dy, View dx) {
  const size_t pixels = static_cast<size_t>(dy.h) * dy.w;
  parallel_for(dy.n, [&](int n) {
    for (int c = 0; c < 3; ++c)
      for (size_t i = 0; i < pixels; ++i) dx.plane(n, c)[i] = dy.plane(n, c)[i] / s.std[c];
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
