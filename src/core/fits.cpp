#include "core/fits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace purescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kTail = .025;
constexpr uint64_t kBootstrapSeed = 1979;

// Next number of the generator splitmix64 (Steele, Lea and Flood 2014).
uint64_t next(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// P(first <= X <= last), X ~ Binomial(n, p), 0 < p < 1.
double binomial_sum(int n, int first, int last, double p) {
  double sum = 0;
  for (int k = first; k <= last; ++k)
    sum += std::exp(std::lgamma(n + 1.) - std::lgamma(k + 1.) - std::lgamma(n - k + 1.) + k * std::log(p) + (n - k) * std::log1p(-p));
  return sum;
}

// The p at which rising(p) reaches kTail; rising grows from 0 to 1.
double solve(const std::function<double(double)>& rising) {
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (rising(middle) < kTail ? low : high) = middle;
  }
  return (low + high) / 2;
}

double quantile(std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(at), above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double density(double z) { return std::exp(-z * z / 2) / std::sqrt(2 * M_PI); }
double upper_tail(double z) { return std::erfc(z / std::sqrt(2.)) / 2; }

}  // namespace

Proportion clopper_pearson(int k, int n) {
  PURESCOPE_REQUIRE(n >= 0 && k >= 0 && k <= n);
  if (n == 0) return {0, 0, kNone, 0, 1};
  Proportion p{k, n, double(k) / n, 0, 1};
  if (k > 0) p.low = solve([&](double q) { return binomial_sum(n, k, n, q); });
  if (k < n) p.high = 1 - solve([&](double q) { return binomial_sum(n, n - k, n, q); });   // P(X <= k | p) = P(n - X >= n - k | 1 - p)
  return p;
}

Interval middle95(const std::vector<double>& values) {
  std::vector<double> known;
  for (double v : values)
    if (!std::isnan(v)) known.push_back(v);
  if (known.empty() || known.size() * 2 < values.size()) return {kNone, kNone};
  std::sort(known.begin(), known.end());
  return {quantile(known, kTail), quantile(known, 1 - kTail)};
}

Interval bootstrap(int count, int rounds, const std::function<double(const std::vector<int>&)>& statistic) {
  PURESCOPE_REQUIRE(count > 0 && rounds > 1);
  std::vector<double> values;
  std::vector<int> picks(count);
  uint64_t state = kBootstrapSeed;
  for (int r = 0; r < rounds; ++r) {
    for (int& pick : picks) pick = static_cast<int>(next(state) % static_cast<uint64_t>(count));
    values.push_back(statistic(picks));
  }
  return middle95(values);
}

PairedDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b) {
  PURESCOPE_REQUIRE(a.size() == b.size());
  PairedDifference d;
  d.n = static_cast<int>(a.size());
  d.mean = d.low = d.high = kNone;
  if (a.empty()) return d;
  std::vector<double> differences;
  int more = 0, less = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    differences.push_back(b[i] - a[i]);
    more += b[i] > a[i];
    less += b[i] < a[i];
  }
  d.mean = mean(differences);
  const Interval i = bootstrap(d.n, 2000, [&](const std::vector<int>& picks) {
    double sum = 0;
    for (int p : picks) sum += differences[p];
    return sum / d.n;
  });
  d.low = i.low;
  d.high = i.high;
  d.p = mcnemar_exact(more, less);
  return d;
}

double SigmoidFit::operator()(double x) const { return found ? top / (1 + std::exp((x - centre) / width)) : kNone; }

SigmoidFit fit_sigmoid(const std::vector<double>& x, const std::vector<double>& y) {
  PURESCOPE_REQUIRE(x.size() == y.size());
  SigmoidFit best;
  if (x.size() < 3 || *std::max_element(y.begin(), y.end()) <= 0) return best;
  const double range = *std::max_element(x.begin(), x.end());
  if (!(range > 0)) return best;
  double least = std::numeric_limits<double>::infinity();
  const auto attempt = [&](double centre, double width) {
    if (width <= 0) return;
    double ys = 0, ss = 0, yy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double s = 1 / (1 + std::exp((x[i] - centre) / width));
      ys += y[i] * s;
      ss += s * s;
      yy += y[i] * y[i];
    }
    const double top = ss > 0 ? std::clamp(ys / ss, 0., 1.) : 0;
    const double error = std::max(0., yy - 2 * top * ys + top * top * ss);   // sum of (y - top s)^2
    if (!(error < least)) return;
    least = error;
    best = {true, top, centre, width, std::sqrt(error / static_cast<double>(x.size()))};
  };
  constexpr int kCentres = 24, kWidths = 16, kRefined = 4;
  double centre_step = 1.5 * range / kCentres, width_factor = 1.4;
  for (int c = 0; c <= kCentres; ++c)
    for (int w = 0; w < kWidths; ++w) attempt(c * centre_step, .005 * range * std::pow(width_factor, w));
  for (int round = 0; round < 10; ++round) {
    const SigmoidFit at = best;
    centre_step /= 2;
    width_factor = std::sqrt(width_factor);
    for (int c = -kRefined; c <= kRefined; ++c)
      for (int w = -kRefined; w <= kRefined; ++w) attempt(at.centre + c * centre_step, at.width * std::pow(width_factor, w));
  }
  return best;
}

double ZeroInflatedNormal::survival(double c) const { return found ? (1 - zero) * upper_tail((c - mean) / deviation) : kNone; }

ZeroInflatedNormal fit_zero_inflated_normal(const std::vector<Survival>& values) {
  ZeroInflatedNormal fit;
  fit.n = static_cast<int>(values.size());
  std::vector<double> seen, censored;
  for (const Survival& v : values) {
    if (!v.event) censored.push_back(v.time);
    else if (v.time > 0) seen.push_back(v.time);
    else ++fit.zeros;
  }
  fit.censored = static_cast<int>(censored.size());
  if (seen.size() < 2 || !(standard_deviation(seen) > 0)) return fit;
  fit.found = true;
  fit.zero = double(fit.zeros) / fit.n;
  double m = mean(seen), s = standard_deviation(seen);
  const double count = static_cast<double>(seen.size() + censored.size());
  for (int round = 0; round < 500; ++round) {
    double sum = 0, squares = 0;
    for (double v : seen) { sum += v; squares += v * v; }
    for (double c : censored) {   // E[T] and E[T^2] of a normal T given T > c
      const double z = (c - m) / s, tail = upper_tail(z), hazard = tail > 0 ? density(z) / tail : z;
      sum += m + s * hazard;
      squares += m * m + s * s + s * (c + m) * hazard;
    }
    m = sum / count;
    s = std::sqrt(std::max(squares / count - m * m, 1e-12));
  }
  fit.mean = m;
  fit.deviation = s;
  for (const SurvivalPoint& p : kaplan_meier(values))
    if (p.time > 0) fit.residual = std::max(fit.residual, std::abs(p.survival - fit.survival(p.time)));
  return fit;
}

}  // namespace purescope
