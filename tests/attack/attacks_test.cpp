// The family of attacks: closed forms on linear classifiers, schedules against the published numbers, expectation over draws, and what
// every attack must keep: batch invariance and resuming.
#include "attack/apgd.h"
#include "attack/attacks.h"
#include "attack/black_box.h"
#include "attack/defence_noise.h"
#include "attack/oracle.h"
#include "attack/targets.h"

#include <gtest/gtest.h>

#include "io/scratch_folder.h"

using namespace purescope;

namespace {

constexpr AttackKind kEvery[] = {AttackKind::Pgd, AttackKind::Fgsm, AttackKind::ApgdCe, AttackKind::ApgdDlr, AttackKind::ApgdT, AttackKind::Square,
                                 AttackKind::Spsa, AttackKind::Nes, AttackKind::Random, AttackKind::Suite};

NoiseSource* nothing(const std::vector<NoiseSlot>&) { return nullptr; }

// Small everything, so that a test takes no time.
AttackSettings small(AttackKind kind) {
  AttackSettings s;
  s.kind = kind;
  s.apgd_steps = 12;
  s.queries = 60;
  s.samples = 10;
  return s;
}

// Four classes with different slopes; class 0 is attacked.
struct Slope {
  Net net = linear_net(8, {{1, -2, 0.5}, {-1, 1, 0}, {0.2, 0.3, -1}, {0, -0.5, 0.2}}, {1.2, 0, 0, 0});
  Defended target{nullptr, net, {}, Backward::Full, 4, true};
  NoiseStream stream = native_stream();
  Buffer x = pictures("family", 4, 8, 0.3, 0.7);
  std::vector<int> labels = {0, 0, 0, 0};
  std::vector<double> eps = {0.1, 0.05, 0.2, 0.1};
  AttackTask task() { return {target, x.view(), labels.data(), eps, stream, 3, {4, 9, 2, 30}, nothing}; }
  double margin(View at, int n) {
    target.forward(at, nullptr);
    return logit_loss(LossKind::Margin, target.logits().image(n), 4, labels[n], 0, nullptr);
  }
};

// A tiny purifier and classifier under the noise of `free` draws.
struct Chained {
  Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
  NoiseStream stream = native_stream();
  Buffer x = pictures("family chain", 3, 8);
  std::vector<int> labels;
  std::vector<int64_t> ids = {5, 8, 21};
  std::unique_ptr<Defended> target;
  explicit Chained(int batch) {
    PurifyOptions options;
    options.t = 2;
    target = std::make_unique<Defended>(&unet, classifier, options, Backward::Full, batch, true);
    KeyedNoise noise(stream, 3, ids);
    for (int n = 0; n < 3; ++n) {   // the label each image has: so that it must be attacked
      KeyedNoise own(stream, 3, {ids[n]});
      target->forward(x.view().images(n, 1), &own);
      labels.push_back(target->predictions()[0]);
    }
  }
  AttackResult run(const AttackSettings& s, const PgdOptions& o, bool free, int first = 0, int count = 3, AttackCheckpoint* c = nullptr,
                   const std::function<bool()>& stop = {}) {
    DefenceNoise noise(stream, 3, free, s.eot.draws, 0);
    const SlotNoise slots = [&](const std::vector<NoiseSlot>& at) { return noise.at(at); };
    return attack({*target, x.view().images(first, count), labels.data() + first, std::vector<double>(count, 0.03), stream, 3,
                   {ids.begin() + first, ids.begin() + first + count}, slots, stop, c}, o, s);
  }
};

void expect_same(const AttackResult& a, const AttackResult& b, int from, const std::string& what) {
  const size_t size = a.adversarial.view().image_size();
  for (size_t n = 0; n < b.images.size(); ++n) {
    EXPECT_TRUE(compare_bits(a.adversarial.data() + (from + n) * size, b.adversarial.data() + n * size, size).ok) << what << " image " << n;
    const PgdImage &p = a.images[from + n], &q = b.images[n];
    EXPECT_EQ(p.loss_last, q.loss_last) << what;
    EXPECT_EQ(p.forwards, q.forwards) << what;
    EXPECT_EQ(p.backwards, q.backwards) << what;
    EXPECT_EQ(p.adversarial_on_path, q.adversarial_on_path) << what;
    EXPECT_EQ(p.broken_by, q.broken_by) << what;
  }
}

}  // namespace

