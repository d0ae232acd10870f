#include "core/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace purescope {
namespace {

// Intervals of published counts, rounded to a tenth of a percent.
TEST(Statistics, WilsonGolden) {
  EXPECT_EQ(wilson(237, 1000).text(), "23.7 % [21.2, 26.4] (n 1000)");
  EXPECT_EQ(wilson(349, 1000).text(), "34.9 % [32.0, 37.9] (n 1000)");
  EXPECT_EQ(wilson(109, 1000).text(), "10.9 % [9.1, 13.0] (n 1000)");
  EXPECT_EQ(wilson(59, 200).text(), "29.5 % [23.6, 36.2] (n 200)");
}

// The bounds are the p at which |k/n - p| = z sqrt(p (1 - p) / n).
TEST(Statistics, WilsonBoundsSolveTheScoreEquation) {
  for (int n : {1, 2, 7, 200, 100000}) {
    for (int k : {0, 1, n / 2, n}) {
      const Proportion p = wilson(k, n);
      EXPECT_EQ(p.value, double(k) / n);
      EXPECT_LE(p.low, p.value);
      EXPECT_GE(p.high, p.value);
      for (double bound : {p.low, p.high}) {
        if (bound == 0 || bound == 1) continue;
        // Both sides are below 1 and computed with a few roundings.
        EXPECT_NEAR(std::abs(p.value - bound), 1.959963984540054 * std::sqrt(bound * (1 - bound) / n), 1e-13);
      }
    }
  }
  EXPECT_EQ(wilson(0, 10).low, 0);
  EXPECT_EQ(wilson(10, 10).high, 1);
  EXPECT_TRUE(std::isnan(wilson(0, 0).value));
  EXPECT_EQ(wilson(0, 0).text(), "- (n 0)");
  EXPECT_ANY_THROW(wilson(2, 1));
}

TEST(Statistics, MeanAndErrors) {
  const std::vector<double> x = {2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(x), 5);
  EXPECT_DOUBLE_EQ(standard_deviation(x), std::sqrt(32. / 7));
  EXPECT_DOUBLE_EQ(standard_error(x), std::sqrt(32. / 7 / 8));
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_TRUE(std::isnan(standard_deviation({1})));
  EXPECT_EQ(standard_deviation({3, 3}), 0);
}

TEST(Statistics, Median) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({7}), 7);
  EXPECT_TRUE(std::isnan(median({})));
  EXPECT_TRUE(std::isnan(median({1, std::nan(""), 3})));
}

// Against sums of binomial coefficients, which are exact in double for these sizes.
TEST(Statistics, McnemarIsTheExactBinomialTail) {
  for (int n = 1; n <= 40; ++n) {
    double coefficient = 1, tail = 0;
    for (int k = 0; 2 * k <= n; ++k) {
      tail += coefficient;
      const double expected = std::min(1., 2 * tail / std::exp2(n));
      EXPECT_NEAR(mcnemar_exact(k, n - k), expected, 1e-12 * expected)
          << k << " of " << n;  // lgamma: some ulp of n ln 2
      EXPECT_EQ(mcnemar_exact(k, n - k), mcnemar_exact(n - k, k));
      coefficient *= double(n - k) / (k + 1);
    }
  }
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_NEAR(mcnemar_exact(0, 5), .0625, 1e-14);
  EXPECT_LT(mcnemar_exact(1000, 3000), 1e-200);
  EXPECT_GE(mcnemar_exact(0, 5000), 0);  // underflow is a p of zero, not a NaN
}

// 6-MP arm of the leukaemia trial in Freireich et al. 1963, the textbook example: S(6) = .857, S(10) = .753, S(23) =
// .448.
TEST(Statistics, KaplanMeierGolden) {
  std::vector<Survival> x;
  for (double t : {6., 6., 6., 7., 10., 13., 16., 22., 23.}) x.push_back({t, true});
  for (double t : {6., 9., 10., 11., 17., 19., 20., 25., 32., 32., 34., 35.}) x.push_back({t, false});
  std::mt19937 random(3);
  std::shuffle(x.begin(), x.end(), random);
  const std::vector<SurvivalPoint> curve = kaplan_meier(x);
  ASSERT_EQ(curve.size(), 7u);
  EXPECT_EQ(curve[0].at_risk, 21);
  EXPECT_EQ(curve[0].events, 3);
  const double expected[] = {.857, .807, .753, .690, .627, .538, .448};
  for (size_t i = 0; i < curve.size(); ++i)
    EXPECT_NEAR(curve[i].survival, expected[i], 5e-4);  // printed with 3 decimals
  EXPECT_EQ(survival_at(curve, 5.9), 1);
  EXPECT_EQ(survival_at(curve, 6), curve[0].survival);
  EXPECT_EQ(survival_at(curve, 1000), curve.back().survival);
}

TEST(Statistics, KaplanMeierWithoutCensoringIsTheEmpiricalSurvival) {
  std::mt19937 random(4);
  std::vector<Survival> x;
  for (int i = 0; i < 500; ++i) x.push_back({double(random() % 40), true});
  const auto curve = kaplan_meier(x);
  for (double t = 0; t < 40; ++t) {
    double above = 0;
    for (const Survival& o : x) above += o.time > t;
    EXPECT_NEAR(survival_at(curve, t), above / 500, 1e-13);  // 40 products near 1
  }
  EXPECT_TRUE(kaplan_meier({}).empty());
  EXPECT_TRUE(kaplan_meier({{3, false}}).empty());
  EXPECT_ANY_THROW(kaplan_meier({{std::nan(""), true}}));
}

TEST(Statistics, DkwHalfWidth) {
  EXPECT_NEAR(dkw_half_width(1000), .042947, 5e-7);  // sqrt(ln 40 / 2000)
  EXPECT_NEAR(dkw_half_width(1000) / dkw_half_width(4000), 2, 1e-12);
}

}  // namespace
}  // namespace purescope
