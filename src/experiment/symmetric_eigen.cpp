#include "experiment/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// T = Q A Q^T with three diagonals: d on the middle one, e beside it; z holds Q row by row if not null.
struct Tridiagonal {
  std::vector<double> d, e;
};

// A <- H A H with H = 1 - 2 v v^T for every column k but the last two, v chosen so that column k ends at row k + 1.
Tridiagonal reduce(std::vector<double>& a, int n, std::vector<double>* z) {
  std::vector<double> v(n), w(n);
  if (z) {
    z->assign(static_cast<size_t>(n) * n, 0);
    for (int i = 0; i < n; ++i) (*z)[static_cast<size_t>(i) * n + i] = 1;
  }
  const auto row = [n](std::vector<double>& m, int i) { return m.data() + static_cast<size_t>(i) * n; };
  for (int k = 0; k + 2 < n; ++k) {
    double square = 0;
    for (int i = k + 1; i < n; ++i) {
      v[i] = row(a, i)[k];
      square += v[i] * v[i];
    }
    const double length = std::sqrt(square), below = square - v[k + 1] * v[k + 1];
    if (!(below > 0)) continue;  // the column ends there already
    v[k + 1] += v[k + 1] < 0 ? -length : length;
    const double scale = 1 / std::sqrt(v[k + 1] * v[k + 1] + below);
    for (int i = k + 1; i < n; ++i) v[i] *= scale;
    // w = A v - (v . A v) v; A <- A - 2 v w^T - 2 w v^T. The rows and columns up to k see only their element k + 1, ...
    double inner = 0;
    for (int i = k; i < n; ++i) {
      const double* r = row(a, i);
      double sum = 0;
      for (int j = k + 1; j < n; ++j) sum += r[j] * v[j];
      w[i] = sum;
      if (i > k) inner += v[i] * sum;
    }
    v[k] = 0;
    for (int i = k; i < n; ++i) w[i] -= inner * v[i];
    for (int i = k; i < n; ++i) {
      double* r = row(a, i);
      const double vi = 2 * v[i], wi = 2 * w[i];
      for (int j = k; j < n; ++j) r[j] -= vi * w[j] + wi * v[j];
    }
    if (!z) continue;
    // Q <- H Q touches the rows from k + 1 on.
    std::fill(w.begin(), w.end(), 0);
    for (int i = k + 1; i < n; ++i) {
      const double* r = row(*z, i);
      for (int j = 0; j < n; ++j) w[j] += v[i] * r[j];
    }
    for (int i = k + 1; i < n; ++i) {
      double* r = row(*z, i);
      const double vi = 2 * v[i];
      for (int j = 0; j < n; ++j) r[j] -= vi * w[j];
    }
  }
  Tridiagonal t{std::vector<double>(n), std::vector<double>(n, 0)};
  for (int i = 0; i < n; ++i) t.d[i] = row(a, i)[i];
  for (int i = 0; i + 1 < n; ++i) t.e[i] = row(a, i + 1)[i];
  return t;
}

// One QR step of the block [low, high] whose shift is the eigenvalue of its last 2 x 2 corner nearest to d[high].
void qr_step(Tridiagonal& t, int low, int high, int n, std::vector<double>* z) {
  const double delta = (t.d[high - 1] - t.d[high]) / 2, corner = t.e[high - 1];
  const double shift = t.d[high] - corner * corner / (delta + std::copysign(std::hypot(delta, corner), delta));
  double x = t.d[low] - shift, bulge = t.e[low];
  for (int k = low; k < high; ++k) {
    const double r = std::hypot(x, bulge), c = r > 0 ? x / r : 1, s = r > 0 ? bulge / r : 0;
    if (k > low) t.e[k - 1] = r;
    const double a = t.d[k], b = t.e[k], g = t.d[k + 1];
    t.d[k] = c * c * a + 2 * c * s * b + s * s * g;
    t.d[k + 1] = s * s * a - 2 * c * s * b + c * c * g;
    t.e[k] = c * s * (g - a) + (c * c - s * s) * b;
    if (k + 1 < high) {
      x = t.e[k];
      bulge = s * t.e[k + 1];
      t.e[k + 1] *= c;
    }
    if (!z) continue;
    double *p = z->data() + static_cast<size_t>(k) * n, *q = p + n;
    for (int j = 0; j < n; ++j) {
      const double pj = p[j], qj = q[j];
      p[j] = c * pj + s * qj;
      q[j] = c * qj - s * pj;
    }
  }
}

}  // namespace

Eigen symmetric_eigen(std::vector<double> a, int n, bool vectors) {
  PURESCOPE_REQUIRE(n > 0 && a.size() == static_cast<size_t>(n) * n);
  std::vector<double> z;
  Tridiagonal t = reduce(a, n, vectors ? &z : nullptr);
  const auto negligible = [&](int i) { return std::abs(t.e[i]) <= 1e-16 * (std::abs(t.d[i]) + std::abs(t.d[i + 1])); };
  int64_t left = 60LL * n;
  for (int high = n - 1; high > 0;) {
    if (negligible(high - 1)) {
      t.e[--high] = 0;
      continue;
    }
    int low = high - 1;
    while (low > 0 && !negligible(low - 1)) --low;
    PURESCOPE_REQUIRE(left-- > 0);
    qr_step(t, low, high, n, vectors ? &z : nullptr);
  }
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int i, int j) { return t.d[i] > t.d[j]; });
  Eigen result;
  for (int i : order) {
    result.values.push_back(t.d[i]);
    if (vectors)
      result.vectors.insert(result.vectors.end(), z.begin() + static_cast<size_t>(i) * n,
                            z.begin() + static_cast<size_t>(i + 1) * n);
  }
  return result;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
