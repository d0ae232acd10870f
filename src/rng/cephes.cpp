#include "rng/cephes.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "rng/fma_clones.h"

namespace purescope {

namespace {
// ln(1 + m) = m - m^2/2 + m^3 P(m) for sqrt(1/2) <= 1 + m < sqrt(2); highest power first (Cephes logf).
constexpr float kLog[9] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f, 1.4249322787e-1f,
                           -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
constexpr int32_t kSqrtHalfBits = std::bit_cast<int32_t>(0.707106781186547524f);
constexpr int32_t kSmallestBits = std::bit_cast<int32_t>(std::numeric_limits<float>::min());
constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;  // their sum is ln 2; the high part has 9 bits
// pi/4 in three parts, negated (Cephes sinf): j times the first two is exact for the j that occur.
constexpr float kMinusQuarterPi[3] = {-0.78515625f, -2.4187564849853515625e-4f, -3.77489497744594108e-8f};
constexpr float kFourOverPi = 1.27323954473516f;
constexpr float kCos[3] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
constexpr float kSin[3] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
}  // namespace

PURESCOPE_FMA_CLONES
void log_lanes(const float* __restrict x, float* __restrict y, int count) {
  for (int i = 0; i < count; ++i) {
    // On bit patterns, which for positive numbers have the order of the numbers: x = half * 2^e, 1/2 <= half < 1.
    const int32_t x_bits = std::bit_cast<int32_t>(x[i]);
    const int32_t bits = x_bits < kSmallestBits ? kSmallestBits : x_bits;
    const int32_t half_bits = (bits & 0x007fffff) | 0x3f000000;
    const int32_t low = (half_bits - kSqrtHalfBits) >> 31;  // -1 where half < sqrt(1/2), else 0
    const float e = static_cast<float>((bits >> 23) - 126 + low);
    const float m = (std::bit_cast<float>(half_bits) - 1.0f) + std::bit_cast<float>(half_bits & low);
    const float z = m * m;
    float p = std::fma(kLog[0], m, kLog[1]);
    p = std::fma(p, m, kLog[2]);
    p = std::fma(p, m, kLog[3]);
    p = std::fma(p, m, kLog[4]);
    p = std::fma(p, m, kLog[5]);
    p = std::fma(p, m, kLog[6]);
    p = std::fma(p, m, kLog[7]);
    p = std::fma(p, m, kLog[8]) * m;
    p = std::fma(p, z, e * kLn2Low);
    p = p - z * 0.5f;
    y[i] = (m + p) + e * kLn2High;
  }
}

PURESCOPE_FMA_CLONES
void sincos_lanes(const float* __restrict x, float* __restrict s, float* __restrict c, int count) {
  for (int i = 0; i < count; ++i) {
    const int32_t j = (static_cast<int32_t>(x[i] * kFourOverPi) + 1) & ~1;  // octant, rounded up to even
    const float octant = static_cast<float>(j);
    float r = std::fma(octant, kMinusQuarterPi[0], x[i]);
    r = std::fma(octant, kMinusQuarterPi[1], r);
    r = std::fma(octant, kMinusQuarterPi[2], r);
    const float z = r * r;
    float cosine = std::fma(kCos[0], z, kCos[1]);
    cosine = std::fma(cosine, z, kCos[2]) * z;
    cosine = std::fma(cosine, z, -(z * 0.5f)) + 1.0f;
    float sine = std::fma(kSin[0], z, kSin[1]);
    sine = std::fma(sine, z, kSin[2]) * z;
    sine = std::fma(sine, r, r);
    // Quadrants: j & 2 swaps the two polynomials; the signs are flipped through the sign bit.
    const uint32_t flip_sine = static_cast<uint32_t>(j & 4) << 29;
    const uint32_t flip_cosine = static_cast<uint32_t>(~(j - 2) & 4) << 29;
    const uint32_t sine_bits = std::bit_cast<uint32_t>((j & 2) != 0 ? cosine : sine);
    const uint32_t cosine_bits = std::bit_cast<uint32_t>((j & 2) != 0 ? sine : cosine);
    s[i] = std::bit_cast<float>(sine_bits ^ flip_sine);
    c[i] = std::bit_cast<float>(cosine_bits ^ flip_cosine);
  }
}

}  // namespace purescope
