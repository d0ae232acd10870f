#include "ops/op_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(CrossEntropyOp, IsTheRightFunction) { for (const OpCase& c : cross_entropy_cases()) check_forward(c); }
TEST(CrossEntropyOp, BackwardIsItsDerivative) { for (const OpCase& c : cross_entropy_cases()) check_derivative(c); }
TEST(CrossEntropyOp, IsAdjoint) { for (const OpCase& c : cross_entropy_cases()) check_adjoint(c); }
TEST(CrossEntropyOp, KeepsTheContract) { for (const OpCase& c : cross_entropy_cases()) check_contract(c); }

// Logits up to 1e4: the loss is the gap, the gradient a difference of one-hot vectors, nothing overflows.
TEST(CrossEntropyOp, LargeLogits) {
  Guarded logits(images("logits", 3, 1, 1), 2, Reals{10000, -10000, 0, -5000, -5000, -10000});
  Guarded loss(images("loss", 1, 1, 1), 2, 7.0), gradient(images("logits", 3, 1, 1), 2, 7.0);
  const int labels[2] = {1, 0};
  cross_entropy_forward(logits.view(), labels, loss.view());
  cross_entropy_backward(logits.view(), labels, 2, gradient.view());
  const double tolerance = tolerance_of(kCrossEntropyTolerance, kRealIsDouble);
  EXPECT_EQ(loss.values()[0], 20000);
  EXPECT_NEAR(loss.values()[1], std::log(2.0), 1e-7);  // f32 rounds ln 2; f64 loses digits against 5000
  const Comparison same = compare(gradient.values(), std::vector<double>{2, -2, 0, -1, 1, 0}, kRealIsDouble ? 1e-11 : tolerance);
  EXPECT_TRUE(same.ok) << same.message;
}

// The scale multiplies the gradient and nothing else.
TEST(CrossEntropyOp, Scale) {
  const Reals values = random_reals(5, 10, -3, 3);
  Guarded logits(images("logits", 10, 1, 1), 1, values);
  Guarded one(images("logits", 10, 1, 1), 1, 7.0), half(images("logits", 10, 1, 1), 1, 7.0);
  const int label = 4;
  cross_entropy_backward(logits.view(), &label, 1, one.view());
  cross_entropy_backward(logits.view(), &label, -0.5, half.view());
  Reals expected = one.values();
  for (real& v : expected) v *= real(-0.5);
  EXPECT_TRUE(compare_bits(half.values(), expected).ok);
}