TEST(Apgd, CheckpointsAsPublished) {
  EXPECT_EQ(apgd_checkpoints(100), (std::vector<int>{22, 41, 57, 70, 80, 87, 93, 99}));
  EXPECT_EQ(apgd_checkpoints(50), (std::vector<int>{11, 21, 30, 38, 45}));
  EXPECT_EQ(apgd_checkpoints(20), (std::vector<int>{4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}));
  EXPECT_EQ(apgd_checkpoints(200), (std::vector<int>{44, 82, 114, 140, 160, 174, 186, 198}));
}

// The first entry is compared with the last one of the list, which is still 0 at the first check.
TEST(Apgd, OscillationWrapsAround) {
  std::vector<double> loss(10, 0.0);
  loss[0] = 1, loss[1] = 2, loss[2] = 3, loss[3] = 4;
  EXPECT_FALSE(apgd_oscillates(loss, 3, 4));   // 4 of 4 rise, the first against the 0 of the last entry
  loss[0] = -1;                                // 3 of 4 <= 0.75 * 4
  EXPECT_TRUE(apgd_oscillates(loss, 3, 4));
  loss[0] = 1;
  loss[9] = 1.5;                               // not 0 any more: the wrapped comparison fails
  EXPECT_TRUE(apgd_oscillates(loss, 3, 4));
  loss[4] = 5;
  EXPECT_FALSE(apgd_oscillates(loss, 4, 4));   // a later check does not wrap
}

// Gradients +1, -1, 0, 0 at successive points, whatever the image: the path is known. From d beyond x0 with step 2e:
//   e;   e + 0.75 (-2e) + 0.25 (e - d) = -0.25 e - 0.25 d;   a quarter of the last move goes on where the gradient is 0.
TEST(Apgd, MomentumOnAKnownPath) {
  struct Scripted : public Defence {
    std::vector<Buffer> seen;
    int calls = 0;
    void forward(View x, NoiseSource*, View y) override {
      copy_forward(x, y);
      seen.emplace_back(x.n, x.c, x.h, x.w);
      copy_forward(x, seen.back().view());
    }
    bool random() const override { return false; }
    std::string describe() const override { return "scripted"; }
    void vjp(View d) override { fill_forward(calls == 0 ? 1 : calls == 1 ? -1 : 0, d); ++calls; }
  };
  Net net = linear_net(4, {{0, 0, 0}, {0, 0, 0}}, {1, 0});
  auto owned = std::make_unique<Scripted>();
  Scripted& path = *owned;
  Defended target(std::move(owned), net, 1, true);
  const NoiseStream stream = native_stream();
  Buffer x = pictures("path", 1, 4, 0.4, 0.6);
  const int label = 0;
  const double e = 0.1, tolerance = kDouble ? 1e-12 : 1e-6;
  AttackSettings s = small(AttackKind::ApgdCe);
  s.apgd_steps = 30;   // the step is first checked after six iterations
  attack({target, x.view(), &label, {e}, stream, 3, {4}, nothing}, pgd_options(1), s);
  ASSERT_GE(path.seen.size(), 5u);   // x0, the start, three iterates
  const auto at = [&](int k, size_t i) { return static_cast<double>(value_at(path.seen[k].view(), i)) - value_at(x.view(), i); };
  double moved = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = at(1, i), second = -0.25 * e - 0.25 * d;
    EXPECT_NEAR(at(0, i), 0, 0);
    EXPECT_NEAR(at(2, i), e, tolerance);
    EXPECT_NEAR(at(3, i), second, tolerance);
    EXPECT_NEAR(at(4, i), std::max(-e, second + 0.25 * (second - e)), tolerance);
    moved = std::max(moved, std::abs(d));
  }
  EXPECT_NEAR(moved, e, tolerance);   // the start touches a face of the ball
}

TEST(Square, SidesAndScheduleAsPublished) {
  AttackSettings s;
  std::vector<int> sides32, sides224;
  for (int edge : {0, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001}) {
    sides32.push_back(square_side(square_share(edge, s), 32, 32));
    sides224.push_back(square_side(square_share(edge, s), 224, 224));
  }
  EXPECT_EQ(sides32, (std::vector<int>{29, 20, 14, 10, 7, 5, 4, 3, 2, 1}));
  EXPECT_EQ(sides224, (std::vector<int>{200, 142, 100, 71, 50, 35, 25, 18, 13, 9}));
  double p = 0.8;
  for (int edge : {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000}) {
    EXPECT_DOUBLE_EQ(square_share(edge, s), p);
    EXPECT_DOUBLE_EQ(square_share(edge + 1, s), p /= 2);
  }
  s.square_rescale = true;   // 5000 queries: iteration 5 counts as 10, 6 as 12
  EXPECT_DOUBLE_EQ(square_share(5, s), 0.8);
  EXPECT_DOUBLE_EQ(square_share(6, s), 0.4);
}

