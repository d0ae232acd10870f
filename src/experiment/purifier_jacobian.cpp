#include "experiment/purifier_jacobian.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "experiment/chain_walk.h"
#include "experiment/symmetric_eigen.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

using Rows = std::vector<std::vector<double>>;
constexpr int kSketchDraws = 1 << 22;

// u = 2 (x + h direction) - 1 for `rows` copies of x; direction may be null.
Buffer copies(const JacobianPoint& p, int rows, const Rows* directions, int first, double h) {
  const std::vector<real> x = to_host(p.x);
  std::vector<real> values;
  for (int r = 0; r < rows; ++r)
    for (size_t i = 0; i < x.size(); ++i)
      values.push_back(static_cast<real>(2 * (x[i] + (directions ? h * (*directions)[first + r][i] : 0)) - 1));
  Buffer u(rows, p.x.c, p.x.h, p.x.w, p.x.device);
  from_host(values.data(), u.view());
  return u;
}

KeyedNoise noise_of(const JacobianPoint& p, int rows) {
  return KeyedNoise(p.stream, p.seed, std::vector<int64_t>(rows, p.image), 0, p.t_base);
}

// f(x + h q) in [0,1] units for all directions q.
Rows moved(const JacobianPoint& p, const Rows& directions, double h) {
  Rows result;
  const int total = static_cast<int>(directions.size());
  for (int first = 0; first < total; first += p.batch) {
    const int rows = std::min(p.batch, total - first);
    const Buffer u = copies(p, rows, &directions, first, h);
    KeyedNoise noise = noise_of(p, rows);
    const View y = p.purifier.forward(u.view(), noise);
    for (int r = 0; r < rows; ++r) {
      result.push_back(row_values(y, r));
      for (double& v : result.back()) v = (v + 1) / 2;
    }
  }
  return result;
}

// a b^T for rows a_i, b_j.
std::vector<double> products(const Rows& a, const Rows& b) {
  std::vector<double> m(a.size() * b.size());
  parallel_for(static_cast<int>(a.size()), [&](int i) {
    for (size_t j = 0; j < b.size(); ++j) m[i * b.size() + j] = dot(a[i], b[j]);
  });
  return m;
}

// sum_i weights[i] rows[i]
std::vector<double> combine(const double* weights, const Rows& rows) {
  std::vector<double> sum(rows[0].size(), 0);
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t k = 0; k < sum.size(); ++k) sum[k] += weights[i] * rows[i][k];
  return sum;
}

Rows row_list(const std::vector<double>& m, size_t size) {
  Rows rows;
  for (size_t at = 0; at < m.size(); at += size) rows.emplace_back(m.begin() + at, m.begin() + at + size);
  return rows;
}

void normalise(std::vector<double>& v) {
  const double length = norm2(v);
  for (double& x : v) x = length > 0 ? x / length : 0;
}

// Left and right singular vectors of B (rows b_i) for eigenvectors of B B^T: u_k and B^T u_k / sigma_k.
void take_leading(const Eigen& eigen, const Rows& b, int leading, Rows& left, Rows& right) {
  const size_t n = b.size();
  for (int k = 0; k < std::min<int>(leading, static_cast<int>(n)); ++k) {
    const double* u = eigen.vectors.data() + k * n;
    left.emplace_back(u, u + n);
    right.push_back(combine(u, b));
    normalise(right.back());
  }
}

std::vector<double> roots(const std::vector<double>& squares) {
  std::vector<double> r;
  for (double v : squares) r.push_back(std::sqrt(std::max(v, 0.0)));
  return r;
}

}  // namespace

Rows vector_products(const JacobianPoint& p, const Rows& rows) {
  Rows result;
  const int total = static_cast<int>(rows.size());
  int planned = 0;
  for (int first = 0; first < total; first += p.batch) {
    const int count = std::min(p.batch, total - first);
    if (count != planned) {  // the states of the chain serve every product
      const Buffer u = copies(p, count, nullptr, 0, 0);
      KeyedNoise noise = noise_of(p, count);
      p.purifier.forward(u.view(), noise);
      planned = count;
    }
    std::vector<real> cotangents;
    for (int r = 0; r < count; ++r)
      for (double v : rows[first + r]) cotangents.push_back(static_cast<real>(v));
    Buffer d(count, p.x.c, p.x.h, p.x.w, p.x.device);
    from_host(cotangents.data(), d.view());
    p.purifier.backward(d.view());
    for (int r = 0; r < count; ++r) result.push_back(row_values(d.view(), r));
  }
  return result;
}

