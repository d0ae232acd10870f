#include "experiment/step_rates.h"

#include <gtest/gtest.h>

#include "attack/targets.h"
#include "experiment/chain_walk.h"

using namespace purescope;

namespace {

struct Bench {
  Net unet = formula_net(kTinyUnet);
  NoiseStream stream = native_stream();
  std::vector<int64_t> ids = {5, 8};
  Buffer x = pictures("state", 2, 8, -1, 1);
  Purifier purifier;
  EpsJacobian jacobian{purifier};
  explicit Bench(int t = 6, Clip clip = Clip::X0, int steps = 0) : purifier(unet, options(t, clip, steps), 16, true) {}
  static PurifyOptions options(int t, Clip clip, int steps) {
    PurifyOptions o;
    o.t = t;
    o.steps_reverse = steps;
    o.clip = clip;
    return o;
  }
};

}  // namespace

// kappa and gamma of eq. 16 for the linear schedule: 1 / sqrt(alpha_t) and (1 - alpha_t) / sqrt(1 - abar_t).
TEST(StepRates, FactorsAreThoseOfThePaper) {
  Bench b(100);
  const auto at = [&](int label) { return step_factors(b.purifier, 99 - label); };
  EXPECT_NEAR(at(0).kappa, 1.000050004, 1e-9);
  EXPECT_NEAR(at(9).kappa, 1.000139669, 1e-9);
  EXPECT_NEAR(at(99).kappa, 1.001037649, 1e-9);
  EXPECT_NEAR(at(0).gamma, .01, 1e-9);
  EXPECT_NEAR(at(1).gamma, .008086692, 1e-9);
  EXPECT_NEAR(at(49).gamma, .006320650, 1e-9);
  EXPECT_NEAR(at(99).gamma, .006456907, 1e-9);
  const Schedule s = linear_schedule();
  EXPECT_NEAR(at(30).gamma, s.beta[30] / std::sqrt(1 - s.abar[30]), 1e-12);
}

// J^T v against central differences of eps along a direction w: <w, J^T v> = <J w, v>.
TEST(StepRates, VectorProductsAreThoseOfTheNoisePredictor) {
  PURESCOPE_NEEDS_DOUBLE();
  Bench b;
  const Buffer v = pictures("v", 2, 8, -1, 1), w = pictures("w", 2, 8, -1, 1);
  Buffer back(2, 3, 8, 8), moved(2, 3, 8, 8), up(2, 3, 8, 8), down(2, 3, 8, 8);
  b.jacobian.vjp(2, b.x.view(), v.view(), back.view());
  const double h = 1e-4;
  affine_forward(1, b.x.view(), h, w.view(), 0, moved.view());
  b.jacobian.eps(2, moved.view(), up.view());
  affine_forward(1, b.x.view(), -h, w.view(), 0, moved.view());
  b.jacobian.eps(2, moved.view(), down.view());
  for (int n = 0; n < 2; ++n) {
    const std::vector<double> g = row_values(back.view(), n), wn = row_values(w.view(), n),
                              vn = row_values(v.view(), n);
    std::vector<double> slope = row_values(up.view(), n), d = row_values(down.view(), n);
    for (size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - d[i]) / (2 * h);
    EXPECT_NEAR(dot(g, wn), dot(slope, vn), 1e-7 * norm2(slope) * norm2(vn));
    EXPECT_GT(std::abs(dot(g, vn) - dot(slope, vn)), 1e-6 * norm2(slope) * norm2(vn));  // control: another direction
  }
}

// Hutchinson's estimates lie within five standard errors of the exact trace and Frobenius norm; the exact ones agree
// with the definition.
TEST(StepRates, HutchinsonFindsTheExactTrace) {
  Bench b;
  const std::vector<Divergence> estimate = estimate_divergence(b.jacobian, 1, b.x.view(), 64, b.stream, 3, b.ids);
  for (int n = 0; n < 2; ++n) {
    const Divergence exact = exact_divergence(b.jacobian, 1, b.x.view().images(n, 1), 16);
    ASSERT_GT(estimate[n].trace_error, 0);
    EXPECT_LT(std::abs(estimate[n].trace - exact.trace), 5 * estimate[n].trace_error);
    EXPECT_LT(std::abs(estimate[n].frobenius - exact.frobenius), 5 * estimate[n].frobenius_error);
    // Controls: the bars are narrow enough to refuse a trace that is wrong by half, or zero.
    EXPECT_LT(5 * estimate[n].frobenius_error, 0.5 * exact.frobenius);
    const Divergence other = exact_divergence(b.jacobian, 5, b.x.view().images(n, 1), 16);
    EXPECT_NE(other.trace, exact.trace);
    // The batch in which basis vectors are sent does not matter.
    const Divergence again = exact_divergence(b.jacobian, 1, b.x.view().images(n, 1), 7);
    EXPECT_DOUBLE_EQ(again.trace, exact.trace);
  }
}

// Without the clip a step is kappa (x - gamma eps): the mean square rate of isotropic perturbations is what the second
// order formula says with the exact trace and norm; fresh perturbations scatter around it. Long steps, so that the
// network matters.
TEST(StepRates, FormulaMeetsFreshPerturbations) {
  Bench b(600, Clip::None, 3);
  const double d = 192;
  for (int order : {0, 2}) {
    const StepFactors f = step_factors(b.purifier, order);
    std::vector<double> squares[2];
    for (int draw = 0; draw < 40; ++draw) {
      const std::vector<double> rates =
          fresh_rates(b.jacobian, b.purifier, order, b.x.view(), 1e-3, draw, b.stream, 3, b.ids);
      for (int n = 0; n < 2; ++n) squares[n].push_back(rates[n] * rates[n]);
    }
    for (int n = 0; n < 2; ++n) {
      const Divergence e = exact_divergence(b.jacobian, order, b.x.view().images(n, 1), 16);
      double sum = 0, square = 0;
      for (double v : squares[n]) sum += v / 40;
      for (double v : squares[n]) square += (v - sum) * (v - sum) / 39;
      const double expected = second_order_rate(f, e.trace, e.frobenius, d), error = std::sqrt(square / 40);
      EXPECT_NEAR(sum, expected * expected, 5 * error + 1e-4) << order;
      EXPECT_NEAR(first_order_rate(f, e.trace, d), f.kappa * (1 - f.gamma * e.trace / d), 1e-15);
      EXPECT_GT(std::abs(sum - f.kappa * f.kappa), 5 * error + 1e-4) << "control: the step is not kappa alone";
    }
  }
}

TEST(StepRates, ClippedShareCountsTheClip) {
  Bench b;
  const std::vector<double> inside = clipped_share(b.jacobian, b.purifier, 2, b.x.view());
  Buffer large(2, 3, 8, 8);
  affine_forward(4, b.x.view(), 0, {}, 0, large.view());
  const std::vector<double> outside = clipped_share(b.jacobian, b.purifier, 2, large.view());
  Bench free(6, Clip::None);
  for (int n = 0; n < 2; ++n) {
    EXPECT_LT(inside[n], outside[n]);
    EXPECT_GT(outside[n], 0.5);
    EXPECT_EQ(clipped_share(free.jacobian, free.purifier, 2, large.view())[n], 0);
  }
}
