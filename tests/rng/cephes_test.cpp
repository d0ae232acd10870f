#include "rng/cephes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

using namespace purescope;

namespace {
// Largest error, or infinity if any is NaN.
struct Worst {
  double error = 0;
  void see(double e) { error = e >= 0 ? std::max(error, e) : INFINITY; }
};
}  // namespace

// Against the C library in double. Half a unit in the last place of float is 6e-8; the polynomials allow 2e-7.
TEST(Cephes, Log) {
  std::vector<float> x, y;
  for (int i = 1; i <= 100000; ++i) x.push_back(static_cast<float>(i) / 100000);
  for (int i = 1; i <= 126; ++i) x.push_back(std::ldexp(1.0f, -i) * 1.37f);
  y.resize(x.size());
  log_lanes(x.data(), y.data(), static_cast<int>(x.size()));
  Worst worst;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = std::log(static_cast<double>(x[i]));
    worst.see(want == 0 ? std::fabs(y[i]) : std::fabs(y[i] / want - 1));
  }
  EXPECT_LE(worst.error, 2e-7);
  EXPECT_GT(worst.error, 0);  // it is not the C library compared with itself
  RecordProperty("worst", std::to_string(worst.error));
}

TEST(Cephes, SinCos) {
  constexpr int kCount = 200001;
  std::vector<float> x(kCount), s(kCount), c(kCount);
  for (int i = 0; i < kCount; ++i) x[i] = static_cast<float>(2 * std::numbers::pi * i / (kCount - 1));
  sincos_lanes(x.data(), s.data(), c.data(), kCount);
  Worst worst;
  for (int i = 0; i < kCount; ++i) {
    worst.see(std::fabs(s[i] - std::sin(static_cast<double>(x[i]))));
    worst.see(std::fabs(c[i] - std::cos(static_cast<double>(x[i]))));
  }
  EXPECT_LE(worst.error, 2e-7);
  EXPECT_GT(worst.error, 0);
}
