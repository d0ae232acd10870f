#include "rng/native.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <vector>

#include "core/check.h"

using namespace purescope;

namespace {
constexpr size_t kCount = 200000;
constexpr double kSigmas = 5;  // bars: 5 standard errors; the streams are fixed, so a pass stays a pass

std::vector<float> normals(int64_t seed, Domain domain, int64_t image, uint64_t draw, int64_t t, size_t n = kCount) {
  std::vector<float> v(n);
  native_normal(native_counter(seed, domain, image, draw, t), v.data(), n);
  return v;
}

double mean_product(const std::vector<float>& a, const std::vector<float>& b, size_t lag = 0) {
  double sum = 0;
  for (size_t i = 0; i + lag < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i + lag];
  return sum / static_cast<double>(a.size() - lag);
}
}  // namespace

// Moments 1 to 4 of a standard normal; the standard errors are sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n).
TEST(Native, NormalMoments) {
  const double root = std::sqrt(static_cast<double>(kCount));
  for (int64_t t : {0, 1, 99}) {
    const auto v = normals(0, Domain::Reverse, 3, 0, t);
    double m[5] = {};
    for (float x : v)
      for (int k = 1; k <= 4; ++k) m[k] += std::pow(static_cast<double>(x), k) / static_cast<double>(kCount);
    EXPECT_LE(std::fabs(m[1]), kSigmas * std::sqrt(1.0) / root);
    EXPECT_LE(std::fabs(m[2] - 1), kSigmas * std::sqrt(2.0) / root);
    EXPECT_LE(std::fabs(m[3]), kSigmas * std::sqrt(15.0) / root);
    EXPECT_LE(std::fabs(m[4] - 3), kSigmas * std::sqrt(96.0) / root);
  }
}

// Kolmogorov-Smirnov distance to the normal distribution: sqrt(n) D exceeds 2.3 once in 2 x 10^4 seeds.
TEST(Native, NormalDistribution) {
  auto v = normals(1, Domain::Forward, 0, 0, 5);
  const auto distance = [](std::vector<float> sample, double scale) {
    std::sort(sample.begin(), sample.end());
    double worst = 0;
    for (size_t i = 0; i < sample.size(); ++i) {
      const double p = 0.5 * std::erfc(-scale * sample[i] / std::sqrt(2.0));
      worst = std::max(worst, std::fabs(p - (static_cast<double>(i) + 0.5) / static_cast<double>(sample.size())));
    }
    return worst * std::sqrt(static_cast<double>(sample.size()));
  };
  EXPECT_LE(distance(v, 1.0), 2.3);
  EXPECT_GT(distance(v, 1.02), 2.3 / 2);  // a scale off by 2 % is visible
}

// Streams whose keys differ in one field are uncorrelated, also at small lags; a stream with itself is not.
TEST(Native, KeysAreIndependent) {
  const auto base = normals(0, Domain::Forward, 10, 1, 20);
  const double bar = kSigmas / std::sqrt(static_cast<double>(kCount));
  const std::vector<std::vector<float>> others = {
      normals(1, Domain::Forward, 10, 1, 20),       normals(0, Domain::Reverse, 10, 1, 20),
      normals(0, Domain::Forward, 11, 1, 20),       normals(0, Domain::Forward, 10, 2, 20),
      normals(0, Domain::Forward, 10, 1, 21),       normals(0, Domain::StartNormal, 10, 1, 20),
      normals(1ll << 32, Domain::Forward, 10, 1, 20)};
  for (size_t k = 0; k < others.size(); ++k)
    for (size_t lag : {0, 1, 2, 4}) EXPECT_LE(std::fabs(mean_product(base, others[k], lag)), bar) << k << " " << lag;
  for (size_t lag : {1, 2, 3, 512}) EXPECT_LE(std::fabs(mean_product(base, base, lag)), bar) << lag;
  EXPECT_NEAR(mean_product(base, base), 1.0, 0.02);
}

TEST(Native, Uniform) {
  std::vector<float> v(kCount);
  native_uniform(native_counter(0, Domain::StartUniform, 0, 0, 0), v.data(), kCount);
  double mean = 0, square = 0;
  for (float x : v) {
    ASSERT_TRUE(x >= 0 && x < 1) << x;
    mean += x / static_cast<double>(kCount);
    square += static_cast<double>(x) * x / static_cast<double>(kCount);
  }
  const double root = std::sqrt(static_cast<double>(kCount));
  EXPECT_LE(std::fabs(mean - 0.5), kSigmas * std::sqrt(1.0 / 12) / root);
  EXPECT_LE(std::fabs(square - 1.0 / 3), kSigmas * std::sqrt(4.0 / 45) / root);
}

// Value i does not depend on how many values are drawn.
TEST(Native, PrefixStable) {
  const auto whole = normals(2, Domain::Forward, 1, 0, 3, 3072);
  for (size_t n : {1u, 2u, 511u, 513u, 1001u}) {
    const auto part = normals(2, Domain::Forward, 1, 0, 3, n);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin())) << n;
  }
  std::vector<float> a(1000), b(1023);
  const auto counter = native_counter(2, Domain::CrUniform, 1, 0, 0);
  native_uniform(counter, a.data(), a.size());
  native_uniform(counter, b.data(), b.size());
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
}

// Different keys never share a counter; fields at their limits included. Keys beyond the limits are refused.
TEST(Native, CountersDoNotCollide) {
  std::set<std::tuple<uint64_t, uint32_t, uint32_t, uint32_t>> seen;
  size_t count = 0;
  for (int64_t seed : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{1} << 32})
    for (auto domain : {Domain::Forward, Domain::Reverse, Domain::StartUniform, Domain::StartNormal, Domain::CrUniform,
                        Domain::Training})
      for (int64_t image : {int64_t{0}, int64_t{1}, (int64_t{1} << 32) - 1})
        for (uint64_t draw : {0ull, 1ull, 1ull << 31, 1ull << 32, (1ull << 40) - 1})
          for (int64_t t : {0, 1, 15, 16, (1 << 20) - 1}) {
            const NativeCounter c = native_counter(seed, domain, image, draw, t);
            seen.insert({c.key, c.c1, c.c2, c.c3});
            ++count;
          }
  EXPECT_EQ(seen.size(), count);
  for (const auto& [image, draw, t] : {std::tuple<int64_t, uint64_t, int64_t>{-1, 0, 0}, {1ll << 32, 0, 0},
                                       {0, 1ull << 40, 0}, {0, 0, -1}, {0, 0, 1 << 20}}) {
    try {
      native_counter(0, Domain::Forward, image, draw, t);
      ADD_FAILURE() << "no error for " << image << " " << draw << " " << t;
    } catch (const Error& e) {
      EXPECT_EQ(e.code, kUsage);
    }
  }
}
