// The smallest budget that breaks a classifier, where it is known: a linear model of two classes.
#include "attack/minimum_perturbation.h"
#include "attack/targets.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

constexpr double kUnit = 8.0 / 255;

struct Bench {
  // margin = z0 - z1 = 2 (m0 - m1) + offset in channel means; l-inf budget e moves it by 4 e.
  Net net = linear_net(2, {{1, -1, 0}, {-1, 1, 0}}, {0.05, -0.05});
  Defended target{nullptr, net, {}, Backward::Full, 6, true};
  NoiseStream stream = native_stream();
  std::vector<MinimumPerturbation> find(const Buffer& x, const std::vector<int>& labels, const std::vector<int64_t>& ids, PgdOptions o, double max = 16, int bisections = 12) {
    return minimum_perturbations(target, x.view(), labels.data(), kUnit, o, stream, 0, ids, max, bisections);
  }
};

// Image n has margin margins[n] at the class 0: channel 0 raised, channel 1 lowered around grey.
Buffer with_margins(const std::vector<double>& margins) {
  Buffer x(static_cast<int>(margins.size()), 3, 2, 2);
  std::vector<double> values;
  for (double margin : margins)
    for (int i = 0; i < 12; ++i) values.push_back(0.5 + (i < 4 ? 1 : i < 8 ? -1 : 0) * (margin - 0.1) / 4);
  store(values, x.view());
  return x;
}

// 60 steps of eps / 30 reach the corner of the ball from anywhere in it.
PgdOptions strong() { return pgd_options(60); }

}  // namespace

// The bracket is [b/2, b] (or [0, 1/4]); 12 bisections leave 2^-12 of it. Broken means z1 > z0, so the answer lies just above margin / 4.
TEST(MinimumPerturbation, ExactOnALinearModel) {
  Bench b;
  const std::vector<double> margins = {0.02, 0.11, 0.3, 0.61, 1.0, -0.05};
  const auto found = b.find(with_margins(margins), std::vector<int>(6, 0), {0, 1, 2, 3, 4, 5}, strong());
  for (int n = 0; n < 5; ++n) {
    const double exact = margins[n] / 4 / kUnit;
    double bracket = 0.25;
    while (bracket < exact) bracket *= 2;
    const double width = (bracket == 0.25 ? 0.25 : bracket / 2) / 4096, rounding = kDouble ? 1e-9 : 2e-5 * exact + 1e-5;
    EXPECT_GE(found[n].budget, exact - rounding) << n;
    EXPECT_LE(found[n].budget, exact + width + rounding) << n;
    EXPECT_FALSE(found[n].censored);
    EXPECT_EQ(found[n].non_monotone, 0);
    EXPECT_EQ(found[n].probes.size(), 14u + (bracket == 0.25 ? 1 : static_cast<size_t>(std::log2(bracket / 0.25)) + 1)) << n;
  }
  // Misclassified as it is: 0 without a probe.
  EXPECT_EQ(found[5].budget, 0);
  EXPECT_TRUE(found[5].probes.empty());
  EXPECT_FALSE(found[5].censored);
}

// Not broken up to the largest budget: censored there. Fewer bisections give a coarser answer.
TEST(MinimumPerturbation, CensoredAndCoarse) {
  Bench b;
  const Buffer x = with_margins({0.3, 1.0});   // exact 2.39 and 7.97
  const auto found = b.find(x, {0, 0}, {0, 1}, strong(), 4, 3);
  EXPECT_FALSE(found[0].censored);
  EXPECT_EQ(found[0].budget, 2.5);             // [2, 4]: 3 broken, 2.5 broken, 2.25 not
  EXPECT_TRUE(found[1].censored);
  EXPECT_EQ(found[1].budget, 4);
  EXPECT_EQ(found[1].probes.size(), 5u);       // 1/4, 1/2, 1, 2, 4
  for (const Probe& p : found[1].probes) EXPECT_FALSE(p.broken);
}

