#include "experiment/gaussian_steps.h"

#include <cmath>

#include "core/check.h"
#include "experiment/chain_walk.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kStartDraws = 1 << 23;

GaussianField field_of(const FieldSetting& f, int steps) {
  GaussianField g;
  g.variance = two_variances(f.size(), f.inside, f.large, f.small);
  g.step = f.step;
  g.steps = steps;
  return g;
}

std::vector<double> normals(const FieldSetting& f, const NoiseStream& stream, int64_t seed, int64_t index, int which) {
  std::vector<float> v(f.size());
  stream.start_normal(seed, index, kStartDraws + which, v.data(), v.size());
  return {v.begin(), v.end()};
}

// Weights of the two groups before step k: (inside a^2k, outside b^2k).
void weights(const FieldSetting& f, int k, double& inside, double& outside) {
  inside = f.inside * std::pow(factor_inside(f), 2 * k);
  outside = (f.size() - f.inside) * std::pow(factor_outside(f), 2 * k);
}

double share_inside(const FieldSetting& f, const std::vector<double>& d) {
  double inside = 0;
  for (int i = 0; i < f.inside; ++i) inside += d[i] * d[i];
  return inside / dot(d, d);
}

}  // namespace

FieldSetting table_s1() { return {}; }

double factor_inside(const FieldSetting& f) { return 1 - f.step / f.large; }
double factor_outside(const FieldSetting& f) { return 1 - f.step / f.small; }

std::vector<double> closed_form_rates(const FieldSetting& f) {
  std::vector<double> rates;
  for (int k = 0; k < f.steps; ++k) {
    double a, b, a1, b1;
    weights(f, k, a, b);
    weights(f, k + 1, a1, b1);
    rates.push_back(std::sqrt((a1 + b1) / (a + b)));
  }
  return rates;
}

std::vector<double> closed_form_shares(const FieldSetting& f) {
  std::vector<double> shares;
  for (int k = 0; k <= f.steps; ++k) {
    double a, b;
    weights(f, k, a, b);
    shares.push_back(a / (a + b));
  }
  return shares;
}

double closed_form_chain(const FieldSetting& f) {
  double a, b;
  weights(f, f.steps, a, b);
  return std::sqrt((a + b) / f.size());
}

FieldWalk walk_field(const FieldSetting& f, FieldStart start, double length, const NoiseStream& stream, int64_t seed,
                     int64_t index) {
  GaussianFieldDefence one(field_of(f, 1));
  const std::vector<double> variance = two_variances(f.size(), f.inside, f.large, f.small);
  std::vector<double> x = normals(f, stream, seed, index, 0), eta = normals(f, stream, seed, index, 1);
  for (int i = 0; i < f.size(); ++i) {
    x[i] = 0.5 + std::sqrt(variance[i]) * x[i];
    if ((start == FieldStart::Inside && i >= f.inside) || (start == FieldStart::Outside && i < f.inside)) eta[i] = 0;
  }
  const double scale = length / norm2(eta);
  std::vector<real> both;
  for (double v : x) both.push_back(static_cast<real>(v));
  for (int i = 0; i < f.size(); ++i) both.push_back(static_cast<real>(x[i] + scale * eta[i]));
  Buffer now(2, f.channels, f.side, f.side, Device::Cpu), next(2, f.channels, f.side, f.side, Device::Cpu);
  from_host(both.data(), now.view());
  const auto difference = [&] {
    std::vector<double> d(f.size());
    for (int i = 0; i < f.size(); ++i) d[i] = static_cast<double>(now.view().image(1)[i]) - now.view().image(0)[i];
    return d;
  };
  FieldWalk walk;
  std::vector<double> d = difference();
  const double first = norm2(d);
  walk.shares.push_back(share_inside(f, d));
  for (int k = 0; k < f.steps; ++k) {
    const double before = norm2(d);
    one.forward(now.view(), nullptr, next.view());
    std::swap(now, next);
    d = difference();
    walk.rates.push_back(norm2(d) / before);
    walk.shares.push_back(share_inside(f, d));
    walk.finite = walk.finite && std::isfinite(walk.rates.back());
  }
  walk.chain = norm2(d) / first;
  return walk;
}

std::vector<double> plain_growth(const FieldSetting& f, int steps, const NoiseStream& stream, int64_t seed,
                                 int64_t index) {
  std::vector<double> d = normals(f, stream, seed, index, 1), lengths;
  const double first = norm2(d);
  for (int k = 0; k < steps; ++k) {
    for (int i = 0; i < f.size(); ++i) d[i] -= f.step / (i < f.inside ? f.large : f.small) * d[i];
    lengths.push_back(norm2(d) / first);
  }
  return lengths;
}

std::string field_refusal(const FieldSetting& f) {
  try {
    GaussianFieldDefence defence(field_of(f, f.steps));
  } catch (const Error& error) { return error.what(); }
  return "";
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
