#include "analysis/ssim.h"

#include <array>
#include <cmath>
#include <limits>

#include "core/buffer.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kWindow = 11;
constexpr double kDeviation = 1.5, kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> g;
  double sum = 0;
  for (int i = 0; i < kWindow; ++i) {
    const double d = i - kWindow / 2;
    sum += g[i] = std::exp(-d * d / (2 * kDeviation * kDeviation));
  }
  for (double& v : g) v /= sum;
  return g;
}

// Weighted mean of every whole window: [h, w] -> [h - 10, w - 10], rows first, then columns.
std::vector<double> blurred(const std::vector<double>& map, int h, int w) {
  static const std::array<double, kWindow> g = gaussian();
  const int rows = h - kWindow + 1, columns = w - kWindow + 1;
  std::vector<double> down(static_cast<size_t>(rows) * w), out(static_cast<size_t>(rows) * columns);
  for (int r = 0; r < rows; ++r)
    for (int k = 0; k < kWindow; ++k)
      for (int x = 0; x < w; ++x) down[r * w + x] += g[k] * map[(r + k) * w + x];
  for (int r = 0; r < rows; ++r)
    for (int x = 0; x < columns; ++x)
      for (int k = 0; k < kWindow; ++k) out[r * columns + x] += g[k] * down[r * w + x + k];
  return out;
}

double plane_similarity(const real* a, const real* b, int h, int w) {
  const size_t size = static_cast<size_t>(h) * w;
  std::vector<double> x(a, a + size), y(b, b + size), xx(size), yy(size), xy(size);
  for (size_t i = 0; i < size; ++i) {
    xx[i] = x[i] * x[i];
    yy[i] = y[i] * y[i];
    xy[i] = x[i] * y[i];
  }
  x = blurred(x, h, w), y = blurred(y, h, w), xx = blurred(xx, h, w), yy = blurred(yy, h, w), xy = blurred(xy, h, w);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double cross = x[i] * y[i], squares = x[i] * x[i] + y[i] * y[i];
    sum += (2 * cross + kC1) * (2 * (xy[i] - cross) + kC2) / ((squares + kC1) * (xx[i] + yy[i] - squares + kC2));
  }
  return sum / static_cast<double>(x.size());
}

}  // namespace

std::vector<double> ssim(View a, View b) {
  std::vector<double> result(a.n, std::numeric_limits<double>::quiet_NaN());
  if (a.h < kWindow || a.w < kWindow) return result;
  const Mirror x(a), y(b);
  for (int n = 0; n < a.n; ++n) {
    result[n] = 0;
    for (int c = 0; c < a.c; ++c) result[n] += plane_similarity(x.view().plane(n, c), y.view().plane(n, c), a.h, a.w) / a.c;
  }
  return result;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
