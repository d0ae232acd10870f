// The inner loops that group and batch normalisation share, over one contiguous run of values. Sums are taken in double as eight
// interleaved partial sums: quick, and always in one order.
#pragma once
#include <cstddef>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct Sums { accum a = 0, b = 0; };

// (sum x, sum (x - shift)^2).
Sums moments(const real* x, size_t count, accum shift);
// (sum dy, sum dy * xh), xh = (x - mean) * r.
Sums gradient_sums(const real* dy, const real* x, size_t count, accum mean, accum r);
// y = (x - mean) * factor + offset.
void affine(const real* x, size_t count, real mean, real factor, real offset, real* y);
// y = silu((x - mean) * factor + offset).
void affine_silu(const real* x, size_t count, real mean, real factor, real offset, real* y);
// g = dy * silu'((x - mean) * factor + offset).
void affine_silu_gradient(const real* dy, const real* x, size_t count, real mean, real factor, real offset, real* g);
// dx = dy * a - b - (x - mean) * c. dx may be dy.
void affine_gradient(const real* dy, const real* x, size_t count, real a, real b, real mean, real c, real* dx);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
