// DPM-Solver as a list of linear steps. In l = log(alpha / sigma) the probability-flow ODE has an exact linear part; the rest is a
// polynomial in l through the predictions m of several calls: m = eps, or for ++ the data prediction (x - sigma eps) / alpha.
#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "diffusion/reverse_step.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr double kEndTime = 1.0 / kDiffusionSteps;

// log alpha at t_i = (i + 1) / 1000, linear between and beyond the ends.
class LogAlpha {
 public:
  LogAlpha() { for (double abar : linear_schedule().abar) values_.push_back(0.5 * std::log(abar)); }
  double at(double t) const {
    const double place = t * kDiffusionSteps - 1;
    const int i = std::clamp(static_cast<int>(std::floor(place)), 0, kDiffusionSteps - 2);
    return values_[i] + (place - i) * (values_[i + 1] - values_[i]);
  }
  double time_of(double log_alpha) const {
    int i = 0;
    while (i < kDiffusionSteps - 2 && values_[i + 1] > log_alpha) ++i;
    return (i + 1 + (log_alpha - values_[i]) / (values_[i + 1] - values_[i])) / kDiffusionSteps;
  }
 private:
  std::vector<double> values_;
};

struct Point { double t, log_alpha, alpha, sigma, l; };

Point point_at(const LogAlpha& schedule, double t) {
  const double a = schedule.at(t), sigma = std::sqrt(-std::expm1(2 * a));
  return {t, a, std::exp(a), sigma, a - std::log(sigma)};
}

// log alpha = -log(1 + exp(-2 l)) / 2.
Point point_of(const LogAlpha& schedule, double l) {
  const double log_alpha = l > 0 ? -0.5 * std::log1p(std::exp(-2 * l)) : l - 0.5 * std::log1p(std::exp(2 * l));
  return point_at(schedule, schedule.time_of(log_alpha));
}

// Points between and including two times.
std::vector<Point> grid(const LogAlpha& schedule, bool logsnr, double from, double to, int intervals) {
  std::vector<Point> points;
  const double first = point_at(schedule, from).l, last = point_at(schedule, to).l;
  for (int k = 0; k <= intervals; ++k) {
    const double share = static_cast<double>(k) / intervals;
    if (k == 0 || k == intervals || !logsnr) points.push_back(point_at(schedule, k == intervals ? to : from + (to - from) * share));
    else points.push_back(point_of(schedule, first + (last - first) * share));
  }
  return points;
}

// The steps so far, and the point of the state before each call.
class Writer {
 public:
  explicit Writer(bool plusplus) : plusplus_(plusplus) {}
  std::vector<ReverseStep> steps;

  // Begins the step of a call at p: y = factor * (state `base` calls before) + ..., ending at `to`.
  void begin(const Point& p, const Point& from, const Point& to, int base) {
    points_.push_back(p);
    ReverseStep s;
    s.time = p.t * kDiffusionSteps - 1;
    steps.push_back(s);
    add_x(base, plusplus_ ? to.sigma / from.sigma : std::exp(to.log_alpha - from.log_alpha));
  }
  // y += factor * m, the prediction `back` calls before.
  void add(int back, double factor) {
    if (!plusplus_) return add_eps(back, factor);
    const Point& p = points_[points_.size() - 1 - back];
    add_x(back, factor / p.alpha);
    add_eps(back, -factor * p.sigma / p.alpha);
  }

 private:
  void add_x(int back, double v) { (back == 0 ? steps.back().q : steps.back().back_x[back - 1]) += v; }
  void add_eps(int back, double v) { (back == 0 ? steps.back().r : steps.back().back_eps[back - 1]) += v; }
  bool plusplus_;
  std::vector<Point> points_;
};

// The functions of h that weigh the constant, first and second difference of m; their common factor is -sigma_t, or for ++ -alpha_t:
//   phi_1 = e^h - 1, phi_2 = phi_1 / h - 1, phi_3 = phi_2 / h - 1/2;   ++: the same of -h, with the sign of the odd differences turned.
struct Phi {
  Phi(bool plusplus, double h)
      : one(std::expm1(plusplus ? -h : h)),
        two(plusplus ? -(one / h + 1) : one / h - 1),
        three((plusplus ? -two : two) / h - 0.5) {}
  double one, two, three;
};

