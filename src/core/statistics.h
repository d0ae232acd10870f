// Statistics of results: proportions with intervals, means with errors, paired tests, survival curves. NaN in, NaN out.
#pragma once
#include <limits>
#include <string>
#include <vector>

namespace purescope {

// k successes of n, with a 95 % interval; fractions in [0, 1].
struct Proportion {
  int k = 0, n = 0;
  double value = std::numeric_limits<double>::quiet_NaN(), low = 0, high = 1;
  std::string text() const;  // "23.7 % [21.2, 26.4] (n 1000)"; "- (n 0)" without data
};

// Wilson's score interval: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n). Wilson, J. Am. Stat. Assoc. 22
// (1927). n = 0 gives value NaN and [0, 1]. Requires 0 <= k <= n.
Proportion wilson(int k, int n);

// All three are NaN where they are not defined (no values; one value for the last two).
double mean(const std::vector<double>& x);
double standard_deviation(const std::vector<double>& x);  // sqrt(sum (x - mean)^2 / (n - 1))
double standard_error(const std::vector<double>& x);      // standard_deviation / sqrt(n)

// The middle value, or the mean of the two middle values.
double median(std::vector<double> x);

// Exact two-sided McNemar test of paired outcomes: only_first and only_second count the pairs in which just one of
// the two succeeded. p = min(1, 2 P(X <= min)), X ~ Binomial(only_first + only_second, 1/2). 1 without such pairs.
double mcnemar_exact(int only_first, int only_second);

// One observation of a survival time: the event was seen at `time`, or (censored) not up to `time`.
struct Survival {
  double time = 0;
  bool event = true;
};

// S(t) = P(T > t) from `time` on, up to the next entry.
struct SurvivalPoint {
  double time = 0, survival = 1;
  int at_risk = 0, events = 0;
};

// Kaplan and Meier, J. Am. Stat. Assoc. 53 (1958): S(t) = prod over event times u <= t of (1 - events(u)/at_risk(u)).
// Observations censored at u still count as at risk at u. One point per event time, in order; times must not be NaN.
std::vector<SurvivalPoint> kaplan_meier(std::vector<Survival> observations);

// S at time t of such a curve; 1 before the first event.
double survival_at(const std::vector<SurvivalPoint>& curve, double t);

// Half width of the band that holds a whole distribution function of n uncensored values with 95 % confidence:
// sqrt(ln(2/alpha) / 2n), Dvoretzky-Kiefer-Wolfowitz with Massart's constant (Ann. Prob. 18, 1990).
double dkw_half_width(int n, double alpha = .05);

}  // namespace purescope
