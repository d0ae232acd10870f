// Sums, copies, concatenation, broadcasts and fixed affine maps.
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

}  // namespace

namespace cpu {

void add_forward(View a, View b, View y) {
  parallel_for(a.n, [&](int n) { sum(a.image(n), b.image(n), a.image_size(), y.image(n)); });
}

void copy_forward(View x, View y) {
  parallel_for(x.n, [&](int n) { std::memcpy(y.image(n), x.image(n), x.image_size() * sizeof(real)); });
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
  parallel_for(x.n, [&](int n) {
    for (int c = 0; c < x.c; ++c) shift(x.plane(n, c), v.image(n)[c], pixels, y.plane(n, c));
  });
}

void add_channel_backward(View dy, View dx, View dv) {
  if (!dx.empty()) cpu::copy_forward(dy, dx);
  if (dv.empty()) return;
  const size_t pixels = static_cast<size_t>(dy.h) * dy.w;
  parallel_for(dy.n, [&](int n) {
    for (int c = 0; c < dy.c; ++c) dv.image(n)[c] = static_cast<real>(moments(dy.plane(n, c), pixels, 0).a);
  });
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
