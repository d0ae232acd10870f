#include "rng/native.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "core/check.h"

namespace purescope {

namespace {
constexpr size_t kStrip = 256;  // Philox blocks computed together

struct Strip {
  uint32_t w[4][kStrip];
};

// Words of blocks first, first + 1, ..., first + count - 1.
void fill_strip(const NativeCounter& counter, size_t first, size_t count, Strip& strip) {
  for (size_t j = 0; j < count; ++j) {
    strip.w[0][j] = static_cast<uint32_t>(first + j);
    strip.w[1][j] = counter.c1;
    strip.w[2][j] = counter.c2;
    strip.w[3][j] = counter.c3;
  }
  philox_lanes(counter.key, strip.w[0], strip.w[1], strip.w[2], strip.w[3], static_cast<int>(count));
}

// The upper 53 bits of two words, as an integer below 2^53.
double upper_bits(uint32_t high, uint32_t low) {
  return static_cast<double>((static_cast<uint64_t>(high) << 32 | low) >> 11);
}

void check_count(size_t count) {
  if (count >> 33 != 0)
    fail(kUsage, "a random draw of more than 2^33 values", std::to_string(count) + " values", "draw smaller tensors");
}
}  // namespace

NativeCounter native_counter(int64_t seed, Domain domain, int64_t image, uint64_t draw, int64_t t) {
  if (image < 0 || image >> 32 != 0 || draw >> 40 != 0 || t < 0 || t >> 20 != 0)
    fail(kUsage, "the key of a random draw is out of range",
         "image " + std::to_string(image) + ", draw " + std::to_string(draw) + ", step " + std::to_string(t),
         "native streams need 0 <= image < 2^32, draw < 2^40 and 0 <= step < 2^20");
  return {static_cast<uint64_t>(seed), static_cast<uint32_t>(image),
          static_cast<uint32_t>(t) | static_cast<uint32_t>(domain) << 20 | static_cast<uint32_t>(draw >> 32) << 24,
          static_cast<uint32_t>(draw)};
}

void native_uniform(const NativeCounter& counter, float* out, size_t count) {
  check_count(count);
  Strip strip;
  const size_t blocks = (count + 3) / 4;
  for (size_t first = 0; first < blocks; first += kStrip) {
    fill_strip(counter, first, std::min(kStrip, blocks - first), strip);
    const size_t end = std::min(count, 4 * (first + kStrip));
    for (size_t i = 4 * first; i < end; ++i)
      out[i] = static_cast<float>(strip.w[i % 4][i / 4 - first] >> 8) * 0x1p-24f;
  }
}

void native_normal(const NativeCounter& counter, float* out, size_t count) {
  check_count(count);
  Strip strip;
  const size_t blocks = (count + 1) / 2;
  for (size_t first = 0; first < blocks; first += kStrip) {
    const size_t here = std::min(kStrip, blocks - first);
    fill_strip(counter, first, here, strip);
    for (size_t j = 0; j < here; ++j) {
      const double u = (upper_bits(strip.w[0][j], strip.w[1][j]) + 1.0) * 0x1p-53;
      const double angle = 2.0 * std::numbers::pi * (upper_bits(strip.w[2][j], strip.w[3][j]) * 0x1p-53);
      const double radius = std::sqrt(-2.0 * std::log(u));
      const size_t i = 2 * (first + j);
      out[i] = static_cast<float>(radius * std::cos(angle));
      if (i + 1 < count) out[i + 1] = static_cast<float>(radius * std::sin(angle));
    }
  }
}

}  // namespace purescope
