// exp(x) as straight-line arithmetic, so that loops over it vectorise: x = n ln 2 + r, |r| <= ln(2) / 2, exp(r) by its Taylor
// polynomial (next term below half an ulp), then n into the exponent. Within 2 ulp of exp over the clamped range; NaN stays NaN.
#pragma once
#include <bit>
#include <cstdint>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

#if PURESCOPE_REAL_IS_DOUBLE
inline real vector_exp(real x) {
  x = x < -708.0 ? -708.0 : x;
  x = x > 709.0 ? 709.0 : x;
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer kept in the low bits
  const double shifted = x * 1.4426950408889634 + magic, n = shifted - magic;
  const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;  // ln 2 in two parts
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const int64_t bits = std::bit_cast<int64_t>(shifted) - std::bit_cast<int64_t>(magic);
  return p * std::bit_cast<double>((bits + 1023) << 52);
}
#else
inline real vector_exp(real x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23
  const float shifted = x * 1.44269504f + magic, n = shifted - magic;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;  // ln 2 in two parts
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const int32_t bits = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(magic);
  return p * std::bit_cast<float>((bits + 127) << 23);
}
#endif

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