TEST(LogitLoss, ValuesAndDerivatives) {
  const real z[5] = {real(0.5), real(2), real(-1), real(1.25), real(0.75)};
  // sorted 2, 1.25, 0.75, 0.5, -1
  EXPECT_NEAR(logit_loss(LossKind::Margin, z, 5, 3, 0, nullptr), 0.75, 1e-6);
  EXPECT_NEAR(logit_loss(LossKind::Dlr, z, 5, 1, 0, nullptr), -(2 - 1.25) / (2 - 0.75), 1e-6);
  EXPECT_NEAR(logit_loss(LossKind::Dlr, z, 5, 3, 0, nullptr), -(1.25 - 2) / (2 - 0.75), 1e-6);
  EXPECT_NEAR(logit_loss(LossKind::TargetedDlr, z, 5, 1, 4, nullptr), -(2 - 0.75) / (2 - 0.5 * (0.75 + 0.5)), 1e-6);
  EXPECT_EQ(ranked_others(z, 5, 1), (std::vector<int>{3, 4, 0, 2}));
  for (LossKind kind : {LossKind::Margin, LossKind::Dlr, LossKind::TargetedDlr})
    for (int label : {0, 1, 3}) {
      real dz[5];
      logit_loss(kind, z, 5, label, 4, dz);
      for (int c = 0; c < 5; ++c) {
        const real h = real(1e-3);
        real up[5], down[5];
        std::copy(z, z + 5, up);
        std::copy(z, z + 5, down);
        up[c] += h;
        down[c] -= h;
        const double slope = (logit_loss(kind, up, 5, label, 4, nullptr) - logit_loss(kind, down, 5, label, 4, nullptr)) / (static_cast<double>(up[c]) - down[c]);
        EXPECT_NEAR(dz[c], slope, 2e-5) << static_cast<int>(kind) << " " << label << " " << c;   // differences of order h^2
      }
    }
}

// The loss of a linear model is largest in a corner that is known: signs of the difference of two rows.
TEST(Attacks, ReachTheOptimumOfALinearModel) {
  Net net = linear_net(8, {{1, -2, 0.5}, {-1, 1, -0.25}, {-3, 0, 0}, {-3, 0, 0}}, {5.1, 4.9, -9, -9});   // only class 1 is near, and within reach
  Defended target(nullptr, net, {}, Backward::Full, 2, true);
  const Buffer x = pictures("optimum", 2, 8, 0.3, 0.7);
  const std::vector<int> labels = {0, 0};
  const double eps[] = {0.1, 0.2};
  for (AttackKind kind : {AttackKind::Fgsm, AttackKind::Pgd, AttackKind::ApgdCe, AttackKind::ApgdDlr, AttackKind::ApgdT}) {
    PgdOptions o = pgd_options(70);
    const AttackResult r = attack({target, x.view(), labels.data(), {eps[0], eps[1]}, native_stream(), 0, {0, 1}, nothing}, o, small(kind));
    for (int n = 0; n < 2; ++n)
      for (size_t i = 0; i < 192; ++i) {
        const int sign = i / 64 == 1 ? 1 : -1;
        EXPECT_NEAR(r.adversarial.view().image(n)[i], x.view().image(n)[i] + sign * eps[n], kDouble ? 1e-12 : 2e-6) << attack_name(kind) << " " << i;
      }
  }
}

