// Fits and intervals of the experiments: exact binomial intervals, paired differences, a sigmoid with a bootstrap interval, a normal
// distribution with a mass at zero and censored values. Everything is deterministic: resampling has a fixed seed.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "core/statistics.h"

namespace purescope {

// Exact 95 % interval of Clopper and Pearson, Biometrika 26 (1934): low solves P(X >= k) = .025, high solves P(X <= k) = .025. It covers at
// least as often as it says, for any n. Requires 0 <= k <= n; n = 0 gives value NaN and [0, 1].
Proportion clopper_pearson(int k, int n);

struct Interval { double low, high; };

// 2.5 and 97.5 % points of the values that are not NaN; NaN, NaN where fewer than half of them, or none, are left.
Interval middle95(const std::vector<double>& values);

// 95 % percentile interval of a statistic of `count` items that are drawn with replacement `rounds` times (Efron 1979): statistic(picks)
// gets `count` positions; middle95 of its values.
Interval bootstrap(int count, int rounds, const std::function<double(const std::vector<int>& picks)>& statistic);

// b - a of the same images, pair by pair.
struct PairedDifference {
  double mean = 0, low = 0, high = 0;   // with the bootstrap interval over the pairs
  double p = 1;                         // exact sign test, two-sided
  int n = 0;
};
PairedDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b);   // equally long

// y = top / (1 + exp((x - centre) / width)), 0 <= top <= 1, width > 0: falls with x from top to 0.
struct SigmoidFit {
  bool found = false;                   // fewer than three points, or none with y > 0: not
  double top = 0, centre = 0, width = 1;
  double residual = 0;                  // root mean square of y - fit
  double operator()(double x) const;
};
// Least squares over x >= 0, y in [0, 1]: a grid over (centre, width), refined; top in closed form.
SigmoidFit fit_sigmoid(const std::vector<double>& x, const std::vector<double>& y);

// T = 0 with probability zero, else normal; S(c) = P(T > c) = (1 - zero) (1 - Phi((c - mean) / deviation)) for c >= 0.
struct ZeroInflatedNormal {
  bool found = false;                   // fewer than two different positive values that were seen: not
  double zero = 0, mean = 0, deviation = 0;
  double residual = 0;                  // largest |S - Kaplan-Meier| at the event times above zero
  int n = 0, zeros = 0, censored = 0;
  double survival(double c) const;
};
// Maximum likelihood; censored values enter as P(T > time) (expectation maximisation of the censored normal).
ZeroInflatedNormal fit_zero_inflated_normal(const std::vector<Survival>& values);

}  // namespace purescope
