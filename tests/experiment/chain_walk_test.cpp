// The walk shows the states that the purifier goes through, and the rates of its stages multiply to the rate of the
// chain.
#include "experiment/chain_walk.h"

#include <gtest/gtest.h>

#include "analysis/compression_rate.h"
#include "attack/targets.h"

using namespace purescope;

namespace {

constexpr double kEps = 8.0 / 255;

struct Bench {
  Net unet = formula_net(kTinyUnet);
  NoiseStream stream = native_stream();
  std::vector<int64_t> ids = {5, 8};
  KeyedNoise noise{stream, 3, ids};
  Buffer x = pictures("walk", 2, 8);
  Purifier purifier;
  explicit Bench(const PurifyOptions& o) : purifier(unet, o, 2, false) {}
};

PurifyOptions options_of(ForwardKind forward, int t = 6, int steps = 0) {
  PurifyOptions o;
  o.t = t;
  o.steps_reverse = steps;
  o.forward = forward;
  return o;
}

}  // namespace

TEST(ChainWalk, StagesAreThoseOfTheChain) {
  const auto places = [](const PurifyOptions& o) {
    Bench b(o);
    std::vector<int> p;
    for (const Stage& s : chain_stages(b.purifier)) p.push_back(s.place);
    return p;
  };
  EXPECT_EQ(places(options_of(ForwardKind::Jump, 6, 3)), (std::vector<int>{0, 6, 8, 10, 12}));
  EXPECT_EQ(places(options_of(ForwardKind::Steps, 4, 2)), (std::vector<int>{0, 1, 2, 3, 4, 6, 8}));
  EXPECT_EQ(places(options_of(ForwardKind::None, 4)), (std::vector<int>{0, 5, 6, 7, 8}));
}

// The last state is the purified image, the last noised state is where the reverse process starts, to the bit.
TEST(ChainWalk, SeesThePurifiersOwnStates) {
  for (ForwardKind kind : {ForwardKind::Jump, ForwardKind::Steps, ForwardKind::None}) {
    Bench b(options_of(kind));
    const std::vector<Stage> stages = chain_stages(b.purifier);
    const ChainStates states = chain_states(b.purifier, b.x.view(), b.noise);
    ASSERT_EQ(states.size(), stages.size());
    Buffer u(2, 3, 8, 8);
    affine_forward(2, b.x.view(), 0, {}, -1, u.view());
    EXPECT_TRUE(compare_bits(states.back(), values_of(b.purifier.forward(u.view(), b.noise))).ok);
    size_t noised = 0;
    for (size_t k = 0; k < stages.size(); ++k)
      if (stages[k].kind != Stage::Reverse) noised = k;
    EXPECT_TRUE(compare_bits(states[noised], values_of(b.purifier.trail().x(0))).ok);
    EXPECT_TRUE(compare_bits(states[0], values_of(u)).ok);
    // Control: neighbouring states differ.
    EXPECT_FALSE(compare_bits(states[noised + 1], states[noised]).ok);
  }
}

// Single forward steps: the state before the last noise is the last state without it, x_t = sqrt(1 - beta) x +
// sqrt(beta) e.
TEST(ChainWalk, SingleForwardStepsFollowTheFormula) {
  Bench b(options_of(ForwardKind::Steps));
  const ChainStates states = chain_states(b.purifier, b.x.view(), b.noise);
  const Schedule s = linear_schedule();
  Buffer e(2, 3, 8, 8);
  for (int k = 0; k < 6; ++k) {
    b.noise.forward(ForwardKind::Steps, k, e.view());
    const std::vector<real> noise = values_of(e);
    std::vector<double> expected;
    for (size_t i = 0; i < noise.size(); ++i)
      expected.push_back(std::sqrt(1 - s.beta[k]) * states[k][i] + std::sqrt(s.beta[k]) * noise[i]);
    const Comparison same = compare(states[k + 1], expected, kDouble ? 1e-14 : 2e-7);
    EXPECT_TRUE(same.ok) << k << " " << same.message;
  }
}

// Eq. 9 along the chain: forward steps compress by sqrt(alpha) (eq. 15), the product of all rates is the rate of the
// chain as analysis/compression_rate measures it, for the same perturbation.
TEST(ChainWalk, RatesMultiplyToTheRateOfTheChain) {
  for (ForwardKind kind : {ForwardKind::Jump, ForwardKind::Steps}) {
    Bench b(options_of(kind));
    const ChainStates base = chain_states(b.purifier, b.x.view(), b.noise);
    const Buffer moved = perturbed(b.x.view(), kEps, b.stream, 3, b.ids, 1);
    const auto norms = tracked_norms(b.purifier, moved.view(), b.noise, base);
    Buffer anchors(2, 3, 8, 8);
    const auto rates =
        compression_rates(b.purifier, b.x.view(), b.noise, kEps, 2, false, b.stream, 3, b.ids, anchors.view());
    const std::vector<Stage> stages = chain_stages(b.purifier);
    const Schedule s = linear_schedule();
    for (int n = 0; n < 2; ++n) {
      double product = 1;
      for (size_t k = 0; k + 1 < norms.size(); ++k) {
        const double rate = norms[k + 1][n] / norms[k][n];
        product *= rate;
        if (stages[k + 1].kind != Stage::Forward) continue;
        const double expected =
            kind == ForwardKind::Jump ? std::sqrt(s.abar[5]) : std::sqrt(1 - s.beta[stages[k + 1].label]);
        EXPECT_NEAR(rate, expected, kDouble ? 1e-12 : 1e-5);
      }
      EXPECT_NEAR(product, rates[n].draws[1], kDouble ? 1e-12 : 1e-6);
      // Control: another draw has another rate.
      EXPECT_GT(std::abs(product - rates[n].draws[0]), 1e-5);
    }
  }
}
