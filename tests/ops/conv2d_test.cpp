#include "ops/conv_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(Conv2dOp, IsTheRightFunction) { for (const OpCase& c : conv2d_cases()) check_forward(c); }
TEST(Conv2dOp, BackwardIsItsDerivative) { for (const OpCase& c : conv2d_cases()) check_derivative(c); }
TEST(Conv2dOp, IsAdjoint) { for (const OpCase& c : conv2d_cases()) check_adjoint(c); }
TEST(Conv2dOp, KeepsTheContract) { for (const OpCase& c : conv2d_cases()) check_contract(c); }
