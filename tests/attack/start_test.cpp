// Random starts and restarts.
#include "attack/targets.h"

#include <gtest/gtest.h>

#include "rng/torch_cpu.h"

using namespace purescope;

namespace {

constexpr double kEps = 8.0 / 255;

// The start points alone: no steps. `target` is needed for its shape only.
PgdResult start(Defended& target, const Buffer& x0, double eps, const PgdOptions& o, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& ids) {
  PgdOptions none = o;
  none.steps = 0;
  return pgd(target, x0.view(), std::vector<int>(ids.size(), 0).data(), std::vector<double>(ids.size(), eps), none, stream, seed, ids, no_noise);
}

struct Bench {
  Net net = linear_net(4, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  Defended target{nullptr, net, {}, Backward::Full, 8, true};
  NoiseStream stream = native_stream();
};

}  // namespace

// Keyed by (seed, image): the place in the batch does not matter; another seed or image is another start.
TEST(PgdStart, BelongsToSeedAndImage) {
  Bench b;
  for (Norm norm : {Norm::Linf, Norm::L2}) {
    PgdOptions o;
    o.norm = norm;
    const Buffer x0 = filled(3, 3, 4, 4, 0.5);
    const std::vector<real> a = values_of(start(b.target, x0, 0.1, o, b.stream, 7, {4, 9, 2}).adversarial.view()),
                            turned = values_of(start(b.target, x0, 0.1, o, b.stream, 7, {9, 2, 4}).adversarial.view()),
                            other = values_of(start(b.target, x0, 0.1, o, b.stream, 8, {4, 9, 2}).adversarial.view());
    auto image = [](const std::vector<real>& v, int k) { return std::vector<real>(v.begin() + 48 * k, v.begin() + 48 * (k + 1)); };
    EXPECT_EQ(image(a, 0), image(turned, 2));
    EXPECT_EQ(image(a, 1), image(turned, 0));
    EXPECT_EQ(image(a, 2), image(turned, 1));
    for (int k = 0; k < 3; ++k) EXPECT_NE(image(a, k), image(other, k));
    EXPECT_NE(image(a, 0), image(a, 1));
  }
}

TEST(PgdStart, LiesInTheBallAndInTheUnitInterval) {
  Bench b;
  const Buffer x0 = pictures("start", 8, 4);
  const std::vector<int64_t> ids = {0, 1, 2, 3, 4, 5, 6, 7};
  PgdOptions o;
  const PgdResult linf = start(b.target, x0, 0.2, o, b.stream, 1, ids);
  o.norm = Norm::L2;
  const PgdResult l2 = start(b.target, x0, 2, o, b.stream, 1, ids);
  size_t at_bound = 0;
  double largest = 0;
  const std::vector<real> from = values_of(x0), first = values_of(linf.adversarial), second = values_of(l2.adversarial);
  for (int n = 0; n < 8; ++n) {
    double square = 0;
    for (size_t i = 48 * n; i < 48u * (n + 1); ++i) {
      const double d = first[i] - from[i], e = second[i] - from[i];
      largest = std::max(largest, std::fabs(d));
      square += e * e;
      for (const real v : {first[i], second[i]}) {
        EXPECT_TRUE(v >= 0 && v <= 1);
        at_bound += v == 0 || v == 1;
      }
    }
    EXPECT_LE(std::sqrt(square), 2 * (1 + 1e-6));
  }
  EXPECT_LE(largest, 0.2 * (1 + 1e-6));
  EXPECT_GT(largest, 0.19);
  EXPECT_GT(at_bound, 0u);
}

// Under torch-cpu the start is foolbox's: torch.rand * (eps + eps) - eps in float, product and sum rounded each, then the clamp. The
// generator's rand_scaled is checked against recorded PyTorch values in tests/rng.
TEST(PgdStart, RoundsAsFoolbox) {
  Net net = linear_net(32, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const NoiseStream stream({NoiseRng::TorchCpu, {}, false});
  const Buffer x0 = pictures("foolbox", 1, 32);
  constexpr int64_t kFirstStart = int64_t{1} << 30;
  const PgdResult r = start(target, x0, kEps, {}, stream, 2, {17});
  std::vector<float> offset(3072);
  TorchCpuGenerator(seed_hash(2, 17, kFirstStart)).rand_scaled(offset.data(), offset.size(), -kEps, kEps);
  std::vector<real> expected(3072);
  const std::vector<real> from = values_of(x0);
  for (size_t i = 0; i < 3072; ++i) expected[i] = std::clamp<real>(from[i] + offset[i], 0, 1);
  const Comparison same = compare_bits(values_of(r.adversarial.view()), expected);
  EXPECT_TRUE(same.ok) << same.message;
  // Control: one rounding (a fused multiply-add) gives other bits.
  TorchCpuGenerator(seed_hash(2, 17, kFirstStart)).uniform(offset.data(), offset.size(), static_cast<float>(-kEps), static_cast<float>(kEps));
  for (size_t i = 0; i < 3072; ++i) expected[i] = std::clamp<real>(from[i] + offset[i], 0, 1);
  EXPECT_FALSE(compare_bits(values_of(r.adversarial.view()), expected).ok);
}

// Uniform in the l2 ball of n dimensions: (r / eps)^n is uniform in [0, 1], and the mean direction vanishes. 4000 draws in 12
// dimensions: 5 standard errors.
TEST(PgdStart, L2IsUniformInTheBall) {
  Net net = linear_net(2, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 400, true);
  const NoiseStream stream = native_stream();
  const Buffer x0 = filled(400, 3, 2, 2, 0.5);
  std::vector<int64_t> ids(400);
  for (int i = 0; i < 400; ++i) ids[i] = i;
  PgdOptions o;
  o.norm = Norm::L2;
  double sum = 0, square = 0, direction[12] = {};
  constexpr int kCount = 4000;
  for (int seed = 0; seed < 10; ++seed) {
    const PgdResult r = start(target, x0, 0.25, o, stream, seed, ids);
    const std::vector<real> adversarial = values_of(r.adversarial);
    for (int n = 0; n < 400; ++n) {
      double radius = 0;
      for (int i = 0; i < 12; ++i) {
        const double d = adversarial[12 * n + i] - 0.5;
        radius += d * d;
        direction[i] += d / 0.25 / kCount;
      }
      const double u = std::pow(radius / 0.25 / 0.25, 6);
      sum += u / kCount;
      square += u * u / kCount;
    }
  }
  EXPECT_NEAR(sum, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(square - sum * sum, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / kCount));
  for (double d : direction) EXPECT_NEAR(d, 0, 5 * std::sqrt(1.0 / 14 / kCount));  // E x_i^2 = 1 / (n + 2)
}

// Without steps each restart is its start point: the result is the first misclassified one, or the last of all.
TEST(PgdRestarts, KeepTheFirstSuccess) {
  Net net = linear_net(2, {{1, 1, 1}, {-1, -1, -1}}, {-1.545, 1.545});  // class 0 where the mean sum exceeds 1.545: just above x0
  Defended target(nullptr, net, {}, Backward::Full, 40, true);
  const NoiseStream stream = native_stream();
  const Buffer x0 = filled(40, 3, 2, 2, 0.5);
  std::vector<int64_t> ids(40);
  for (int i = 0; i < 40; ++i) ids[i] = i;
  PgdOptions o = pgd_options(0);
  o.restarts = 3;
  const std::vector<int> labels(40, 1);  // success: class 0
  const PgdResult r = pgd(target, x0.view(), labels.data(), std::vector<double>(40, 0.1), o, stream, 5, ids, no_noise);
  const std::vector<real> adversarial = values_of(r.adversarial);
  int wins[4] = {};
  for (int n = 0; n < 40; ++n) {
    std::vector<float> u(12), kept;
    int winner = 3;
    for (int restart = 0; restart < 3 && winner == 3; ++restart) {
      stream.start_uniform(5, n, restart, u.data(), 12);
      double total = 0;
      for (float v : u) total += 0.5 + 0.2 * v - 0.1;
      if (total / 4 > 1.545) winner = restart;
      kept = u;
    }
    ++wins[winner];
    for (int i = 0; i < 12; ++i) EXPECT_NEAR(adversarial[12 * n + i], 0.5 + 0.2 * kept[i] - 0.1, 1e-6) << n;
  }
  for (int w : wins) EXPECT_GT(w, 0) << "a case that does not occur";
}

// A success of an earlier restart is not given up for a later one, with steps too: image by image as alone.
TEST(PgdRestarts, AreIndependentOfTheBatch) {
  Net net = formula_net(kTinyWrn);
  Defended target(nullptr, net, {}, Backward::Full, 4, true);
  const NoiseStream stream = native_stream();
  const Buffer x0 = pictures("restart", 4, 8);
  target.forward(x0.view(), nullptr);
  const std::vector<int> labels = target.predictions();
  PgdOptions o = pgd_options(2);
  o.restarts = 3;
  const std::vector<int64_t> ids = {3, 1, 4, 15};
  const std::vector<double> eps(4, 0.01);
  const PgdResult all = pgd(target, x0.view(), labels.data(), eps, o, stream, 0, ids, no_noise);
  for (int k = 0; k < 4; ++k) {
    const PgdResult one = pgd(target, x0.view().images(k, 1), &labels[k], eps, o, stream, 0, {ids[k]}, no_noise);
    EXPECT_TRUE(compare_bits(values_of(one.adversarial), values_of(all.adversarial.view().images(k, 1))).ok) << k;
    EXPECT_EQ(one.images[0].adversarial_on_path, all.images[k].adversarial_on_path) << k;
  }
}
