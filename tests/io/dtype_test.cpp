// Rounding to 16 bits: every value of both formats, every midpoint between neighbours, and what lies just beside it.
#include "io/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace purescope;

namespace {

struct Format {
  const char* name;
  Dtype dtype;
  uint16_t (*bits)(double);
  float (*value)(uint16_t);
  uint16_t infinity;
};
const Format kFormats[] = {{"f16", Dtype::F16, half_bits, half_to_float, 0x7c00},
                           {"bf16", Dtype::BF16, bfloat16_bits, bfloat16_to_float, 0x7f80}};

}  // namespace

// Patterns count through the magnitudes, so p and p + 1 are neighbours; half a unit from the largest one on is infinite, as if
// the pattern of infinity stood for the next power of two.
TEST(Rounding, ToNearestTiesToEven) {
  for (const Format& f : kFormats) {
    SCOPED_TRACE(f.name);
    for (uint32_t p = 0; p < f.infinity; ++p) {
      const uint16_t low = static_cast<uint16_t>(p), high = static_cast<uint16_t>(p + 1), minus = 0x8000;
      const double a = f.value(low), above = 2 * a - f.value(static_cast<uint16_t>(p - (p > 0)));
      const double b = high == f.infinity ? above : f.value(high), middle = (a + b) / 2;  // exact in double
      ASSERT_EQ(f.bits(a), low);
      ASSERT_EQ(f.bits(-a), low | minus);
      ASSERT_EQ(f.bits(middle), p % 2 ? high : low) << p;
      ASSERT_EQ(f.bits(-middle), (p % 2 ? high : low) | minus) << p;
      ASSERT_EQ(f.bits(std::nextafter(middle, 0.0)), low) << p;
      ASSERT_EQ(f.bits(std::nextafter(middle, HUGE_VAL)), high) << p;
    }
    EXPECT_EQ(f.bits(HUGE_VAL), f.infinity);
    EXPECT_EQ(f.bits(-1e300), f.infinity | 0x8000);
    EXPECT_EQ(f.bits(5e-324), 0);
    EXPECT_EQ(f.bits(-5e-324), 0x8000);
    for (const double nan : {std::nan(""), -std::nan("")}) {
      EXPECT_TRUE(std::isnan(f.value(f.bits(nan))));
      EXPECT_EQ(f.bits(nan) >> 15, int(std::signbit(nan)));
    }
  }
}

// Known values, and one that two roundings (to float, then to half) would get wrong.
TEST(Rounding, KnownValues) {
  EXPECT_EQ(half_bits(0.1), 0x2e66);
  EXPECT_EQ(half_bits(65519.999), 0x7bff);
  EXPECT_EQ(half_bits(65520), 0x7c00);
  EXPECT_EQ(half_bits(std::ldexp(1.0, -25)), 0) << "half of the smallest subnormal: to the even one";
  EXPECT_EQ(half_bits(std::ldexp(3.0, -25)), 2);
  EXPECT_EQ(bfloat16_bits(0.1), 0x3dcd);
  EXPECT_EQ(bfloat16_bits(3.4e38), 0x7f80) << "a float, but beyond the largest bfloat16";
  const double once = 1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  EXPECT_EQ(half_bits(once), 0x3c01);
  EXPECT_EQ(half_bits(static_cast<float>(once)), 0x3c00) << "control: two roundings";
}

TEST(Rounding, OfATensor) {
  const double values[] = {1, 1e5, -1e9, 1e-9, 0, HUGE_VAL, -0.1};
  unsigned char bytes[1 + 2 * 7];  // at an odd address
  const Rounding seen = round_to(Dtype::F64, values, 7, Dtype::F16, bytes + 1, "test");
  EXPECT_EQ(seen.to_infinity, 2u);
  EXPECT_EQ(seen.first, 1u);
  EXPECT_EQ(seen.value, 1e5);
  EXPECT_EQ(seen.to_zero, 1u);
  double back[7];
  convert(Dtype::F16, bytes + 1, 7, back, "test");
  for (int i : {0, 4, 5}) EXPECT_EQ(back[i], values[i]);
  EXPECT_EQ(back[6], -0.0999755859375);

  float single[7];
  const Rounding narrow = round_to(Dtype::F64, values, 7, Dtype::F32, single, "test");
  EXPECT_EQ(narrow.to_infinity + narrow.to_zero, 0u);
  EXPECT_EQ(single[6], -0.1f);
  const double beyond = 1e39;
  EXPECT_EQ(round_to(Dtype::F64, &beyond, 1, Dtype::F32, single, "test").to_infinity, 1u);

  // Wider and back: the same bits. Half to bfloat16 rounds to 8 bits.
  const uint16_t half[] = {0x3c01, 0x0001, 0xfbff};
  double wide[3];
  uint16_t again[3], brain[3];
  EXPECT_EQ(round_to(Dtype::F16, half, 3, Dtype::F64, wide, "test").to_infinity, 0u);
  EXPECT_EQ(wide[1], std::ldexp(1.0, -24));
  round_to(Dtype::F64, wide, 3, Dtype::F16, again, "test");
  EXPECT_EQ(std::memcmp(again, half, sizeof(half)), 0);
  round_to(Dtype::F16, half, 3, Dtype::BF16, brain, "test");
  EXPECT_EQ(bfloat16_to_float(brain[0]), 1.0f);
  EXPECT_EQ(bfloat16_to_float(brain[2]), -65536.0f);
}