// A model that is wrong only in a band of channel 0, so that success is not monotone in the budget: z1 - z0 =
// relu(m0 - 0.55) - 3 relu(m0 - 0.62) - 0.01, positive for m0 in (0.56, 0.65). The answer is the smallest success that was seen; a doubling
// that jumps over the band sees none. Bisection keeps failures below successes; the two tries above the threshold find the pairs.
TEST(MinimumPerturbation, NotMonotone) {
  Builder builder("band");
  Value h = builder.global_avg_pool("pool", builder.input(3, 2, 2));
  h = builder.relu("act", builder.linear("hidden", h, {.in = 3, .out = 2}));
  const Model model = builder.finish(builder.linear("head", h, {.in = 2, .out = 2}));
  Net net(model, std::make_shared<Params>(model));
  net.params().fill_zero();
  set_value(param_view(net, "hidden.weight"), 0, 1);
  set_value(param_view(net, "hidden.weight"), 3, 1);
  set_value(param_view(net, "hidden.bias"), 0, -0.55);
  set_value(param_view(net, "hidden.bias"), 1, -0.62);
  set_value(param_view(net, "head.weight"), 2, 1);
  set_value(param_view(net, "head.weight"), 3, -3);
  set_value(param_view(net, "head.bias"), 1, -0.01);
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const Buffer x = filled(1, 3, 2, 2, 0.5);
  for (size_t i = 0; i < 4; ++i) set_value(x.view(), i, 0.552);
  PgdOptions o = pgd_options(1, false);
  o.relative_step = 1;   // one step to m0 = 0.552 + eps
  const NoiseStream stream = native_stream();
  const int label = 0;
  // Broken for eps in (0.008, 0.098): with a unit of 0.03 the budget 1/4 fails and 1/2 breaks.
  auto found = minimum_perturbations(target, x.view(), &label, 0.03, o, stream, 0, {0}, 16, 12);
  EXPECT_NEAR(found[0].budget, 0.008 / 0.03, 0.25 / 4096 + 1e-4);
  EXPECT_EQ(found[0].non_monotone, 0);
  // Where the band ends below 3 times the threshold, a failure stands above successes.
  found = minimum_perturbations(target, x.view(), &label, 0.12, o, stream, 0, {0}, 16, 0);
  EXPECT_EQ(found[0].budget, 0.25);            // eps 0.03
  EXPECT_EQ(found[0].non_monotone, 0);         // eps 0.045 and 0.09 are inside the band
  found = minimum_perturbations(target, x.view(), &label, 0.18, o, stream, 0, {0}, 16, 0);
  EXPECT_EQ(found[0].non_monotone, 2);         // eps 0.045 and 0.0675 break, 0.135 does not: two pairs
  // With a unit of 0.4 the first budget lies beyond the band.
  found = minimum_perturbations(target, x.view(), &label, 0.4, o, stream, 0, {0}, 1, 12);
  EXPECT_TRUE(found[0].censored);
  // The smallest success is kept.
  found = minimum_perturbations(target, x.view(), &label, 0.2, o, stream, 0, {0}, 16, 6);
  double smallest = 1e9;
  for (const Probe& p : found[0].probes) if (p.broken) smallest = std::min(smallest, p.budget);
  EXPECT_EQ(found[0].budget, smallest);
  EXPECT_LT(found[0].budget, 0.25);
}

// Each image in any batch, with the same probes.
TEST(MinimumPerturbation, DoesNotDependOnTheBatch) {
  Net net = formula_net(kTinyWrn);
  Defended target(nullptr, net, {}, Backward::Full, 4, true);
  const NoiseStream stream = native_stream();
  const Buffer x = pictures("minimum", 4, 8);
  target.forward(x.view(), nullptr);
  std::vector<int> labels = target.predictions();
  labels[2] = (labels[2] + 1) % 10;
  const std::vector<int64_t> ids = {7, 3, 9, 12};
  PgdOptions o = pgd_options(3);
  o.relative_step = 0.4;
  constexpr double kWide = 0.25;   // formula weights need large budgets
  const auto all = minimum_perturbations(target, x.view(), labels.data(), kWide, o, stream, 1, ids, 4, 5);
  int found = 0;
  for (int k = 0; k < 4; ++k) {
    const auto one = minimum_perturbations(target, x.view().images(k, 1), &labels[k], kWide, o, stream, 1, {ids[k]}, 4, 5);
    EXPECT_EQ(one[0].budget, all[k].budget) << k;
    EXPECT_EQ(one[0].censored, all[k].censored) << k;
    ASSERT_EQ(one[0].probes.size(), all[k].probes.size()) << k;
    for (size_t i = 0; i < one[0].probes.size(); ++i) {
      EXPECT_EQ(one[0].probes[i].budget, all[k].probes[i].budget);
      EXPECT_EQ(one[0].probes[i].broken, all[k].probes[i].broken);
    }
    found += !all[k].censored && all[k].budget > 0;
  }
  EXPECT_GT(found, 0);
  EXPECT_EQ(all[2].budget, 0);
}
