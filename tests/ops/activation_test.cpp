#include "ops/op_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(SiluOp, IsTheRightFunction) { for (const OpCase& c : silu_cases()) check_forward(c); }
TEST(SiluOp, BackwardIsItsDerivative) { for (const OpCase& c : silu_cases()) check_derivative(c); }
TEST(SiluOp, IsAdjoint) { for (const OpCase& c : silu_cases()) check_adjoint(c); }
TEST(SiluOp, KeepsTheContract) { for (const OpCase& c : silu_cases()) check_contract(c); }

TEST(ReluOp, IsTheRightFunction) { for (const OpCase& c : relu_cases()) check_forward(c); }
TEST(ReluOp, BackwardIsItsDerivative) { for (const OpCase& c : relu_cases()) check_derivative(c); }
TEST(ReluOp, IsAdjoint) { for (const OpCase& c : relu_cases()) check_adjoint(c); }
TEST(ReluOp, KeepsTheContract) { for (const OpCase& c : relu_cases()) check_contract(c); }

// Far out silu is x or zero, its derivative one or zero, and nothing overflows.
TEST(SiluOp, LargeArguments) {
  OpCase c = silu_case({1, 6, 1, 1}, 1);
  Data d = make_data(c, 1);
  d.in[0] = {50, -50, 1000, -1000, 100, -100};
  d.dout.assign(6, 1);
  const Result r = run(c, d);
  for (int i : {0, 2, 4}) EXPECT_EQ(r.out[i], d.in[0][i]);
  for (int i : {0, 2, 4}) EXPECT_EQ(r.din[0][i], 1);
  for (int i : {1, 3, 5}) EXPECT_NEAR(r.out[i], 0, 1e-19);
  for (int i : {1, 3, 5}) EXPECT_NEAR(r.din[0][i], 0, 1e-19);
  EXPECT_NEAR(r.out[1] / (-50 * std::exp(-50.0)), 1, 1e-5);
}

TEST(SiluOp, NanStaysNan) {
  const OpCase c = silu_case({1, 4, 1, 1}, 1);
  Data d = make_data(c, 1);
  d.in[0][2] = std::numeric_limits<real>::quiet_NaN();
  EXPECT_TRUE(std::isnan(run(c, d, {.wanted = kNone}).out[2]));
}

// At exactly zero, of either sign, the gradient is zero, as in PyTorch.
TEST(ReluOp, GradientAtZeroIsZero) {
  const OpCase c = relu_case({1, 4, 1, 1});
  Data d = make_data(c, 1);
  d.in[0] = {0, real(-0.0), 2, -2};
  d.dout = {1, 1, 1, 1};
  const Result r = run(c, d);
  EXPECT_EQ(r.din[0], (Reals{0, 0, 1, 0}));
  EXPECT_EQ(r.out, (Reals{0, 0, 2, 0}));
}

TEST(ReluOp, NanStaysNan) {
  const OpCase c = relu_case({1, 4, 1, 1});
  Data d = make_data(c, 1);
  d.in[0][1] = std::numeric_limits<real>::quiet_NaN();
  EXPECT_TRUE(std::isnan(run(c, d, {.wanted = kNone}).out[1]));
}
