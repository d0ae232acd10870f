// Fits and intervals against closed forms and against data made from known parameters.
#include "core/fits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace purescope;

// P(X = 0) = (1 - p)^n gives the upper end for k = 0 in closed form; 5 of 10 as in the tables of the method.
TEST(ClopperPearson, KnownIntervals) {
  const Proportion none = clopper_pearson(0, 10), half = clopper_pearson(5, 10), all = clopper_pearson(10, 10);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - std::pow(.025, .1), 1e-12);
  EXPECT_NEAR(half.low, .18708603, 1e-7);
  EXPECT_NEAR(half.high, .81291397, 1e-7);
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(all.low, std::pow(.025, .1), 1e-12);
  EXPECT_TRUE(std::isnan(clopper_pearson(0, 0).value));
}

// The exact interval contains Wilson's centre and is wider.
TEST(ClopperPearson, WiderThanWilson) {
  for (int k : {1, 7, 20, 39}) {
    const Proportion exact = clopper_pearson(k, 40), score = wilson(k, 40);
    EXPECT_GT(exact.high - exact.low, score.high - score.low) << k;
    EXPECT_EQ(exact.value, score.value);
  }
}

// The mean of n values: the percentile interval is about mean +- 1.96 se; the same call gives the same bits.
TEST(Bootstrap, IntervalOfAMean) {
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(std::sin(12.9898 * i));
  const auto statistic = [&](const std::vector<int>& picks) {
    double sum = 0;
    for (int p : picks) sum += values[p];
    return sum / static_cast<double>(picks.size());
  };
  const Interval a = bootstrap(400, 1000, statistic), b = bootstrap(400, 1000, statistic);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  const double half = 1.96 * standard_error(values);
  EXPECT_NEAR(a.low, mean(values) - half, .15 * half);   // 1000 resamples: the ends are known to about 10 %
  EXPECT_NEAR(a.high, mean(values) + half, .15 * half);
  EXPECT_TRUE(std::isnan(bootstrap(400, 100, [](const std::vector<int>&) { return std::nan(""); }).low));
}

TEST(PairedDifference, SignAndSize) {
  const PairedDifference d = paired_difference({1, 2, 3, 4, 5, 6, 7, 8}, {2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(d.mean, 1);
  EXPECT_EQ(d.low, 1);
  EXPECT_EQ(d.high, 1);
  EXPECT_NEAR(d.p, 2 * std::pow(.5, 8), 1e-15);   // all eight rise
  const PairedDifference none = paired_difference({1, 2, 3, 4}, {2, 1, 4, 3});
  EXPECT_EQ(none.mean, 0);
  EXPECT_LT(none.low, 0);
  EXPECT_GT(none.high, 0);
  EXPECT_EQ(none.p, 1);
}

TEST(Sigmoid, FindsTheCurveItWasMadeFrom) {
  const SigmoidFit truth{true, .85, .22, .05, 0};
  std::vector<double> x, y;
  for (double at : {.1, .15, .2, .25, .3, .4, .5, .6}) {
    x.push_back(at);
    y.push_back(truth(at));
  }
  const SigmoidFit fit = fit_sigmoid(x, y);
  ASSERT_TRUE(fit.found);
  EXPECT_NEAR(fit.top, .85, .01);
  EXPECT_NEAR(fit.centre, .22, .005);
  EXPECT_NEAR(fit.width, .05, .003);
  EXPECT_NEAR(fit(0), truth(0), .01);
  EXPECT_LT(fit.residual, 1e-3);
  // A curve that rises is not one of these: the residual says so.
  std::vector<double> rising = y;
  std::reverse(rising.begin(), rising.end());
  EXPECT_GT(fit_sigmoid(x, rising).residual, .2);
  EXPECT_FALSE(fit_sigmoid({.1, .2}, {.5, .4}).found);
  EXPECT_FALSE(fit_sigmoid({.1, .2, .3}, {0, 0, 0}).found);
}

// Quantiles of a normal distribution with mean 2 and deviation .5, 20 % zeros, everything above 2.5 censored there.
TEST(ZeroInflatedNormal, FindsItsParametersThroughTheCensoring) {
  std::vector<Survival> values;
  for (int i = 0; i < 100; ++i) values.push_back({0, true});
  for (int i = 0; i < 400; ++i) {
    double low = -8, high = 8;
    const double p = (i + .5) / 400;
    for (int round = 0; round < 60; ++round) {
      const double z = (low + high) / 2;
      (std::erfc(-z / std::sqrt(2.)) / 2 < p ? low : high) = z;
    }
    const double v = 2 + .5 * low;
    values.push_back(v > 2.5 ? Survival{2.5, false} : Survival{v, true});
  }
  const ZeroInflatedNormal fit = fit_zero_inflated_normal(values);
  ASSERT_TRUE(fit.found);
  EXPECT_EQ(fit.zeros, 100);
  EXPECT_GT(fit.censored, 50);
  EXPECT_NEAR(fit.zero, .2, 1e-12);
  EXPECT_NEAR(fit.mean, 2, .01);
  EXPECT_NEAR(fit.deviation, .5, .01);
  EXPECT_NEAR(fit.survival(0), .8, 1e-3);   // S(0+) = 1 - mass at zero
  EXPECT_LT(fit.residual, .01);
  EXPECT_FALSE(fit_zero_inflated_normal({{0, true}, {1, true}}).found);
}
