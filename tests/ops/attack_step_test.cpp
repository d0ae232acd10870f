// One step of projected gradient descent: step, project, clamp, in this order, each image with its own step and budget.
#include <cmath>

#include "core/parallel.h"
#include "ops/op_checks.h"

using namespace purescope;

namespace {

constexpr int kSide = 4;
constexpr size_t kImage = 3 * kSide * kSide;

struct Bench {
  int n;
  Reals x0, g, x, step, eps;
  explicit Bench(int n) : n(n) {
    x0 = random_reals(1, n * kImage, 0, 1);
    g = random_reals(2, n * kImage, -1, 1);
    x = x0;
    for (int k = 0; k < n; ++k) {
      eps.push_back(static_cast<real>(0.02 * (k + 1)));
      step.push_back(static_cast<real>(0.015 + 0.01 * k));
      for (size_t i = 0; i < kImage; ++i)
        x[k * kImage + i] = std::clamp<real>(x0[k * kImage + i] + eps[k] * random_reals(3, k * kImage + i + 1, -1, 1).back(), 0, 1);
    }
    for (size_t i = 0; i < g.size(); i += 7) g[i] = 0;
  }
  View image(Reals& v) const { return {v.data(), n, 3, kSide, kSide}; }
  View scalar(Reals& v) const { return {v.data(), n, 1, 1, 1}; }
  Reals linf() { Reals y = x; linf_step(image(x0), image(g), scalar(step), scalar(eps), image(y)); return y; }
  Reals l2() { Reals y = x; l2_step(image(x0), image(g), scalar(step), scalar(eps), image(y)); return y; }
};

Bench cut(const Bench& all, int k) {
  Bench b(1);
  auto part = [k](const Reals& v, size_t size) { return Reals(v.begin() + k * size, v.begin() + (k + 1) * size); };
  b.x0 = part(all.x0, kImage);
  b.g = part(all.g, kImage);
  b.x = part(all.x, kImage);
  b.step = part(all.step, 1);
  b.eps = part(all.eps, 1);
  return b;
}

double l2_norm(const Reals& a, const Reals& b, size_t first) {
  double square = 0;
  for (size_t i = first; i < first + kImage; ++i) square += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return std::sqrt(square);
}

}  // namespace

// x0 + clip(x + a sign(g) - x0, -eps, eps), then [0, 1]; sign(0) = 0.
TEST(AttackStep, LinfIsTheFormula) {
  Bench b(5);
  const Reals y = b.linf();
  std::vector<double> expected(y.size());
  size_t still = 0, projected = 0, clamped = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double a = b.step[i / kImage], e = b.eps[i / kImage], sign = b.g[i] > 0 ? 1 : b.g[i] < 0 ? -1 : 0, d = b.x[i] + a * sign - b.x0[i];
    const double p = b.x0[i] + std::min(std::max(d, -e), e);
    expected[i] = std::min(std::max(p, 0.0), 1.0);
    still += b.g[i] == 0;
    projected += std::fabs(d) > e;
    clamped += p < 0 || p > 1;
  }
  EXPECT_TRUE(still > 10 && projected > 10 && clamped > 0) << still << " " << projected << " " << clamped;
  const Comparison r = compare(y, expected, kRealIsDouble ? 1e-15 : 2e-7);
  EXPECT_TRUE(r.ok) << r.message;
  // Control: another order (clamp before projection) is another point where both act, so the comparison must see a shifted step.
  b.step[0] *= real(1.01);
  EXPECT_FALSE(compare(b.linf(), expected, kRealIsDouble ? 1e-15 : 2e-7).ok);
}

// A pixel at a bound: the clamp comes last, so that x0 + eps beyond 1 ends at 1 and the projection is not undone by it.
TEST(AttackStep, ClampComesAfterTheProjection) {
  Reals x0 = {real(0.99), real(0.01), real(0.5), real(0.5)}, g = {3, -2, 0, std::numeric_limits<real>::quiet_NaN()}, x = x0,
        step = {real(0.5)}, eps = {real(0.03)};
  auto view = [](Reals& v, int w) { return View{v.data(), 1, 1, 1, w}; };
  linf_step(view(x0, 4), view(g, 4), view(step, 1), view(eps, 1), view(x, 4));
  EXPECT_EQ(x[0], real(1));
  EXPECT_EQ(x[1], real(0));
  EXPECT_EQ(x[2], real(0.5));      // sign(0) = 0
  EXPECT_TRUE(std::isnan(x[3]));   // never a silent 0
}

TEST(AttackStep, L2IsTheFormula) {
  Bench b(5);
  b.eps = {real(0.05), real(0.1), real(0.2), real(5), real(0.3)};
  b.step = {real(0.3), real(0.01), real(0.1), real(0.4), real(0.2)};
  std::vector<double> expected;
  int projected = 0;
  for (int k = 0; k < 5; ++k) {
    double norm = 0, far = 0;
    for (size_t i = k * kImage; i < (k + 1) * kImage; ++i) norm += double(b.g[i]) * b.g[i];
    norm = std::max(std::sqrt(norm), 1e-12);
    std::vector<double> d(kImage);
    for (size_t i = 0; i < kImage; ++i) {
      d[i] = b.x[k * kImage + i] + b.step[k] * b.g[k * kImage + i] / norm - b.x0[k * kImage + i];
      far += d[i] * d[i];
    }
    const double shrink = std::min(1.0, b.eps[k] / std::max(std::sqrt(far), 1e-12));
    projected += shrink < 1;
    for (size_t i = 0; i < kImage; ++i) expected.push_back(std::clamp(b.x0[k * kImage + i] + d[i] * shrink, 0.0, 1.0));
  }
  EXPECT_TRUE(projected >= 2 && projected <= 4) << projected;
  const Reals y = b.l2();
  const Comparison r = compare(y, expected, kRealIsDouble ? 1e-14 : 1e-6);
  EXPECT_TRUE(r.ok) << r.message;
  for (int k = 0; k < 5; ++k) EXPECT_LE(l2_norm(y, b.x0, k * kImage), b.eps[k] * (1 + 1e-5)) << k;
}

// A gradient of zeros moves nothing (division by max(||g||, 1e-12)), and NaN does not become a number.
TEST(AttackStep, L2OfZeroAndOfNan) {
  Bench b(2);
  std::fill_n(b.g.begin(), kImage, real(0));
  b.g[kImage + 3] = std::numeric_limits<real>::quiet_NaN();
  b.eps = {1, 1};
  const Reals y = b.l2();
  for (size_t i = 0; i < kImage; ++i) {
    EXPECT_NEAR(y[i], b.x[i], kRealIsDouble ? 1e-15 : 1e-7);
    EXPECT_TRUE(std::isnan(y[kImage + i]));
  }
}

TEST(AttackStep, ImagesDoNotSeeEachOtherNorThreads) {
  Bench all(5);
  all.eps[3] = real(0.2);
  const int before = thread_count();
  const Reals linf = all.linf(), l2 = all.l2();
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    EXPECT_TRUE(compare_bits(all.linf(), linf).ok);
    EXPECT_TRUE(compare_bits(all.l2(), l2).ok);
  }
  set_thread_count(before);
  for (int k = 0; k < 5; ++k) {
    Bench one = cut(all, k);
    EXPECT_TRUE(compare_bits(one.linf(), Reals(linf.begin() + k * kImage, linf.begin() + (k + 1) * kImage)).ok) << k;
    EXPECT_TRUE(compare_bits(one.l2(), Reals(l2.begin() + k * kImage, l2.begin() + (k + 1) * kImage)).ok) << k;
  }
}
