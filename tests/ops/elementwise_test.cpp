#include "ops/op_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(AddOp, IsTheRightFunction) { for (const OpCase& c : add_cases()) check_forward(c); }
TEST(AddOp, BackwardIsItsDerivative) { for (const OpCase& c : add_cases()) check_derivative(c); }
TEST(AddOp, IsAdjoint) { for (const OpCase& c : add_cases()) check_adjoint(c); }
TEST(AddOp, KeepsTheContract) { for (const OpCase& c : add_cases()) check_contract(c); }

TEST(ConcatOp, IsTheRightFunction) { for (const OpCase& c : concat_cases()) check_forward(c); }
TEST(ConcatOp, BackwardIsItsDerivative) { for (const OpCase& c : concat_cases()) check_derivative(c); }
TEST(ConcatOp, IsAdjoint) { for (const OpCase& c : concat_cases()) check_adjoint(c); }
TEST(ConcatOp, KeepsTheContract) { for (const OpCase& c : concat_cases()) check_contract(c); }

TEST(AddChannelOp, IsTheRightFunction) { for (const OpCase& c : add_channel_cases()) check_forward(c); }
TEST(AddChannelOp, BackwardIsItsDerivative) { for (const OpCase& c : add_channel_cases()) check_derivative(c); }
TEST(AddChannelOp, IsAdjoint) { for (const OpCase& c : add_channel_cases()) check_adjoint(c); }
TEST(AddChannelOp, KeepsTheContract) { for (const OpCase& c : add_channel_cases()) check_contract(c); }

TEST(NormalizeOp, IsTheRightFunction) { for (const OpCase& c : normalize_cases()) check_forward(c); }
TEST(NormalizeOp, BackwardIsItsDerivative) { for (const OpCase& c : normalize_cases()) check_derivative(c); }
TEST(NormalizeOp, IsAdjoint) { for (const OpCase& c : normalize_cases()) check_adjoint(c); }
TEST(NormalizeOp, KeepsTheContract) { for (const OpCase& c : normalize_cases()) check_contract(c); }

TEST(TimeEmbeddingOp, IsTheRightFunction) { for (const OpCase& c : time_embedding_cases()) check_forward(c); }
TEST(TimeEmbeddingOp, BackwardIsItsDerivative) { for (const OpCase& c : time_embedding_cases()) check_derivative(c); }
TEST(TimeEmbeddingOp, IsAdjoint) { for (const OpCase& c : time_embedding_cases()) check_adjoint(c); }
TEST(TimeEmbeddingOp, KeepsTheContract) { for (const OpCase& c : time_embedding_cases()) check_contract(c); }

// y may be a or b.
TEST(AddOp, InPlace) {
  const OpCase c = add_case({2, 3, 5, 7});
  const Data d = make_data(c, 2);
  const Reals sum = run(c, d, {.wanted = kNone}).out;
  Guarded a(c.in[0], 2, d.in[0]), b(c.in[1], 2, d.in[1]);
  add_forward(a.view(), b.view(), a.view());
  EXPECT_TRUE(compare_bits(a.values(), sum).ok);
  Guarded a_again(c.in[0], 2, d.in[0]);
  add_forward(a_again.view(), b.view(), b.view());
  EXPECT_TRUE(compare_bits(b.values(), sum).ok);
  EXPECT_TRUE(a.zones_intact() && b.zones_intact());
}

TEST(CopyOp, SameBits) {
  const OpCase c = add_case({2, 3, 5, 7});
  const Data d = make_data(c, 2);
  Guarded x(c.in[0], 2, d.in[0]), y(c.out, 2, std::numeric_limits<double>::quiet_NaN());
  copy_forward(x.view(), y.view());
  EXPECT_TRUE(compare_bits(y.values(), d.in[0]).ok);
  EXPECT_TRUE(y.zones_intact());
}
