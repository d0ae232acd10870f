#include "ops/norm_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

TEST(BatchNormOp, IsTheRightFunction) { for (const OpCase& c : batch_norm_cases()) check_forward(c); }
TEST(BatchNormOp, BackwardIsItsDerivative) { for (const OpCase& c : batch_norm_cases()) check_derivative(c); }
TEST(BatchNormOp, IsAdjoint) { for (const OpCase& c : batch_norm_cases()) check_adjoint(c); }
TEST(BatchNormOp, KeepsTheContract) { for (const OpCase& c : batch_norm_cases()) check_contract(c); }

// running += momentum * (batch - running), the batch variance unbiased; in eval mode they stay.
TEST(BatchNormOp, TrainingMovesTheRunningStatistics) {
  const BatchNorm s{3, 1e-5, true, 0.3};
  const OpCase c = batch_norm_case(2, 5, 7, s);
  const Data d = make_data(c, 2);
  const Result r = run(c, d);
  std::vector<double> mean, var, saved;
  for (int channel = 0; channel < 3; ++channel) {
    const std::vector<double> x(d.in[0].begin(), d.in[0].end());
    const oracle::Moments<double> m = oracle::moments(oracle::channel_of(3, 2, 35, x, channel));
    mean.push_back(0.7 * d.state[0][channel] + 0.3 * m.mean);
    var.push_back(0.7 * d.state[1][channel] + 0.3 * m.var * 70 / 69);
    saved.push_back(m.mean);
    saved.push_back(1 / std::sqrt(m.var + s.eps));
  }
  const double tolerance = tolerance_of(kBatchNormTolerance, kRealIsDouble);
  for (const auto& [actual, expected] : {std::pair{r.state[0], mean}, {r.state[1], var}, {r.saved, saved}}) {
    const Comparison same = compare(actual, expected, tolerance);
    EXPECT_TRUE(same.ok) << same.message;
  }
  EXPECT_FALSE(compare_bits(r.state[0], d.state[0]).ok);
}

// In training the output does not depend on the running statistics.
TEST(BatchNormOp, TrainingIgnoresTheRunningStatistics) {
  const OpCase c = batch_norm_case(2, 5, 7, {3, 1e-5, true, 0.1});
  const Data d = make_data(c, 2);
  Data other = d;
  for (Reals& v : other.state)
    for (real& x : v) x = 3 * x + 1;
  Result a = run(c, d), b = run(c, other);
  a.state.clear();
  b.state.clear();
  expect_same(a, b, "other running statistics");
}