std::vector<double> exact_jacobian(const JacobianPoint& p) {
  const int size = static_cast<int>(p.x.image_size());
  std::vector<double> jacobian;
  for (int first = 0; first < size; first += p.batch) {
    Rows unit(std::min(p.batch, size - first), std::vector<double>(size, 0));
    for (size_t r = 0; r < unit.size(); ++r) unit[r][first + r] = 1;
    for (const auto& row : vector_products(p, unit)) jacobian.insert(jacobian.end(), row.begin(), row.end());
  }
  return jacobian;
}

Rows difference_products(const JacobianPoint& p, const Rows& directions) {
  const double h = sizeof(real) == 8 ? 1e-4 : 0.05;
  Rows up = moved(p, directions, h);
  const Rows down = moved(p, directions, -h);
  for (size_t r = 0; r < up.size(); ++r)
    for (size_t i = 0; i < up[r].size(); ++i) up[r][i] = (up[r][i] - down[r][i]) / (2 * h);
  return up;
}

Spectrum exact_spectrum(const std::vector<double>& jacobian, int size, int leading) {
  const Rows rows = row_list(jacobian, size);
  const Eigen eigen = symmetric_eigen(products(rows, rows), size, leading > 0);
  Spectrum s;
  s.size = size;
  s.values = roots(eigen.values);
  for (double v : jacobian) s.mean_square += v * v / size;
  if (leading > 0) take_leading(eigen, rows, leading, s.outputs, s.inputs);
  return s;
}

Spectrum randomised_spectrum(const JacobianPoint& p, int rank, int rounds, int leading) {
  const size_t size = p.x.image_size();
  Rows w;
  std::vector<float> normal(size);
  for (int k = 0; k < rank; ++k) {
    p.stream.start_normal(p.seed, p.image, kSketchDraws + k, normal.data(), size);
    w.emplace_back(normal.begin(), normal.end());
  }
  Spectrum s;
  s.size = static_cast<int>(size);
  Rows back = vector_products(p, w);
  for (int k = 0; k < rank; ++k) s.mean_square += dot(back[k], back[k]) / dot(w[k], w[k]) / rank;
  Rows q = orthonormal(back), forth = difference_products(p, q);
  for (int round = 0; round < rounds; ++round) {
    back = vector_products(p, forth);
    // <J q_k, J q_k> by differences alone against <J^T (J q_k), q_k> with the exact product.
    for (size_t k = 0; k < q.size(); ++k) {
      const double square = dot(forth[k], forth[k]);
      s.disagreement = std::max(s.disagreement, std::abs(square - dot(back[k], q[k])) / square);
    }
    q = orthonormal(back);
    forth = difference_products(p, q);
  }
  const Eigen eigen = symmetric_eigen(products(forth, forth), static_cast<int>(q.size()), true);
  s.values = roots(eigen.values);
  Rows small;
  take_leading(eigen, forth, leading, small, s.outputs);
  for (const auto& weights : small) s.inputs.push_back(combine(weights.data(), q));
  return s;
}

Share share_above(const Spectrum& s, double bound) {
  const auto above = std::count_if(s.values.begin(), s.values.end(), [bound](double v) { return v > bound; });
  const bool all = static_cast<int>(s.values.size()) == s.size;
  return {static_cast<double>(above) / s.size, all || (!s.values.empty() && s.values.back() <= bound)};
}

Share share_below(const Spectrum& s, double bound) {
  const auto reach = std::count_if(s.values.begin(), s.values.end(), [bound](double v) { return v >= bound; });
  const bool all = static_cast<int>(s.values.size()) == s.size;
  return {1 - static_cast<double>(reach) / s.size, all || (!s.values.empty() && s.values.back() < bound)};
}

double alignment(const Rows& a, const Rows& b) {
  double sum = 0;
  for (const auto& x : a)
    for (const auto& y : b) sum += dot(x, y) * dot(x, y);
  return a.empty() ? 0 : sum / static_cast<double>(a.size());
}

Rows orthonormal(const Rows& rows, double tolerance) {
  double largest = 0;
  for (const auto& r : rows) largest = std::max(largest, norm2(r));
  Rows basis;
  for (std::vector<double> v : rows) {
    const double length = norm2(v);
    if (!(length > tolerance * largest)) continue;
    for (int twice = 0; twice < 2; ++twice)
      for (const auto& b : basis) {
        const double along = dot(v, b);
        for (size_t i = 0; i < v.size(); ++i) v[i] -= along * b[i];
      }
    if (!(norm2(v) > tolerance * length)) continue;
    normalise(v);
    basis.push_back(std::move(v));
  }
  return basis;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
