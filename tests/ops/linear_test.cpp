#include "ops/conv_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(LinearOp, IsTheRightFunction) { for (const OpCase& c : linear_cases()) check_forward(c); }
TEST(LinearOp, BackwardIsItsDerivative) { for (const OpCase& c : linear_cases()) check_derivative(c); }
TEST(LinearOp, IsAdjoint) { for (const OpCase& c : linear_cases()) check_adjoint(c); }
TEST(LinearOp, KeepsTheContract) { for (const OpCase& c : linear_cases()) check_contract(c); }
