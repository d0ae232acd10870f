// Structural similarity against its definition, window by window, and against closed forms.
#include "analysis/ssim.h"
#include "attack/targets.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

// Two-dimensional weights, covariances about the window's own means: none of the separable code under test.
double by_definition(View a, View b, int n) {
  double total = 0, weights[11][11], mass = 0;
  for (int i = 0; i < 11; ++i)
    for (int j = 0; j < 11; ++j) mass += weights[i][j] = std::exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / 4.5);
  int windows = 0;
  for (int c = 0; c < a.c; ++c)
    for (int row = 0; row + 11 <= a.h; ++row)
      for (int column = 0; column + 11 <= a.w; ++column, ++windows) {
        double ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
        const auto each = [&](auto use) {
          for (int i = 0; i < 11; ++i)
            for (int j = 0; j < 11; ++j) {
              const size_t at = static_cast<size_t>(row + i) * a.w + column + j;
              use(weights[i][j] / mass, static_cast<double>(a.plane(n, c)[at]), static_cast<double>(b.plane(n, c)[at]));
            }
        };
        each([&](double w, double p, double q) { ma += w * p, mb += w * q; });
        each([&](double w, double p, double q) { va += w * (p - ma) * (p - ma), vb += w * (q - mb) * (q - mb), cov += w * (p - ma) * (q - mb); });
        total += (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
      }
  return total / windows;
}

}  // namespace

TEST(Ssim, AgreesWithItsDefinition) {
  const Buffer a = pictures("ssim a", 2, 16), b = pictures("ssim b", 2, 16);
  const std::vector<double> s = ssim(a.view(), b.view());
  for (int n = 0; n < 2; ++n) {
    EXPECT_NEAR(s[n], by_definition(Mirror(a.view()).view(), Mirror(b.view()).view(), n), 1e-12);  // sums of 121 doubles
    EXPECT_LT(s[n], 0.9);
  }
  EXPECT_NEAR(ssim(a.view(), a.view())[1], 1, 1e-12);
}

TEST(Ssim, ClosedForms) {
  const Buffer a = filled(1, 3, 12, 20, 0.25), b = filled(1, 3, 12, 20, 0.75);
  EXPECT_NEAR(ssim(a.view(), b.view())[0], (2 * 0.1875 + 1e-4) / (0.0625 + 0.5625 + 1e-4), 1e-12);  // constant: luminance term alone
  const Buffer small(1, 3, 10, 10);
  EXPECT_TRUE(std::isnan(ssim(small.view(), small.view())[0])) << "no whole window";
}
