// Fixed, free and transferred randomness, and the record of one attacked image.
#include "analysis/robustness.h"
#include "attack/targets.h"

#include <gtest/gtest.h>

#include <map>

using namespace purescope;

namespace {

RobustnessOptions small_options() {
  RobustnessOptions o;
  o.pgd.steps = 3;
  o.t = {3};
  o.draws = 2;
  o.eps = {0.05};
  return o;
}

struct Bench {
  Net unet = formula_net(kTinyUnet), base = formula_net(kTinyWrn), behind = formula_net(kTinyWrn);
  NoiseLedger ledger;
  NoiseStream stream{{NoiseRng::Native, {}, false}, &ledger};
  RobustnessOptions options;
  Robustness robustness;
  Buffer x = pictures("robust", 3, 8);
  std::vector<int> labels;
  std::vector<int64_t> ids = {5, 8, 21};
  explicit Bench(RobustnessOptions o = small_options(), bool purify = true)
      : options(o), robustness(purify ? &unet : nullptr, base, behind, options, stream, 3, 0), labels({1, 4, 7}) {}
  std::vector<AttackRecord> attack(Rand rand, int64_t seed = 0) {
    return robustness.attack({options.t[0], seed, options.eps[0], rand}, x.view(), labels, ids, nullptr, {});
  }
};

void expect_same(const AttackRecord& a, const AttackRecord& b, bool also_test = true) {
  EXPECT_EQ(a.adversarial, b.adversarial);
  EXPECT_EQ(a.pred_clean, b.pred_clean);
  EXPECT_EQ(a.pred_anchor, b.pred_anchor);
  EXPECT_EQ(a.loss_start, b.loss_start);
  EXPECT_EQ(a.cr, b.cr);
  EXPECT_EQ(a.cr_adv, b.cr_adv);
  EXPECT_EQ(a.linf, b.linf);
  if (!also_test) return;
  EXPECT_EQ(a.pred_adv, b.pred_adv);
  EXPECT_EQ(a.loss_end, b.loss_end);
  EXPECT_EQ(a.robust, b.robust);
}

// Draws of the defence's noise at one image.
std::vector<uint64_t> draws_of(const NoiseLedger& ledger, int64_t image) {
  std::vector<uint64_t> draws;
  for (const NoiseLedger::Entry& e : ledger.entries())
    if (e.purpose == Purpose::Noise && e.key.image == image && e.key.phase == Phase::Forward) draws.push_back(e.key.draw);
  return draws;
}

}  // namespace

// Transfer with the same seed is fixed randomness; with another seed the perturbation is the same and the test another.
TEST(Robustness, TransferToTheSameSeedIsFixed) {
  RobustnessOptions o = small_options();
  o.test_seed = 4;
  Bench b(o);
  const std::vector<AttackRecord> fixed = b.attack(Rand::Fixed, 4), same = b.attack(Rand::Transfer, 4), own = b.attack(Rand::Fixed, 0),
                                  other = b.attack(Rand::Transfer, 0);
  for (int n = 0; n < 3; ++n) {
    expect_same(same[n], fixed[n]);
    expect_same(other[n], own[n], false);
    EXPECT_NE(other[n].loss_end, own[n].loss_end);
  }
}

// Fixed: one draw everywhere, number 0. Free: a draw of its own at every step (1, 2, 3) and for the test (2^31).
TEST(Robustness, DrawsOfFixedAndFree) {
  Bench b;
  b.attack(Rand::Fixed);
  for (uint64_t d : draws_of(b.ledger, 8)) EXPECT_EQ(d, 0u);
  Bench c;
  const std::vector<AttackRecord> free = c.attack(Rand::Free);
  size_t zeros = 0;
  std::map<uint64_t, int> count;
  for (uint64_t d : draws_of(c.ledger, 8)) {
    ++count[d];
    zeros += d == 0;
  }
  EXPECT_EQ(count[1], 1);
  EXPECT_EQ(count[2], 1);
  EXPECT_EQ(count[3], 1);
  EXPECT_EQ(count[test_draw(0)], 1);
  EXPECT_EQ(count.size(), 5u);   // and draw 0 of anchors and compression rate
  EXPECT_GT(zeros, 0u);
  Bench d;
  EXPECT_NE(d.attack(Rand::Fixed)[0].adversarial, free[0].adversarial);
}

