#include "experiment/directions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "golden_file.h"

using namespace purescope;

namespace {

struct Outputs {
  std::vector<float> x0;
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<std::vector<float>>> f;
};

std::vector<float> floats(const std::vector<double>& v) { return {v.begin(), v.end()}; }

// f(x_p, xi_s) = x0 + a * part of the input + b * part of the noise + c * part of both; the inputs are x0 + 0.1 part of
// the input.
Outputs made(int p_count, int s_count, double a, double b, double c) {
  const size_t size = 60;
  Outputs o;
  o.x0 = floats(direction("x0", size, 0.5, 0.3));
  for (int p = 0; p < p_count; ++p) {
    const auto eta = direction("input " + std::to_string(p), size);
    o.inputs.push_back(o.x0);
    o.f.emplace_back();
    for (size_t i = 0; i < size; ++i) o.inputs[p][i] += static_cast<float>(0.1 * eta[i]);
    for (int s = 0; s < s_count; ++s) {
      const auto xi = direction("noise " + std::to_string(s), size),
                 both = direction("both " + std::to_string(100 * p + s), size);
      o.f[p].push_back(o.x0);
      for (size_t i = 0; i < size; ++i) o.f[p][s][i] += static_cast<float>(a * eta[i] + b * xi[i] + c * both[i]);
    }
  }
  return o;
}

RandomnessNumbers numbers(const Outputs& o) { return randomness_numbers(o.x0, o.inputs, o.f); }

double cosine(const Outputs& o, int p, int s, int q, int r) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < o.x0.size(); ++i) {
    const double a = o.f[p][s][i] - static_cast<double>(o.x0[i]), b = o.f[q][r][i] - static_cast<double>(o.x0[i]);
    ab += a * b;
    aa += a * a;
    bb += b * b;
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

// total = input + internal to rounding, for the plug-in variances; with n - 1 it would not hold.
TEST(Directions, VarianceIdentity) {
  for (double c : {0.0, 0.05}) {
    const RandomnessNumbers r = numbers(made(5, 4, 0.02, 0.3, c));
    EXPECT_NEAR(r.input + r.internal, r.total, 1e-14);
    EXPECT_GT(std::abs(r.input * 5 / 4 + r.internal * 4 / 3 - r.total * 20 / 19), 1e-4)
        << "control: the unbiased estimators";
    EXPECT_NEAR(r.snr, r.input / r.internal, 1e-15);
  }
}

TEST(Directions, VariancesAreTheDefinition) {
  const Outputs o = made(3, 4, 0.1, 0.2, 0.05);
  double input = 0, internal = 0;
  const size_t size = o.x0.size();
  for (size_t i = 0; i < size; ++i) {
    double of_noise[4] = {}, all = 0;
    for (int s = 0; s < 4; ++s) {
      for (int p = 0; p < 3; ++p) of_noise[s] += o.f[p][s][i] / 3.0;
      all += of_noise[s] / 4;
    }
    for (int s = 0; s < 4; ++s) {
      internal += (of_noise[s] - all) * (of_noise[s] - all) / 4 / size;
      for (int p = 0; p < 3; ++p) input += (o.f[p][s][i] - of_noise[s]) * (o.f[p][s][i] - of_noise[s]) / 12 / size;
    }
  }
  const RandomnessNumbers r = numbers(o);
  EXPECT_NEAR(r.input, input, 1e-15);
  EXPECT_NEAR(r.internal, internal, 1e-15);
}

// Cosines against the sums over pairs, written out.
TEST(Directions, CosinesAreMeansOverPairs) {
  const Outputs o = made(3, 4, 0.1, 0.1, 0.1);
  double noise = 0, input = 0, both = 0;
  int n_noise = 0, n_input = 0, n_both = 0;
  for (int p = 0; p < 3; ++p)
    for (int s = 0; s < 4; ++s)
      for (int q = 0; q < 3; ++q)
        for (int r = 0; r < 4; ++r) {
          if (p == q && s == r) continue;
          double& sum = p == q ? noise : s == r ? input : both;
          ++(p == q ? n_noise : s == r ? n_input : n_both);
          sum += cosine(o, p, s, q, r);
        }
  const RandomnessNumbers r = numbers(o);
  EXPECT_NEAR(r.cosine_noise, noise / n_noise, 1e-12);
  EXPECT_NEAR(r.cosine_input, input / n_input, 1e-12);
  EXPECT_NEAR(r.cosine_both, both / n_both, 1e-12);
  EXPECT_GT(std::abs(r.cosine_noise - r.cosine_input), 1e-3);
}

// Outputs that follow the noise alone: no input variance, one cluster per noise, directions of one noise coincide. And
// the reverse.
TEST(Directions, ExtremesAreRecognised) {
  const RandomnessNumbers noise = numbers(made(4, 5, 0, 0.3, 0)), input = numbers(made(4, 5, 0.3, 0, 0));
  EXPECT_NEAR(noise.input, 0, 1e-15);
  EXPECT_NEAR(noise.radius_fixed_noise, 0, 1e-6);
  EXPECT_GT(noise.radius_fixed_input, 0.5);
  EXPECT_NEAR(noise.cosine_input, 1, 1e-6);
  EXPECT_LT(noise.cosine_noise, 0.5);
  EXPECT_NEAR(input.internal, 0, 1e-15);
  EXPECT_NEAR(input.cosine_noise, 1, 1e-6);
  EXPECT_LT(input.cosine_input, 0.5);
  EXPECT_NEAR(input.radius_fixed_noise, 3 * input.radius_start, 1e-5);
}
