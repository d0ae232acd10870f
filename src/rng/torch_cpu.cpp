#include "rng/torch_cpu.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/check.h"
#include "rng/cephes.h"
#include "rng/fma_clones.h"

namespace purescope {

namespace {
constexpr size_t kGroup = 16;         // values per Box-Muller group: j and j + 8 are one pair
constexpr size_t kStrip = 16 * kGroup;  // groups handled together, so that loops are long enough to vectorize
constexpr double kTwoPi = 2.0 * std::numbers::pi;

// out = x (hi - lo) + lo in one rounding. In place.
PURESCOPE_FMA_CLONES
void scale_fused(float* out, size_t n, float range, float lo) {
  for (size_t i = 0; i < n; ++i) out[i] = std::fma(out[i], range, lo);
}

// d[j] = r cos th std + mean, d[j + 8] = r sin th std + mean, r = sqrt(-2 ln(1 - d[j])), th = 2 pi d[j + 8], j = 0..7,
// in each group of 16. `n` is a multiple of 16 and at most kStrip. In place.
PURESCOPE_FMA_CLONES
void box_muller_avx2(float* d, size_t n, float mean, float std) {
  alignas(64) float radius[kStrip / 2], angle[kStrip / 2], sine[kStrip / 2] = {}, cosine[kStrip / 2];
  const int pairs = static_cast<int>(n / 2);
  for (int i = 0; i < pairs; ++i) {
    const float* group = d + i / 8 * kGroup;
    angle[i] = static_cast<float>(kTwoPi) * group[i % 8 + 8];
    sine[i] = 1.0f - group[i % 8];
  }
  log_lanes(sine, radius, pairs);
  sincos_lanes(angle, sine, cosine, pairs);
  for (int i = 0; i < pairs; ++i) radius[i] = std::sqrt(-2.0f * radius[i]);
  for (int i = 0; i < pairs; ++i) {
    float* group = d + i / 8 * kGroup;
    group[i % 8] = std::fma(radius[i] * cosine[i], std, mean);
    group[i % 8 + 8] = std::fma(radius[i] * sine[i], std, mean);
  }
}

// The same with the C library's functions and no fused operation; the angle is formed in double and then rounded.
void box_muller_default(float* d, size_t n, float mean, float std) {
  for (float* group = d; group < d + n; group += kGroup) {
    for (int j = 0; j < 8; ++j) {
      const float radius = std::sqrt(-2.0f * std::log(1.0f - group[j]));
      const float angle = static_cast<float>(kTwoPi * static_cast<double>(group[j + 8]));
      group[j] = radius * std::cos(angle) * std + mean;
      group[j + 8] = radius * std::sin(angle) * std + mean;
    }
  }
}

// The same in double; only the last step differs between the two kinds of kernels.
void box_muller_double(double* d, size_t n, double mean, double std, bool fused) {
  for (double* group = d; group < d + n; group += kGroup) {
    for (int j = 0; j < 8; ++j) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - group[j]));
      const double angle = kTwoPi * group[j + 8];
      const double a = radius * std::cos(angle), b = radius * std::sin(angle);
      group[j] = fused ? std::fma(a, std, mean) : a * std + mean;
      group[j + 8] = fused ? std::fma(b, std, mean) : b * std + mean;
    }
  }
}
}  // namespace

TorchCpuGenerator::TorchCpuGenerator(uint64_t seed, TorchKernels kernels)
    : engine_(static_cast<uint32_t>(seed)), kernels_(kernels) {}

uint64_t TorchCpuGenerator::double_word() {
  const uint64_t high = word();
  return high << 32 | word();
}

void TorchCpuGenerator::rand(float* out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = unit_float();
}

void TorchCpuGenerator::rand(double* out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = unit_double();
}