// Square and the estimated gradients see logits only; on a linear model they must come most of the way to the optimum, random points not.
TEST(Attacks, BlackBoxesDescend) {
  for (AttackKind kind : {AttackKind::Square, AttackKind::Spsa, AttackKind::Nes, AttackKind::Random}) {
    Slope l;
    for (int c = 0; c < 3; ++c) param_view(l.net, "mix.weight").data[c * 3 + c] = real(0.2);   // out of reach: the margin stays negative
    AttackSettings s = small(kind);
    s.queries = 6000;
    s.samples = 40;
    PgdOptions o = pgd_options(40);
    o.relative_step = 0.05;   // NES: 146 estimates of 40 passes, each with about 63 % of its signs right
    const AttackResult r = attack(l.task(), o, s);
    PgdOptions best = pgd_options(70);
    const AttackResult top = attack(l.task(), best, small(AttackKind::Pgd));
    for (int n = 0; n < 4; ++n) {
      const double start = l.margin(l.x.view(), n), reached = l.margin(r.adversarial.view(), n), optimum = l.margin(top.adversarial.view(), n);
      ASSERT_LT(optimum, 0);
      const double share = (reached - start) / (optimum - start);
      EXPECT_LE(share, 1 + 1e-4) << attack_name(kind);
      if (kind == AttackKind::Random) EXPECT_GT(share, 0.1);
      else EXPECT_GT(share, 0.6) << attack_name(kind) << " " << n;
      EXPECT_EQ(r.images[n].backwards, 0);
      for (size_t i = 0; i < 192; ++i) EXPECT_LE(std::abs(r.adversarial.view().image(n)[i] - l.x.view().image(n)[i]), l.eps[n] * (1 + 1e-6)) << attack_name(kind);
    }
  }
}

// Every result lies in the ball and in [0, 1], in both norms; and an attack that does not know a norm says so.
TEST(Attacks, StayInTheBall) {
  for (AttackKind kind : kEvery)
    for (Norm norm : {Norm::Linf, Norm::L2}) {
      Slope l;
      PgdOptions o = pgd_options(5);
      o.norm = norm;
      if (norm == Norm::L2 && std::string(attack_norms(kind)) == "linf") {
        EXPECT_EQ(exit_code_of([&] { attack(l.task(), o, small(kind)); }), kUsage) << attack_name(kind);
        continue;
      }
      const AttackResult r = attack(l.task(), o, small(kind));
      for (int n = 0; n < 4; ++n) {
        double linf = 0, square = 0;
        for (size_t i = 0; i < 192; ++i) {
          const double v = r.adversarial.view().image(n)[i], d = v - l.x.view().image(n)[i];
          EXPECT_TRUE(v >= 0 && v <= 1);
          linf = std::max(linf, std::abs(d));
          square += d * d;
        }
        EXPECT_LE(norm == Norm::Linf ? linf : std::sqrt(square), l.eps[n] * (1 + 1e-5)) << attack_name(kind);
      }
    }
}

// Image k of a batch comes out with the bits it has alone, whatever the attack, under fixed and under free randomness, with and without EOT.
TEST(Attacks, BatchDoesNotMoveABit) {
  PgdOptions o = pgd_options(3);
  for (AttackKind kind : kEvery)
    for (int draws : {1, 2}) {
      AttackSettings s = small(kind);
      s.apgd_steps = 4;
      s.queries = 6;
      s.samples = 4;
      s.targets = 2;
      s.eot.draws = draws;
      s.eot.average = true;
      Chained wide(3), narrow(1);
      narrow.labels = wide.labels;
      const AttackResult all = wide.run(s, o, draws > 1);
      for (int k = 0; k < 3; ++k) expect_same(all, narrow.run(s, o, draws > 1, k, 1), k, std::string(attack_name(kind)) + " draws " + std::to_string(draws));
    }
}

// Stopped before every step and taken up again: the same bits.
TEST(Attacks, StoppedAndContinued) {
  PgdOptions o = pgd_options(2);
  o.restarts = 2;
  for (AttackKind kind : kEvery) {
    AttackSettings s = small(kind);
    s.apgd_steps = 3;
    s.queries = 5;
    s.samples = 2;
    s.targets = 2;
    Chained c(3);
    const AttackResult whole = c.run(s, o, true);
    AttackCheckpoint state;
    AttackResult last;
    int stops = 0;
    for (; stops < 200; ++stops) {
      int asked = 0;
      last = c.run(s, o, true, 0, 3, &state, [&] { return asked++ == 1; });
      if (!last.stopped) break;
      ASSERT_TRUE(state.set);
    }
    if (kind != AttackKind::Fgsm) { EXPECT_GT(stops, 0) << attack_name(kind); }   // which has one step only
    ASSERT_FALSE(last.stopped) << attack_name(kind);
    EXPECT_FALSE(state.set);
    expect_same(last, whole, 0, attack_name(kind));
  }
}

