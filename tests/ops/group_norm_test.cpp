#include "ops/norm_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(GroupNormOp, IsTheRightFunction) { for (const OpCase& c : group_norm_cases()) check_forward(c); }
TEST(GroupNormOp, BackwardIsItsDerivative) { for (const OpCase& c : group_norm_cases()) check_derivative(c); }
TEST(GroupNormOp, IsAdjoint) { for (const OpCase& c : group_norm_cases()) check_adjoint(c); }
TEST(GroupNormOp, KeepsTheContract) { for (const OpCase& c : group_norm_cases()) check_contract(c); }

// In one step with SiLU: every result has the bits of the norm, its SiLU and their backward passes one after the other.
TEST(GroupNormOp, WithSiluHasTheBitsOfTwoSteps) {
  for (const GroupNorm s : {GroupNorm{6, 3, 1e-5, true}, GroupNorm{32, 8, 1e-6, true}}) {
    const OpCase one = group_norm_case(3, 5, 7, s);
    GroupNorm plain = s;
    plain.silu = false;
    OpCase two = one;
    Reals middle, cotangent;
    const auto like = [](View v, Reals& values) { values.resize(v.size()); v.data = values.data(); return v; };
    two.forward = [&](const Views& v) {
      group_norm_forward(plain, v.in[0], v.param[0], v.param[1], like(v.out, middle), v.saved);
      silu_forward(like(v.out, middle), v.out);
    };
    two.backward = [&](const Views& v) {
      silu_backward(like(v.out, middle), v.dout, like(v.out, cotangent));
      group_norm_backward(plain, v.in[0], v.param[0], {}, v.saved, like(v.out, cotangent), v.din[0], v.dparam[0], v.dparam[1]);
    };
    const Data d = make_data(one, 3);
    for (const unsigned wanted : {kAll, 1u, 6u}) {
      const Result a = run(one, d, {.wanted = wanted}), b = run(two, d, {.wanted = wanted});
      EXPECT_TRUE(compare_bits(a.out, b.out).ok && compare_bits(a.saved, b.saved).ok);
      EXPECT_TRUE(!(wanted & 1) || compare_bits(a.din[0], b.din[0]).ok);
      for (size_t k = 0; k < 2 && wanted & 2; ++k) EXPECT_TRUE(compare_bits(a.dparam[k], b.dparam[k]).ok);
    }
    OpCase without = one;   // negative control
    without.forward = [&](const Views& v) { group_norm_forward(plain, v.in[0], v.param[0], v.param[1], v.out, v.saved); };
    EXPECT_FALSE(compare_bits(run(without, d, {.wanted = kNone}).out, run(one, d, {.wanted = kNone}).out).ok);
  }
}

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