// The numbers of a record, computed again from its adversarial image.
TEST(Robustness, RecordIsWhatItSays) {
  Bench b;
  const std::vector<AttackRecord> records = b.attack(Rand::Fixed, 2);
  Net unet = formula_net(kTinyUnet), behind = formula_net(kTinyWrn), alone = formula_net(kTinyWrn);
  PurifyOptions o;
  o.t = 3;
  Defended target(&unet, behind, o, Backward::Full, 1, true), bare(nullptr, alone, {}, Backward::Full, 1, true);
  for (int n = 0; n < 3; ++n) {
    const AttackRecord& r = records[n];
    EXPECT_EQ(r.status, "ok");
    EXPECT_EQ(r.image, b.ids[n]);
    KeyedNoise noise(b.stream, 2, {b.ids[n]});
    Buffer adv(1, 3, 8, 8);
    store(r.adversarial, adv.view());
    const View clean = b.x.view().images(n, 1);
    bare.forward(clean, nullptr);
    EXPECT_EQ(bare.predictions()[0], r.pred_clean);
    target.forward(clean, &noise);
    EXPECT_EQ(target.predictions()[0], r.pred_anchor);
    const std::vector<real> anchor = values_of(target.purified());
    target.forward(adv.view(), &noise);
    EXPECT_EQ(target.predictions()[0], r.pred_adv);
    EXPECT_EQ(r.robust, r.pred_adv == b.labels[n]);
    EXPECT_NEAR(target.losses(&b.labels[n])[0], r.loss_end, 1e-5 * r.loss_end);   // the record's image is stored in float
    double moved = 0, l2 = 0, linf = 0, away = 0;
    const std::vector<real> purified = values_of(target.purified()), from = values_of(clean), to = values_of(adv);
    for (int i = 0; i < 192; ++i) {
      moved += std::pow(double(purified[i]) - anchor[i], 2);
      l2 += std::pow(double(to[i]) - from[i], 2);
      linf = std::max(linf, std::fabs(double(to[i]) - from[i]));
      away += std::pow(double(anchor[i]) - from[i], 2);
    }
    EXPECT_NEAR(r.l2, std::sqrt(l2), 1e-5 * r.l2);
    EXPECT_NEAR(r.linf, linf, 1e-6);
    EXPECT_LE(r.linf, 0.05 * (1 + 1e-5));
    EXPECT_NEAR(r.l2_anchor, std::sqrt(away), 1e-5 * r.l2_anchor);
    EXPECT_NEAR(r.cr_adv, std::sqrt(moved / l2), 1e-3 * r.cr_adv);
    EXPECT_EQ(r.forwards, 4);
    EXPECT_EQ(r.backwards, 3);
  }
}

// A batch, its images alone, and any order of settings give the same records.
TEST(Robustness, RecordsDoNotDependOnTheBatch) {
  Bench b, c;
  const std::vector<AttackRecord> all = b.attack(Rand::Free);
  c.attack(Rand::Fixed, 9);
  for (int k : {2, 0, 1}) {
    const AttackRecord one = c.robustness.attack({3, 0, 0.05, Rand::Free}, c.x.view().images(k, 1), {c.labels[k]}, {c.ids[k]}, nullptr, {})[0];
    expect_same(one, all[k]);
  }
}

TEST(Robustness, NanIsNotRobust) {
  Bench b(small_options(), false);
  for (Net* net : {&b.base, &b.behind}) set_value(net->params().view(0), 0, std::numeric_limits<double>::quiet_NaN());
  for (const AttackRecord& r : b.attack(Rand::Fixed)) {
    EXPECT_EQ(r.status, "nan");
    EXPECT_FALSE(r.robust);
  }
}

// Without a purifier the rate is 1 and the anchor is the image.
TEST(Robustness, ClassifierAlone) {
  Bench b(small_options(), false);
  for (const AttackRecord& r : b.attack(Rand::Fixed)) {
    EXPECT_EQ(r.cr, 1);
    EXPECT_EQ(r.pred_anchor, r.pred_clean);
    EXPECT_NEAR(r.cr_adv, 1, 1e-5);
    EXPECT_NEAR(r.l2_anchor, 0, 1e-5);
  }
}

TEST(Robustness, SkippedImagesAreMarked) {
  RobustnessOptions o = small_options();
  o.skip_misclassified = true;
  Bench b(o, false);
  const std::vector<AttackRecord> first = b.attack(Rand::Fixed);
  b.labels = {first[0].pred_clean, (first[1].pred_clean + 1) % 10, first[2].pred_clean};
  const std::vector<AttackRecord> r = b.attack(Rand::Fixed);
  EXPECT_EQ(r[0].status, "ok");
  EXPECT_EQ(r[1].status, "skipped_misclassified");
  EXPECT_FALSE(r[1].robust);
}

// Identity backward attacks another way through the same defence.
TEST(Robustness, BpdaDiffersFromFull) {
  RobustnessOptions o = small_options();
  Bench full(o);
  o.backward = Backward::Bpda;
  Bench bpda(o);
  const std::vector<AttackRecord> a = full.attack(Rand::Fixed), b = bpda.attack(Rand::Fixed);
  EXPECT_NE(a[0].adversarial, b[0].adversarial);
  EXPECT_EQ(a[0].pred_anchor, b[0].pred_anchor);
  EXPECT_EQ(a[0].cr, b[0].cr);
}
