#include "core/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/check.h"

namespace purescope {
namespace {
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kZ95 = 1.959963984540054;  // 97.5 % point of the standard normal distribution
}  // namespace

std::string Proportion::text() const {
  char text[96];
  if (n == 0) return "- (n 0)";
  std::snprintf(text, sizeof text, "%.1f %% [%.1f, %.1f] (n %d)", 100 * value, 100 * low, 100 * high, n);
  return text;
}

Proportion wilson(int k, int n) {
  PURESCOPE_REQUIRE(n >= 0 && k >= 0 && k <= n);
  if (n == 0) return {0, 0, kNone, 0, 1};
  const double p = double(k) / n, z2 = kZ95 * kZ95;
  const double centre = p + z2 / (2. * n), scale = 1 + z2 / n;
  const double half = kZ95 * std::sqrt(p * (1 - p) / n + z2 / (4. * n * n));
  // At the ends the bound is 0 or 1 exactly; the formula misses it by rounding.
  return {k, n, p, k == 0 ? 0 : (centre - half) / scale, k == n ? 1 : (centre + half) / scale};
}

double mean(const std::vector<double>& x) {
  if (x.empty()) return kNone;
  double sum = 0;
  for (double v : x) sum += v;
  return sum / x.size();
}

double standard_deviation(const std::vector<double>& x) {
  if (x.size() < 2) return kNone;
  const double m = mean(x);
  double sum = 0;
  for (double v : x) sum += (v - m) * (v - m);
  return std::sqrt(sum / (x.size() - 1));
}

double standard_error(const std::vector<double>& x) { return standard_deviation(x) / std::sqrt(double(x.size())); }

double median(std::vector<double> x) {
  // NaN has no place in an order, so it must not reach the sort.
  if (x.empty() || std::any_of(x.begin(), x.end(), [](double v) { return std::isnan(v); })) return kNone;
  const size_t half = x.size() / 2;
  std::nth_element(x.begin(), x.begin() + half, x.end());
  const double upper = x[half];
  if (x.size() % 2) return upper;
  const double lower = *std::max_element(x.begin(), x.begin() + half);
  return lower + (upper - lower) / 2;
}

double mcnemar_exact(int only_first, int only_second) {
  PURESCOPE_REQUIRE(only_first >= 0 && only_second >= 0);
  const int n = only_first + only_second, few = std::min(only_first, only_second);
  // C(n, few) / 2^n through logarithms; each smaller term from the one before.
  double term = std::exp(std::lgamma(n + 1.) - std::lgamma(few + 1.) - std::lgamma(n - few + 1.) - n * std::log(2.));
  double sum = 0;
  for (int k = few; k >= 0; --k) {
    sum += term;
    term *= double(k) / (n - k + 1);
  }
  return std::min(1., 2 * sum);
}

std::vector<SurvivalPoint> kaplan_meier(std::vector<Survival> observations) {
  for (const Survival& o : observations) PURESCOPE_REQUIRE(!std::isnan(o.time));
  std::sort(observations.begin(), observations.end(),
            [](const Survival& a, const Survival& b) { return a.time < b.time; });
  std::vector<SurvivalPoint> curve;
  double survival = 1;
  for (size_t i = 0; i < observations.size();) {
    const double time = observations[i].time;
    const int at_risk = static_cast<int>(observations.size() - i);
    int events = 0;
    for (; i < observations.size() && observations[i].time == time; ++i) events += observations[i].event;
    if (events == 0) continue;
    survival *= 1 - double(events) / at_risk;
    curve.push_back({time, survival, at_risk, events});
  }
  return curve;
}

double survival_at(const std::vector<SurvivalPoint>& curve, double t) {
  double survival = 1;
  for (const SurvivalPoint& point : curve) {
    if (point.time <= t) survival = point.survival;
  }
  return survival;
}

double dkw_half_width(int n, double alpha) {
  PURESCOPE_REQUIRE(n > 0 && alpha > 0 && alpha < 1);
  return std::sqrt(std::log(2 / alpha) / (2. * n));
}

}  // namespace purescope
