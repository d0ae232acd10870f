#include "experiment/gaussian_steps.h"

#include <gtest/gtest.h>

#include "attack/targets.h"

using namespace purescope;

// The numbers of the field with 0.01 as the variance, worked out by hand from eq. 13.
TEST(GaussianSteps, ClosedFormOfTableS1) {
  const FieldSetting f = table_s1();
  EXPECT_EQ(f.size(), 3072);
  EXPECT_DOUBLE_EQ(factor_outside(f), 0.9);
  EXPECT_DOUBLE_EQ(factor_inside(f), 0.999);
  const std::vector<double> rates = closed_form_rates(f);
  EXPECT_NEAR(rates[0], .901359, 1e-6);
  EXPECT_NEAR(rates[10], .909986, 1e-6);
  EXPECT_NEAR(rates[20], .946990, 1e-6);
  EXPECT_NEAR(rates[30], .987038, 1e-6);
  EXPECT_NEAR(rates[40], .997340, 1e-6);
  EXPECT_NEAR(rates[99], .999000, 1e-6);
  EXPECT_NEAR(closed_form_chain(f), .103245, 1e-6);
  EXPECT_NEAR(closed_form_shares(f)[0], 40.0 / 3072, 1e-12);
  EXPECT_NEAR(closed_form_shares(f)[100], 1, 1e-6);
  double product = 1;
  for (double r : rates) product *= r;
  EXPECT_NEAR(product, closed_form_chain(f), 1e-12);
}

// A walk of the defence's own code follows it. One draw of 3072 values scatters around the expectation by about 1 %,
// most where 40 directions carry everything: 1 / sqrt(2 * 40) = 11 % of the length.
TEST(GaussianSteps, AWalkFollowsTheClosedForm) {
  const FieldSetting f = table_s1();
  const NoiseStream stream = native_stream();
  const std::vector<double> rates = closed_form_rates(f);
  const FieldWalk walk = walk_field(f, FieldStart::Isotropic, 1, stream, 1, 4);
  ASSERT_EQ(walk.rates.size(), 100u);
  for (int k = 0; k < 100; ++k) EXPECT_NEAR(walk.rates[k], rates[k], 0.02) << k;
  EXPECT_NEAR(walk.chain, closed_form_chain(f), 0.4 * closed_form_chain(f));
  EXPECT_TRUE(walk.finite);
  const FieldWalk in = walk_field(f, FieldStart::Inside, 1, stream, 1, 4),
                  out = walk_field(f, FieldStart::Outside, 1, stream, 1, 4);
  // Rounding of the states, 0.5 + 3, over the length of the perturbation. Outside, 0.9^100 of it is left at the end:
  // look at the first half.
  for (int k = 0; k < 40; ++k) {
    EXPECT_NEAR(in.rates[k], 0.999, kDouble ? 1e-12 : 2e-5);
    EXPECT_NEAR(out.rates[k], 0.9, kDouble ? 1e-10 : 2e-3);
  }
  EXPECT_NEAR(in.chain, std::pow(0.999, 100), kDouble ? 1e-12 : 2e-5);
  // Control: another variance does not fit.
  FieldSetting other = f;
  other.small = 0.02;
  EXPECT_GT(std::abs(closed_form_rates(other)[0] - walk.rates[0]), 0.02);
}

// 0.01 read as a standard deviation: the factor is -9, the walk grows ninefold per step, and the defence refuses the
// setting.
TEST(GaussianSteps, ThePrintedReadingDiverges) {
  FieldSetting f = table_s1();
  f.small = 1e-4;
  EXPECT_DOUBLE_EQ(factor_outside(f), -9);
  const std::vector<double> growth = plain_growth(f, 4, native_stream(), 1, 4);
  for (int k = 1; k < 4; ++k) EXPECT_NEAR(growth[k] / growth[k - 1], 9, 0.01);
  EXPECT_NE(field_refusal(f), "");
  EXPECT_EQ(field_refusal(table_s1()), "");
  EXPECT_LT(plain_growth(table_s1(), 4, native_stream(), 1, 4).back(), 0.7);
}