// One multistep update of `order` from points[k] to points[k + 1].
void multistep(Writer& w, const std::vector<Point>& points, int k, int order, const DpmOptions& d) {
  const Point &from = points[k], &to = points[k + 1];
  const double h = to.l - from.l, scale = d.plusplus ? -to.alpha : -to.sigma;
  const Phi phi(d.plusplus, h);
  w.begin(from, from, to, 0);
  w.add(0, scale * phi.one);
  if (order == 1) return;
  const double r0 = (from.l - points[k - 1].l) / h;
  if (order == 2) {  // D = (m0 - m1) / r0
    w.add(0, scale * phi.one * 0.5 / r0);
    w.add(1, -scale * phi.one * 0.5 / r0);
    return;
  }
  // D0 = (m0 - m1) / r0, D1 = (m1 - m2) / r1;  first difference D0 + r0 / (r0 + r1) (D0 - D1), second (D0 - D1) / (r0 + r1),
  // which is half of the second derivative; the program of the authors takes it as the whole, and so does this unless d.taylor.
  const double r1 = (points[k - 1].l - points[k - 2].l) / h;
  const double first = scale * phi.two, second = scale * phi.three * (d.taylor ? 2 : 1);
  const double d0 = first * (1 + r0 / (r0 + r1)) + second / (r0 + r1), d1 = -first * r0 / (r0 + r1) - second / (r0 + r1);
  w.add(0, d0 / r0);
  w.add(1, -d0 / r0 + d1 / r1);
  w.add(2, -d1 / r1);
}

// One singlestep update of `order` through intermediate points at shares r1, r2 of the way in l.
void singlestep(Writer& w, const std::vector<Point>& inner, bool plusplus) {
  const int order = static_cast<int>(inner.size()) - 1;
  const Point &from = inner.front(), &to = inner.back();
  const double h = to.l - from.l, r1 = (inner[1].l - from.l) / h;
  const auto scale = [&](const Point& p) { return plusplus ? -p.alpha : -p.sigma; };
  const Phi whole(plusplus, h), part1(plusplus, r1 * h);
  w.begin(from, from, inner[1], 0);
  w.add(0, scale(inner[1]) * (order == 1 ? whole.one : part1.one));
  if (order == 1) return;
  if (order == 2) {
    w.begin(inner[1], from, to, 1);
    w.add(1, scale(to) * whole.one * (1 - 0.5 / r1));
    w.add(0, scale(to) * whole.one * 0.5 / r1);
    return;
  }
  const double r2 = (inner[2].l - from.l) / h;
  const Phi part2(plusplus, r2 * h);
  w.begin(inner[1], from, inner[2], 1);
  w.add(1, scale(inner[2]) * (part2.one - r2 / r1 * part2.two));
  w.add(0, scale(inner[2]) * r2 / r1 * part2.two);
  w.begin(inner[2], from, to, 2);
  w.add(2, scale(to) * (whole.one - whole.two / r2));
  w.add(0, scale(to) * whole.two / r2);
}

// The orders of the singlestep updates that spend exactly `calls` network calls.
std::vector<int> singlestep_orders(int calls, int order) {
  std::vector<int> orders;
  if (order == 1) return std::vector<int>(calls, 1);
  if (order == 2) {
    orders.assign(calls / 2, 2);
    if (calls % 2) orders.push_back(1);
    return orders;
  }
  if (calls % 3 == 0) {
    orders.assign(calls / 3 - 1, 3);
    orders.insert(orders.end(), {2, 1});
  } else {
    orders.assign(calls / 3, 3);
    orders.push_back(calls % 3);
  }
  return orders;
}

}  // namespace

std::vector<ReverseStep> dpm_steps(const PurifyOptions& o) {
  reverse_indices(o);
  const LogAlpha schedule;
  const DpmOptions& d = o.dpm;
  const double start = static_cast<double>(o.t) / kDiffusionSteps;
  const int calls = o.reverse_count();
  Writer w(d.plusplus);
  if (!d.singlestep) {
    const std::vector<Point> points = grid(schedule, d.logsnr, start, kEndTime, calls);
    for (int k = 0; k < calls; ++k) {
      int order = std::min(k + 1, d.order);
      if (calls < 10) order = std::min(order, calls - k);  // few steps: low orders at the end, where a polynomial would overshoot
      multistep(w, points, k, order, d);
    }
  } else {
    const std::vector<int> orders = singlestep_orders(calls, d.order);
    const std::vector<Point> outer = grid(schedule, d.logsnr, start, kEndTime, d.logsnr ? static_cast<int>(orders.size()) : calls);
    for (size_t k = 0, at = 0; k < orders.size(); ++k) {
      const size_t next = at + (d.logsnr ? 1 : orders[k]);
      singlestep(w, grid(schedule, d.logsnr, outer[at].t, outer[next].t, orders[k]), d.plusplus);
      at = next;
    }
  }
  for (size_t k = 0; k < w.steps.size(); ++k) w.steps[k].label = static_cast<int>(w.steps.size() - 1 - k);
  return w.steps;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
