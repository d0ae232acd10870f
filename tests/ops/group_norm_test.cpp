#include "ops/norm_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(GroupNormOp, IsTheRightFunction) { for (const OpCase& c : group_norm_cases()) check_forward(c); }
TEST(GroupNormOp, BackwardIsItsDerivative) { for (const OpCase& c : group_norm_cases()) check_derivative(c); }
TEST(GroupNormOp, IsAdjoint) { for (const OpCase& c : group_norm_cases()) check_adjoint(c); }
TEST(GroupNormOp, KeepsTheContract) { for (const OpCase& c : group_norm_cases()) check_contract(c); }

// A group of one value repeated: var = 0, so y = bias whatever eps is, r = 1 / sqrt(eps), and everything stays finite.
TEST(GroupNormOp, ConstantGroup) {
  const OpCase c = group_norm_case(1, 3, 3, {4, 2, 1e-6});
  Data d = make_data(c, 1);
  d.in[0].assign(d.in[0].size(), 0.5);
  for (size_t i = 18; i < 36; ++i) d.in[0][i] = static_cast<real>(0.1 * i);  // the other group is not constant
  const Result r = run(c, d);
  const Reals first(r.out.begin(), r.out.begin() + 9), bias(9, d.param[1][0]);
  EXPECT_TRUE(compare_bits(first, bias).ok);
  const Reals expected_saved = {real(0.5), static_cast<real>(1 / std::sqrt(1e-6))};
  const Comparison saved = compare(Reals(r.saved.begin(), r.saved.begin() + 2), expected_saved, tolerance_of(kGroupNormTolerance, kRealIsDouble));
  EXPECT_TRUE(saved.ok) << saved.message;
  for (const real v : r.din[0]) EXPECT_TRUE(std::isfinite(v));
}

// A group of a single value: y = bias, and no change of x changes y.
TEST(GroupNormOp, GroupOfOneValue) {
  const OpCase c = group_norm_case(2, 1, 1, {3, 3, 1e-5});
  const Data d = make_data(c, 2);
  const Result r = run(c, d);
  Reals bias = d.param[1];
  bias.insert(bias.end(), d.param[1].begin(), d.param[1].end());
  EXPECT_TRUE(compare_bits(r.out, bias).ok);
  for (const real v : r.din[0]) EXPECT_NEAR(v, 0, kRealIsDouble ? 1e-12 : 1e-4);  // r = 316 times rounding
}

// saved = (mean, r) per image and group.
TEST(GroupNormOp, SavesItsStatistics) {
  const OpCase c = group_norm_case(5, 2, 3, {6, 3, 1e-5});
  const Data d = make_data(c, 5);
  const Result r = run(c, d, {.wanted = kNone});
  std::vector<double> expected;
  for (size_t first = 0; first < d.in[0].size(); first += 12) {
    const oracle::Moments<double> m = oracle::moments(std::vector<double>(d.in[0].begin() + first, d.in[0].begin() + first + 12));
    expected.push_back(m.mean);
    expected.push_back(1 / std::sqrt(m.var + 1e-5));
  }
  const Comparison same = compare(r.saved, expected, tolerance_of(kGroupNormTolerance, kRealIsDouble));
  EXPECT_TRUE(same.ok) << same.message;
}
