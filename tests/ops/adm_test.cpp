#include "ops/adm_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(ScaleShiftOp, IsTheRightFunction) { for (const OpCase& c : scale_shift_cases()) check_forward(c); }
TEST(ScaleShiftOp, BackwardIsItsDerivative) { for (const OpCase& c : scale_shift_cases()) check_derivative(c); }
TEST(ScaleShiftOp, IsAdjoint) { for (const OpCase& c : scale_shift_cases()) check_adjoint(c); }
TEST(ScaleShiftOp, KeepsTheContract) { for (const OpCase& c : scale_shift_cases()) check_contract(c); }

TEST(AvgPoolOp, IsTheRightFunction) { for (const OpCase& c : avg_pool_cases()) check_forward(c); }
TEST(AvgPoolOp, BackwardIsItsDerivative) { for (const OpCase& c : avg_pool_cases()) check_derivative(c); }
TEST(AvgPoolOp, IsAdjoint) { for (const OpCase& c : avg_pool_cases()) check_adjoint(c); }
TEST(AvgPoolOp, KeepsTheContract) { for (const OpCase& c : avg_pool_cases()) check_contract(c); }

TEST(MaxPoolOp, IsTheRightFunction) { for (const OpCase& c : max_pool_cases()) check_forward(c); }
TEST(MaxPoolOp, BackwardIsItsDerivative) { for (const OpCase& c : max_pool_cases()) check_derivative(c); }
TEST(MaxPoolOp, IsAdjoint) { for (const OpCase& c : max_pool_cases()) check_adjoint(c); }
TEST(MaxPoolOp, KeepsTheContract) { for (const OpCase& c : max_pool_cases()) check_contract(c); }

TEST(AttentionPackedOp, IsTheRightFunction) { for (const OpCase& c : attention_packed_cases()) check_forward(c); }
TEST(AttentionPackedOp, BackwardIsItsDerivative) { for (const OpCase& c : attention_packed_cases()) check_derivative(c); }
TEST(AttentionPackedOp, IsAdjoint) { for (const OpCase& c : attention_packed_cases()) check_adjoint(c); }
TEST(AttentionPackedOp, KeepsTheContract) { for (const OpCase& c : attention_packed_cases()) check_contract(c); }

TEST(NinOp, IsTheRightFunction) { for (const OpCase& c : nin_cases()) check_forward(c); }
TEST(NinOp, BackwardIsItsDerivative) { for (const OpCase& c : nin_cases()) check_derivative(c); }
TEST(NinOp, IsAdjoint) { for (const OpCase& c : nin_cases()) check_adjoint(c); }
TEST(NinOp, KeepsTheContract) { for (const OpCase& c : nin_cases()) check_contract(c); }

TEST(ScaleOp, IsTheRightFunction) { for (const OpCase& c : scale_cases()) check_forward(c); }
TEST(ScaleOp, BackwardIsItsDerivative) { for (const OpCase& c : scale_cases()) check_derivative(c); }
TEST(ScaleOp, IsAdjoint) { for (const OpCase& c : scale_cases()) check_adjoint(c); }
TEST(ScaleOp, KeepsTheContract) { for (const OpCase& c : scale_cases()) check_contract(c); }

TEST(ResizeBilinearOp, IsTheRightFunction) { for (const OpCase& c : resize_bilinear_cases()) check_forward(c); }
TEST(ResizeBilinearOp, BackwardIsItsDerivative) { for (const OpCase& c : resize_bilinear_cases()) check_derivative(c); }
TEST(ResizeBilinearOp, IsAdjoint) { for (const OpCase& c : resize_bilinear_cases()) check_adjoint(c); }
TEST(ResizeBilinearOp, KeepsTheContract) { for (const OpCase& c : resize_bilinear_cases()) check_contract(c); }

// Of equal values the first in row-major order gets the gradient, as in PyTorch; NaN is passed on.
TEST(MaxPoolOp, TiesAndNan) {
  std::vector<real> x = {1, 1, 1, 1}, y(1), saved(1), dy = {3}, dx(4, 9);
  const MaxPool s{2, 2, 0};
  max_pool_forward(s, {x.data(), 1, 1, 2, 2}, {y.data(), 1, 1, 1, 1}, {saved.data(), 1, 1, 1, 1});
  max_pool_backward(s, {saved.data(), 1, 1, 1, 1}, {dy.data(), 1, 1, 1, 1}, {dx.data(), 1, 1, 2, 2});
  EXPECT_EQ(dx, (std::vector<real>{3, 0, 0, 0}));
  x[2] = std::numeric_limits<real>::quiet_NaN();
  max_pool_forward(s, {x.data(), 1, 1, 2, 2}, {y.data(), 1, 1, 1, 1}, {saved.data(), 1, 1, 1, 1});
  EXPECT_TRUE(std::isnan(y[0]));
}