// Under fixed noise n draws are one draw; the gradient in mode loss is the mean of those of the draws; in mode logits it differs.
TEST(Eot, Identities) {
  Chained c(4);
  const std::vector<Row> rows = rows_of({0, 1, 2}, 7);
  auto gradient = [&](EotMode mode, int draws, bool free, std::vector<std::vector<real>>* parts = nullptr) {
    DefenceNoise noise(c.stream, 3, free, draws, 0);
    const SlotNoise slots = [&](const std::vector<NoiseSlot>& at) { return noise.at(at); };
    AttackTask task{*c.target, c.x.view(), c.labels.data(), {0.1, 0.1, 0.1}, c.stream, 3, c.ids, slots};
    if (parts) task.observe = [&](const NoiseSlot& s, const real* g, size_t size) { if (s.image == c.ids[1]) parts->push_back({g, g + size}); };
    Oracle oracle(task, LossKind::CrossEntropy, {draws, mode, true}, true);
    Buffer g(3, 3, 8, 8);
    oracle.gradient(c.x.view(), rows, g.view());
    return values_of(g.view());
  };
  const std::vector<real> one = gradient(EotMode::Loss, 1, false);
  const double bar = kDouble ? 1e-13 : 1e-6;   // rounding of a mean of equal numbers
  for (int draws : {2, 3, 5})
    for (EotMode mode : {EotMode::Loss, EotMode::Logits}) {
      const Comparison same = compare(gradient(mode, draws, false), one, bar);
      EXPECT_TRUE(same.ok) << eot_mode_name(mode) << draws << ": " << same.message;
    }
  EXPECT_TRUE(compare_bits(gradient(EotMode::Logits, 1, true), gradient(EotMode::Loss, 1, true)).ok);
  std::vector<std::vector<real>> parts;
  const std::vector<real> mean = gradient(EotMode::Loss, 3, true, &parts);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_FALSE(compare(parts[0], parts[1], 1e-3).ok) << "all draws are alike: this tests nothing";
  std::vector<double> by_hand, of_one(mean.begin() + 192, mean.begin() + 384);
  for (size_t i = 0; i < 192; ++i) by_hand.push_back((static_cast<double>(parts[0][i]) + parts[1][i] + parts[2][i]) / 3);
  const Comparison same = compare(of_one, by_hand, kDouble ? 1e-14 : 1e-6);
  EXPECT_TRUE(same.ok) << same.message;
  EXPECT_FALSE(compare(gradient(EotMode::Logits, 3, true), mean, 1e-4).ok);   // Jensen
}

// The suite marks every image once, and an image broken by an early attack is not touched by a later one.
TEST(Suite, MarksImagesOnce) {
  Slope l;
  l.labels = {0, 1, 0, 0};   // the second is misclassified without attack
  l.eps = {0.5, 0.1, 1e-4, 0.5};
  const AttackResult r = attack(l.task(), pgd_options(5), small(AttackKind::Suite));
  l.target.forward(r.adversarial.view(), nullptr);
  const std::vector<int> predictions = l.target.predictions();
  EXPECT_EQ(r.images[1].broken_by, -2);
  EXPECT_TRUE(compare_bits(r.adversarial.view().image(1), l.x.view().image(1), 192).ok);
  EXPECT_EQ(r.images[1].forwards, 1);
  EXPECT_EQ(r.images[2].broken_by, -1);
  EXPECT_EQ(predictions[2], 0);
  EXPECT_EQ(r.images[2].backwards, (12 + 1) * (1 + 3) + 5);   // APGD-CE, three targets, PGD
  for (int n : {0, 3}) {
    EXPECT_EQ(r.images[n].broken_by, 0);
    EXPECT_NE(predictions[n], 0);
    EXPECT_EQ(r.images[n].backwards, 13);   // APGD-CE alone
    const AttackResult alone = attack(l.task(), pgd_options(5), small(AttackKind::ApgdCe));
    EXPECT_TRUE(compare_bits(alone.adversarial.view().image(n), r.adversarial.view().image(n), 192).ok);
  }
}

// Too few classes for a loss: refused with the numbers.
TEST(Attacks, LossesNeedClasses) {
  Net net = linear_net(2, {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {0, 0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const Buffer x = pictures("classes", 1, 2);
  const int label = 0;
  auto run = [&](AttackKind kind) { attack({target, x.view(), &label, {0.1}, native_stream(), 0, {0}, nothing}, pgd_options(2), small(kind)); };
  EXPECT_EQ(exit_code_of([&] { run(AttackKind::ApgdT); }), kUsage);
  run(AttackKind::ApgdDlr);
  EXPECT_EQ(exit_code_of([&] { parse_attack_kind("apgd"); }), kUsage);
  for (const std::string& name : attack_names()) EXPECT_EQ(name, attack_name(parse_attack_kind(name)));
}
