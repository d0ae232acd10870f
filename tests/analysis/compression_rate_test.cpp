// The expected compression rate against its formula, evaluated with the purifier directly.
#include "analysis/compression_rate.h"
#include "attack/targets.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

constexpr double kEps = 8.0 / 255;

struct Bench {
  Net unet = formula_net(kTinyUnet);
  NoiseStream stream = native_stream();
  std::vector<int64_t> ids = {5, 8, 21};
  KeyedNoise noise{stream, 3, ids};
  PurifyOptions options;
  Buffer x = pictures("rate", 3, 8), anchors = Buffer(3, 3, 8, 8);
  std::unique_ptr<Purifier> purifier;
  Bench() {
    options.t = 4;
    purifier = std::make_unique<Purifier>(unet, options, 3, false);
  }
  std::vector<CompressionRate> rates(int draws, bool clamp, double eps = kEps) {
    return compression_rates(*purifier, x.view(), noise, eps, draws, clamp, stream, 3, ids, anchors.view());
  }
  // f(2 x - 1) in [-1, 1].
  std::vector<double> f(const std::vector<double>& x01) {
    Buffer u(3, 3, 8, 8);
    std::vector<real> values;
    for (double v : x01) values.push_back(static_cast<real>(2 * v - 1));
    store(values, u.view());
    const std::vector<real> y = values_of(purifier->forward(u.view(), noise));
    return {y.begin(), y.end()};
  }
};

double distance(const std::vector<double>& a, const std::vector<double>& b, int image) {
  double square = 0;
  for (size_t i = image * 192; i < (image + 1) * 192u; ++i) square += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(square);
}

}  // namespace

// || f(x + eta) - f(x) || / || eta || for each draw, mean and standard error over the draws, with and without the clamp.
TEST(CompressionRate, IsTheFormula) {
  for (bool clamp : {false, true}) {
    Bench b;
    const std::vector<CompressionRate> rates = b.rates(3, clamp, 0.2);
    const std::vector<real> pixels = values_of(b.x);
    const std::vector<double> x(pixels.begin(), pixels.end()), anchor = b.f(x);
    const Comparison same = compare(values_of(b.anchors.view()), anchor, kDouble ? 1e-12 : 1e-6);
    EXPECT_TRUE(same.ok) << same.message;
    std::vector<std::vector<double>> expected(3);
    std::vector<double> lengths(3, 0);
    for (int draw = 0; draw < 3; ++draw) {
      std::vector<double> moved = x;
      std::vector<float> u(192);
      for (int n = 0; n < 3; ++n) {
        b.stream.cr_uniform(3, b.ids[n], draw, u.data(), u.size());
        for (size_t i = 0; i < 192; ++i) {
          double& v = moved[n * 192 + i];
          v += (2.0 * u[i] - 1) * 0.2;
          if (clamp) v = std::clamp(v, 0.0, 1.0);
        }
      }
      const std::vector<double> y = b.f(moved);
      for (int n = 0; n < 3; ++n) {
        expected[n].push_back(distance(y, anchor, n) / 2 / distance(moved, x, n));   // the purifier's domain is twice as wide
        lengths[n] += distance(moved, x, n) / 3;
      }
    }
    const double bar = kDouble ? 1e-10 : 2e-5;
    for (int n = 0; n < 3; ++n) {
      const Comparison draws = compare(rates[n].draws, expected[n], bar);
      EXPECT_TRUE(draws.ok) << draws.message;
      const double mean = (expected[n][0] + expected[n][1] + expected[n][2]) / 3;
      double square = 0;
      for (double v : expected[n]) square += (v - mean) * (v - mean);
      EXPECT_NEAR(rates[n].mean, mean, bar * mean);
      EXPECT_NEAR(rates[n].standard_error, std::sqrt(square / 2 / 3), 20 * bar * mean);
      EXPECT_NEAR(rates[n].eta_norm, lengths[n], bar * lengths[n]);
      EXPECT_GT(rates[n].mean, 0);
    }
    EXPECT_NE(rates[0].mean, rates[1].mean);
  }
}

// ||eta|| = sqrt(d / 3) eps; one draw has a standard deviation of eps sqrt(1 / 15) (that of u^2, divided by 2 sqrt(d / 3)).
TEST(CompressionRate, NormOfTheNoise) {
  Bench b;
  const int draws = 60;
  for (const CompressionRate& r : b.rates(draws, false)) {
    EXPECT_NEAR(r.eta_norm, std::sqrt(192.0 / 3) * kEps, 5 * kEps * std::sqrt(1.0 / 15 / draws));
    EXPECT_EQ(r.draws.size(), size_t(draws));
  }
  // The papers' number at CIFAR-10 size is this formula: 1.003922.
  EXPECT_NEAR(std::sqrt(3072.0 / 3) * kEps, 1.003922, 5e-7);
  // Clamped noise is shorter for images in the whole of [0, 1].
  const std::vector<CompressionRate> clamped = b.rates(20, true, 0.2), free = b.rates(20, false, 0.2);
  for (int n = 0; n < 3; ++n) EXPECT_LT(clamped[n].eta_norm, 0.98 * free[n].eta_norm);
}

// Rates and draws belong to the image, not to its place in the batch; fewer draws are the first of more.
TEST(CompressionRate, DoesNotDependOnTheBatch) {
  Bench b;
  const std::vector<CompressionRate> all = b.rates(3, false), fewer = b.rates(2, false);
  for (int k = 0; k < 3; ++k) {
    const std::vector<int64_t> id = {b.ids[k]};
    KeyedNoise own(b.stream, 3, id);
    Buffer anchor(1, 3, 8, 8);
    const CompressionRate one = compression_rates(*b.purifier, b.x.view().images(k, 1), own, kEps, 3, false, b.stream, 3, id, anchor.view())[0];
    EXPECT_EQ(one.draws, all[k].draws) << k;
    EXPECT_EQ(one.eta_norm, all[k].eta_norm) << k;
    EXPECT_EQ(fewer[k].draws, std::vector<double>(all[k].draws.begin(), all[k].draws.begin() + 2)) << k;
  }
}

TEST(Distances, AreTheNorms) {
  const Buffer a = filled(2, 3, 2, 2, 0.5), b = filled(2, 3, 2, 2, 0.5);
  set_value(a.view(), 1, 0.75);
  set_value(a.view(), 2, 0.25);
  EXPECT_EQ(l2_distances(a.view(), b.view()), (std::vector<double>{std::sqrt(0.125), 0}));
  EXPECT_EQ(linf_distances(a.view(), b.view()), (std::vector<double>{0.25, 0}));
}
