#include "ops/op_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(AttentionOp, IsTheRightFunction) { for (const OpCase& c : attention_cases()) check_forward(c); }
TEST(AttentionOp, BackwardIsItsDerivative) { for (const OpCase& c : attention_cases()) check_derivative(c); }
TEST(AttentionOp, IsAdjoint) { for (const OpCase& c : attention_cases()) check_adjoint(c); }
TEST(AttentionOp, KeepsTheContract) { for (const OpCase& c : attention_cases()) check_contract(c); }

// Logits of several thousand: without taking out the largest, every exponential would overflow.
TEST(AttentionOp, LargeLogits) {
  const OpCase c = attention_case({2, 4, 3, 3}, 1, 30, 8);
  const Data d = make_data(c, 2);
  const Result r = run(c, d);
  const double tolerance = kRealIsDouble ? 1e-11 : 5e-3;  // a logit of 8000 has a rounding error of 5e-4 in f32, 1e-12 in f64
  const Comparison same = compare(r.out, c.oracle(oracle_args<double>(d)), tolerance);
  EXPECT_TRUE(same.ok) << same.message;
  for (const Reals& gradient : r.din)
    for (const real v : gradient) EXPECT_TRUE(std::isfinite(v));
}

// All logits far below zero: the largest must be taken out there as well.
TEST(AttentionOp, LogitsFarBelowZero) {
  const OpCase c = attention_case({1, 2, 2, 2}, 1, 1, 1);
  Data d = make_data(c, 1);
  d.in[0].assign(8, 40);
  for (real& k : d.in[1]) k -= 40;
  const Comparison same = compare(run(c, d).out, c.oracle(oracle_args<double>(d)), kRealIsDouble ? 1e-11 : 2e-3);
  EXPECT_TRUE(same.ok) << same.message;
}
