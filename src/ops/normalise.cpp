#include "ops/normalise.h"

#include "core/simd.h"
#include "ops/silu.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kLanes = 8;

Sums total(const accum* a, const accum* b) {
  Sums s;
  for (int k = 0; k < kLanes; ++k) { s.a += a[k]; s.b += b[k]; }
  return s;
}

}  // namespace

PURESCOPE_CLONES
Sums moments(const real* x, size_t count, accum shift) {
  accum a[kLanes] = {}, b[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      const accum v = x[i + k] - shift;
      a[k] += x[i + k];
      b[k] += v * v;
    }
  for (int k = 0; i < count; ++i, ++k) {
    const accum v = x[i] - shift;
    a[k] += x[i];
    b[k] += v * v;
  }
  return total(a, b);
}

PURESCOPE_CLONES
Sums gradient_sums(const real* dy, const real* x, size_t count, accum mean, accum r) {
  accum a[kLanes] = {}, b[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      a[k] += dy[i + k];
      b[k] += dy[i + k] * ((x[i + k] - mean) * r);
    }
  for (int k = 0; i < count; ++i, ++k) {
    a[k] += dy[i];
    b[k] += dy[i] * ((x[i] - mean) * r);
  }
  return total(a, b);
}

PURESCOPE_CLONES
void affine(const real* x, size_t count, real mean, real factor, real offset, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = (x[i] - mean) * factor + offset;
}

PURESCOPE_CLONES
void affine_silu(const real* x, size_t count, real mean, real factor, real offset, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = silu_value((x[i] - mean) * factor + offset);
}

PURESCOPE_CLONES
void affine_silu_gradient(const real* dy, const real* x, size_t count, real mean, real factor, real offset, real* g) {
  for (size_t i = 0; i < count; ++i) g[i] = silu_gradient((x[i] - mean) * factor + offset, dy[i]);
}

PURESCOPE_CLONES
void affine_gradient(const real* dy, const real* x, size_t count, real a, real b, real mean, real c, real* dx) {
#pragma GCC ivdep
  for (size_t i = 0; i < count; ++i) dx[i] = dy[i] * a - b - (x[i] - mean) * c;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
