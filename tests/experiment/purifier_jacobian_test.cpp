#include "experiment/purifier_jacobian.h"

#include <gtest/gtest.h>

#include "attack/targets.h"
#include "experiment/chain_walk.h"

using namespace purescope;

namespace {

constexpr int kSize = 192;

struct Bench {
  Net unet = formula_net(kTinyUnet);
  NoiseStream stream = native_stream();
  Buffer x = pictures("jacobian", 1, 8, 0.2, 0.8);
  Purifier purifier;
  JacobianPoint point{purifier, stream, x.view(), 3, 5, 16, 0};
  Bench() : purifier(unet, options(), 16, true) {}
  static PurifyOptions options() {
    PurifyOptions o;
    o.t = 4;
    o.clip = Clip::None;
    return o;
  }
};

std::vector<double> row(const std::vector<double>& m, int i) {
  return {m.begin() + i * kSize, m.begin() + (i + 1) * kSize};
}

}  // namespace

// Rows by vector-Jacobian products against columns by central differences; the transpose is not taken for the matrix.
TEST(PurifierJacobian, RowsAgreeWithDifferences) {
  Bench b;
  const std::vector<double> j = exact_jacobian(b.point);
  ASSERT_EQ(j.size(), static_cast<size_t>(kSize) * kSize);
  std::vector<std::vector<double>> basis(20, std::vector<double>(kSize, 0));
  for (int k = 0; k < 20; ++k) basis[k][9 * k] = 1;
  const auto columns = difference_products(b.point, basis);
  std::vector<double> exact, difference, transposed;
  for (int k = 0; k < 20; ++k)
    for (int i = 0; i < kSize; ++i) {
      exact.push_back(j[i * kSize + 9 * k]);
      transposed.push_back(j[9 * k * kSize + i]);
      difference.push_back(columns[k][i]);
    }
  // Double: the error of central differences is h^2 times a third derivative. Float: rounding over 2 h.
  const Comparison same = compare(exact, difference, kDouble ? 1e-7 : 2e-3),
                   control = compare(transposed, difference, kDouble ? 1e-7 : 2e-3);
  EXPECT_TRUE(same.ok) << same.message;
  EXPECT_FALSE(control.ok);
}

// J v_k = s_k u_k for all leading triples, sum of squares = |J|_F^2.
TEST(PurifierJacobian, SpectrumSatisfiesItsEquation) {
  Bench b;
  const std::vector<double> j = exact_jacobian(b.point);
  const Spectrum s = exact_spectrum(j, kSize, 5);
  ASSERT_EQ(s.values.size(), static_cast<size_t>(kSize));
  double squares = 0;
  for (double v : s.values) squares += v * v;
  EXPECT_NEAR(squares / kSize, s.mean_square, 1e-9 * s.mean_square);
  for (int k = 0; k < 5; ++k) {
    std::vector<double> image(kSize), expected;
    for (int i = 0; i < kSize; ++i) image[i] = dot(row(j, i), s.inputs[k]);
    for (double u : s.outputs[k]) expected.push_back(s.values[k] * u);
    const Comparison same = compare(image, expected, 1e-8);
    EXPECT_TRUE(same.ok) << k << " " << same.message;
  }
}

// The sketch finds the same leading values, from below, and says so where the bound is out of its reach.
TEST(PurifierJacobian, SketchFindsTheLeadingValues) {
  Bench b;
  const Spectrum exact = exact_spectrum(exact_jacobian(b.point), kSize, 3),
                 sketch = randomised_spectrum(b.point, 24, 2, 3);
  ASSERT_EQ(sketch.values.size(), 24u);
  for (int k = 0; k < 3; ++k) {
    EXPECT_LT(sketch.values[k], exact.values[k] * (1 + (kDouble ? 1e-6 : 2e-3)));
    EXPECT_GT(sketch.values[k], 0.9 * exact.values[k]);
  }
  EXPECT_LT(sketch.disagreement, kDouble ? 1e-5 : 2e-2);
  EXPECT_GT(sketch.disagreement, 0);
  EXPECT_NEAR(sketch.mean_square, exact.mean_square, 0.3 * exact.mean_square);
}

TEST(PurifierJacobian, SharesCountValues) {
  Spectrum s;
  s.size = 4;
  s.values = {2, 0.5, 0.2, 0.1};
  EXPECT_EQ(share_below(s, 0.25).value, 0.5);
  EXPECT_EQ(share_above(s, 1).value, 0.25);
  EXPECT_TRUE(share_below(s, 0.05).known);
  s.values = {2, 0.5};  // of four: the others are below 0.5
  EXPECT_TRUE(share_above(s, 1).known);
  EXPECT_EQ(share_above(s, 1).value, 0.25);
  EXPECT_FALSE(share_below(s, 0.25).known);
  EXPECT_TRUE(share_below(s, 0.6).known);
  EXPECT_EQ(share_below(s, 0.6).value, 0.75);
}

TEST(PurifierJacobian, AlignmentIsOneForOneSpan) {
  std::vector<std::vector<double>> rows;
  for (int k = 0; k < 6; ++k) rows.push_back(direction("span " + std::to_string(k), 50));
  const auto q = orthonormal(rows);
  ASSERT_EQ(q.size(), 6u);
  for (int i = 0; i < 6; ++i)
    for (int k = 0; k < 6; ++k) EXPECT_NEAR(dot(q[i], q[k]), i == k, 1e-14);
  std::vector<std::vector<double>> turned = {rows[3], rows[1], rows[0], rows[5], rows[4], rows[2], rows[1]};
  const auto same = orthonormal(turned);
  EXPECT_EQ(same.size(), 6u) << "a row that was there already is dropped";
  EXPECT_NEAR(alignment(q, same), 1, 1e-12);
  std::vector<std::vector<double>> others;
  for (int k = 0; k < 6; ++k) others.push_back(direction("other span " + std::to_string(k), 50));
  EXPECT_LT(alignment(q, orthonormal(others)), 0.5);  // 6 / 50 is expected
}
