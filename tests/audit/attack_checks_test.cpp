// The attack side on a linear classifier behind a Gaussian field, where the robust accuracy is known: 12 of 24 images.
#include <gtest/gtest.h>

#include "audit/subjects.h"

using namespace purescope;

namespace {

const std::vector<int> kAll = {kConnected, kSingleStep, kMoreSteps, kRestarts, kBudget, kRandomSearch, kGradientFree, kTransfer, kInstability, kSilent,
                               kLoss, kMinimum};

}  // namespace

// Closed form: image n stands 2 eps (0.1 + 1.9 n / 24) from the boundary, and an l-inf attack of eps moves it by 2 eps.
TEST(AttackChecks, HonestFieldPassesWithItsKnownAccuracy) {
  LinearField f;
  f.options.checks = kAll;
  f.options.restarts = 3;
  const auto checks = f.run(f.honest());
  for (int id : {kConnected, kSingleStep, kRestarts, kBudget, kRandomSearch, kGradientFree, kTransfer, kSilent, kLoss})
    EXPECT_EQ(checks.at(id).verdict, Verdict::Pass) << id << ": " << checks.at(id).statistic;
  EXPECT_DOUBLE_EQ(checks.at(kMinimum).value, 12.0 / 24) << checks.at(kMinimum).statistic;
  EXPECT_DOUBLE_EQ(checks.at(kMoreSteps).value, 0) << checks.at(kMoreSteps).statistic;
}

// A zero gradient leaves the attack where it starts: whoever needs no gradient, or has another, is stronger.
TEST(AttackChecks, AZeroGradientIsBeatenByAttacksWithoutOne) {
  LinearField f;
  f.options.checks = {kConnected, kSingleStep, kBudget, kGradientFree, kTransfer, kMinimum};
  const auto checks = f.run(std::move(plant("zero-backward", f.honest()).defence));
  for (int id : {kConnected, kGradientFree, kTransfer}) EXPECT_EQ(checks.at(id).verdict, Verdict::Fail) << id << ": " << checks.at(id).statistic;
}

// The wrong sign: bounded and unbounded attacks lose to one that does nothing clever.
TEST(AttackChecks, AReversedGradientFailsAtEveryBudget) {
  class Reversed : public PlantedDefence {
   public:
    using PlantedDefence::PlantedDefence;

   protected:
    void vjp(View d) override {
      inner_->backward(d);
      affine_forward(-1, d, 0, {}, 0, d);
    }
  };
  LinearField f;
  f.options.checks = {kSingleStep, kBudget, kGradientFree};
  const auto checks = f.run(std::make_unique<Reversed>(f.honest()));
  for (int id : {kBudget, kGradientFree}) EXPECT_EQ(checks.at(id).verdict, Verdict::Fail) << id << ": " << checks.at(id).statistic;
}

// An attack too short to converge is told so.
TEST(AttackChecks, AStarvedAttackIsNotConverged) {
  LinearField f;
  f.options.checks = {kMoreSteps};
  f.options.pgd.steps = 2;
  f.options.pgd.relative_step = 0.1;
  EXPECT_EQ(f.run(f.honest()).at(kMoreSteps).verdict, Verdict::Warn);
}

// With noise in the field: the attack that knows the noise is not weaker than the one that does not, and the control is beaten.
TEST(AttackChecks, Noise) {
  LinearField f(0.002);
  f.options.checks = {kSingleStep, kFixedNoise, kControl, kEot};
  f.options.eot = 4;
  f.options.control_draws = 5;
  f.options.eot_draws = 8;
  const auto checks = f.run(f.honest());
  for (int id : {kFixedNoise, kControl, kEot}) EXPECT_EQ(checks.at(id).verdict, Verdict::Pass) << id << ": " << checks.at(id).statistic;
}

// Logits times 1e4: cross-entropy has no gradient left, the margin still has.
TEST(AttackChecks, ASaturatedCrossEntropyIsBeatenByTheMargin) {
  LinearField f;
  f.options.checks = {kConnected, kSingleStep, kLoss};
  Plant p = plant("logits-1e4", f.honest());
  const auto checks = f.run(std::move(p.defence), p.logit_scale);
  EXPECT_EQ(checks.at(kLoss).verdict, Verdict::Warn);
  EXPECT_GT(checks.at(kLoss).low, 10) << checks.at(kLoss).statistic;
}

// (C + l) w = point - mean, with more values than rows and with fewer; C from the definition.
TEST(Binarisation, ReadoutSolvesItsEquation) {
  for (const size_t rows : {4u, 9u}) {
    const size_t k = 6;
    const std::vector<double> inner = direction("inner", rows * k, 0.5, 1), point = direction("point", k, 0, 1);
    const double ridge = 1e-2;
    const std::vector<double> w = readout_direction(inner, point, ridge);
    std::vector<double> mean(k, 0), c(k * k, 0);
    for (size_t i = 0; i < inner.size(); ++i) mean[i % k] += inner[i] / rows;
    for (size_t r = 0; r < rows; ++r)
      for (size_t i = 0; i < k; ++i)
        for (size_t j = 0; j < k; ++j) c[i * k + j] += (inner[r * k + i] - mean[i]) * (inner[r * k + j] - mean[j]) / rows;
    double trace = 0;
    for (size_t i = 0; i < k; ++i) trace += c[i * k + i];
    for (size_t i = 0; i < k; ++i) {
      double sum = ridge * trace / k * w[i];
      for (size_t j = 0; j < k; ++j) sum += c[i * k + j] * w[j];
      EXPECT_NEAR(sum, point[i] - mean[i], 1e-10) << rows << " rows, value " << i;  // condition number about 1e3
    }
  }
}

// Verdicts by the number of images that the attack and that random points break.
TEST(Binarisation, Rule) {
  const auto rule = [](int n, int broken, int random) {
    std::vector<std::string> lines;
    for (int i = 0; i < n; ++i)
      lines.push_back(JsonLine().add("kind", "binary").add("img", i).add("seed", 0).add("separable", true).add("broken", i < broken).add("random", i < random).text());
    lines.push_back(JsonLine().add("kind", "binary").add("img", n).add("seed", 0).add("separable", false).text());
    AuditOptions o;
    o.checks = {kBinarisation};
    return judge_audit(lines, o, AuditBars{})[0].verdict;
  };
  EXPECT_EQ(rule(20, 20, 0), Verdict::Pass);
  EXPECT_EQ(rule(20, 18, 0), Verdict::Warn);
  EXPECT_EQ(rule(20, 12, 0), Verdict::Fail);
  EXPECT_EQ(rule(20, 20, 2), Verdict::Warn);
  EXPECT_EQ(rule(20, 20, 10), Verdict::Fail);
  EXPECT_EQ(rule(0, 0, 0), Verdict::Skip);
}
