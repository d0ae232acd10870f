#include "experiment/symmetric_eigen.h"

#include <gtest/gtest.h>

#include <cmath>

#include "golden_file.h"

using namespace purescope;

namespace {

std::vector<double> random_symmetric(int n) {
  std::vector<double> v = direction("symmetric", static_cast<size_t>(n) * n), a(v.size());
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) a[i * n + j] = v[i * n + j] + v[j * n + i];
  return a;
}

// Largest |A q - lambda q| and |Q Q^T - 1|.
double residual(const std::vector<double>& a, const Eigen& e, int n) {
  double worst = 0;
  for (int k = 0; k < n; ++k)
    for (int i = 0; i < n; ++i) {
      double left = 0, inner = 0;
      for (int j = 0; j < n; ++j) {
        left += a[i * n + j] * e.vectors[k * n + j];
        inner += e.vectors[i * n + j] * e.vectors[k * n + j];
      }
      for (double error : {left - e.values[k] * e.vectors[k * n + i], inner - (i == k)})
        if (!(std::abs(error) <= worst)) worst = std::abs(error);
    }
  return worst;
}

}  // namespace

TEST(SymmetricEigen, SatisfiesItsEquation) {
  for (int n : {1, 2, 3, 50}) {
    const std::vector<double> a = random_symmetric(n);
    Eigen e = symmetric_eigen(a, n, true);
    EXPECT_LT(residual(a, e, n), 1e-12) << n;
    EXPECT_TRUE(std::is_sorted(e.values.rbegin(), e.values.rend()));
    const Eigen alone = symmetric_eigen(a, n, false);
    EXPECT_TRUE(compare(alone.values, e.values, 1e-13).ok);
    EXPECT_TRUE(alone.vectors.empty());
    e.values[0] += 1e-6;  // control
    EXPECT_GT(residual(a, e, n), 1e-8);
  }
}

// Known values: the second difference with fixed ends has 2 - 2 cos(k pi / (n + 1)); a matrix of ones has one value n,
// the rest 0; a diagonal has itself.
TEST(SymmetricEigen, KnowsTheClassics) {
  const int n = 40;
  std::vector<double> second(n * n, 0), diagonal(n * n, 0);
  for (int i = 0; i < n; ++i) {
    second[i * n + i] = 2;
    if (i + 1 < n) second[i * n + i + 1] = second[(i + 1) * n + i] = -1;
    diagonal[i * n + i] = i % 2 ? -i : i;
  }
  const Eigen e = symmetric_eigen(second, n, false), ones = symmetric_eigen(std::vector<double>(n * n, 1), n, true),
              d = symmetric_eigen(diagonal, n, false);
  for (int k = 0; k < n; ++k)
    EXPECT_NEAR(e.values[n - 1 - k], 2 - 2 * std::cos((k + 1) * std::acos(-1.0) / (n + 1)), 1e-13);
  EXPECT_NEAR(ones.values[0], n, 1e-12);
  EXPECT_NEAR(std::abs(ones.vectors[7]), 1 / std::sqrt(n), 1e-13);
  EXPECT_NEAR(ones.values[1], 0, 1e-12);
  EXPECT_EQ(d.values[0], 38);
  EXPECT_EQ(d.values[n - 1], -39);
}
