#include "ops/op_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(UpsampleNearestOp, IsTheRightFunction) { for (const OpCase& c : upsample_nearest_cases()) check_forward(c); }
TEST(UpsampleNearestOp, BackwardIsItsDerivative) { for (const OpCase& c : upsample_nearest_cases()) check_derivative(c); }
TEST(UpsampleNearestOp, IsAdjoint) { for (const OpCase& c : upsample_nearest_cases()) check_adjoint(c); }
TEST(UpsampleNearestOp, KeepsTheContract) { for (const OpCase& c : upsample_nearest_cases()) check_contract(c); }

TEST(GlobalAvgPoolOp, IsTheRightFunction) { for (const OpCase& c : global_avg_pool_cases()) check_forward(c); }
TEST(GlobalAvgPoolOp, BackwardIsItsDerivative) { for (const OpCase& c : global_avg_pool_cases()) check_derivative(c); }
TEST(GlobalAvgPoolOp, IsAdjoint) { for (const OpCase& c : global_avg_pool_cases()) check_adjoint(c); }
TEST(GlobalAvgPoolOp, KeepsTheContract) { for (const OpCase& c : global_avg_pool_cases()) check_contract(c); }

TEST(SubsamplePadOp, IsTheRightFunction) { for (const OpCase& c : subsample_pad_cases()) check_forward(c); }
TEST(SubsamplePadOp, BackwardIsItsDerivative) { for (const OpCase& c : subsample_pad_cases()) check_derivative(c); }
TEST(SubsamplePadOp, IsAdjoint) { for (const OpCase& c : subsample_pad_cases()) check_adjoint(c); }
TEST(SubsamplePadOp, KeepsTheContract) { for (const OpCase& c : subsample_pad_cases()) check_contract(c); }