void TorchCpuGenerator::uniform(float* out, size_t n, float lo, float hi) {
  rand(out, n);
  const float range = hi - lo;
  if (kernels_ == TorchKernels::Avx2) return scale_fused(out, n, range, lo);
  for (size_t i = 0; i < n; ++i) out[i] = out[i] * range + lo;
}

void TorchCpuGenerator::uniform(double* out, size_t n, double lo, double hi) {
  rand(out, n);
  const double range = hi - lo;
  const bool fused = kernels_ == TorchKernels::Avx2;
  for (size_t i = 0; i < n; ++i) out[i] = fused ? std::fma(out[i], range, lo) : out[i] * range + lo;
}

void TorchCpuGenerator::rand_scaled(float* out, size_t n, double lo, double hi) {
  rand(out, n);
  const float range = static_cast<float>(hi - lo), low = static_cast<float>(lo);  // Python subtracts in double
  for (size_t i = 0; i < n; ++i) out[i] = out[i] * range + low;
}

// r cos(2 pi a) with r = sqrt(-2 ln(1 - b)) from two 53-bit uniforms a, b; r sin(2 pi a) waits for the next call.
double TorchCpuGenerator::scalar_normal() {
  if (waiting_) return *std::exchange(waiting_, std::nullopt);
  const double a = unit_double(), b = unit_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-b)), angle = kTwoPi * a;
  waiting_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

void TorchCpuGenerator::normal(float* out, size_t n, double mean, double std) {
  const bool avx2 = kernels_ == TorchKernels::Avx2;
  if (n < kGroup) {
    for (size_t i = 0; i < n; ++i) {
      const double v = scalar_normal();
      out[i] = static_cast<float>(avx2 ? std::fma(v, std, mean) : v * std + mean);
    }
    return;
  }
  const auto box_muller = avx2 ? box_muller_avx2 : box_muller_default;
  const float m = static_cast<float>(mean), s = static_cast<float>(std);
  rand(out, n);
  const size_t full = n - n % kGroup;
  for (size_t i = 0; i < full; i += kStrip) box_muller(out + i, std::min(kStrip, full - i), m, s);
  if (full < n) {  // the last 16 slots are drawn again, over values that were finished
    rand(out + n - kGroup, kGroup);
    box_muller(out + n - kGroup, kGroup, m, s);
  }
}

void TorchCpuGenerator::normal(double* out, size_t n, double mean, double std) {
  const bool fused = kernels_ == TorchKernels::Avx2;
  if (n < kGroup) {
    for (size_t i = 0; i < n; ++i) {
      const double v = scalar_normal();
      out[i] = fused ? std::fma(v, std, mean) : v * std + mean;
    }
    return;
  }
  rand(out, n);
  box_muller_double(out, n - n % kGroup, mean, std, fused);
  if (n % kGroup != 0) {
    rand(out + n - kGroup, kGroup);
    box_muller_double(out + n - kGroup, kGroup, mean, std, fused);
  }
}

void TorchCpuGenerator::randint(int64_t* out, size_t n, int64_t lo, int64_t hi) {
  PURESCOPE_REQUIRE(lo < hi);
  const uint64_t range = static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo);
  for (size_t i = 0; i < n; ++i) {
    const uint64_t draw = range >> 32 != 0 ? double_word() : word();
    out[i] = static_cast<int64_t>(draw % range + static_cast<uint64_t>(lo));
  }
}

// Fisher-Yates from the front: step i swaps i with i + word mod (n - i); n - 1 words.
void TorchCpuGenerator::randperm(int64_t* out, size_t n) {
  PURESCOPE_REQUIRE(n >> 32 == 0);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<int64_t>(i);
  for (size_t i = 0; i + 1 < n; ++i) std::swap(out[i], out[i + word() % (n - i)]);
}

void TorchCpuGenerator::bernoulli(uint8_t* out, size_t n, double p) {
  for (size_t i = 0; i < n; ++i) out[i] = unit_double() < p ? 1 : 0;
}

}  // namespace purescope
