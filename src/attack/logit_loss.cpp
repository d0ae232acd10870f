#include "attack/logit_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr double kTiny = 1e-12;   // AutoAttack's guard of the denominators

// Classes by falling logit.
std::vector<int> ranked(const real* z, int classes) {
  std::vector<int> order(classes);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [z](int a, int b) { return z[a] > z[b]; });
  return order;
}

// num / den and its derivative, num and den being sums of logits with the given weights.
struct Weighted { std::vector<std::pair<int, double>> terms; };
double value(const Weighted& w, const real* z) {
  double sum = 0;
  for (const auto& [c, weight] : w.terms) sum += weight * z[c];
  return sum;
}

double ratio(const Weighted& num, const Weighted& den, const real* z, int classes, real* dz) {
  const double n = value(num, z), d = value(den, z) + kTiny;
  if (dz) {
    std::vector<double> g(classes, 0.0);
    for (const auto& [c, weight] : num.terms) g[c] += weight / d;
    for (const auto& [c, weight] : den.terms) g[c] -= weight * n / (d * d);
    for (int c = 0; c < classes; ++c) dz[c] = static_cast<real>(g[c]);
  }
  return n / d;
}

}  // namespace

int least_classes(LossKind kind) { return kind == LossKind::Dlr ? 3 : kind == LossKind::TargetedDlr ? 4 : 2; }

double logit_loss(LossKind kind, const real* z, int classes, int label, int target, real* dz) {
  PURESCOPE_REQUIRE(kind != LossKind::CrossEntropy && classes >= least_classes(kind));
  const std::vector<int> order = ranked(z, classes);
  const int other = order[0] == label ? order[1] : order[0];
  switch (kind) {
    case LossKind::Dlr: return ratio({{{label, -1}, {other, 1}}}, {{{order[0], 1}, {order[2], -1}}}, z, classes, dz);
    case LossKind::TargetedDlr:
      return ratio({{{label, -1}, {target, 1}}}, {{{order[0], 1}, {order[2], -0.5}, {order[3], -0.5}}}, z, classes, dz);
    case LossKind::Margin:
    case LossKind::CrossEntropy: break;
  }
  if (dz) {
    std::fill_n(dz, classes, real(0));
    dz[other] = 1;
    dz[label] = -1;
  }
  return static_cast<double>(z[other]) - z[label];
}

int prediction(const real* z, int classes) {
  int best = 0;
  for (int c = 0; c < classes; ++c) {
    if (!std::isfinite(z[c])) return -1;
    if (z[c] > z[best]) best = c;
  }
  return best;
}

std::vector<int> ranked_others(const real* z, int classes, int label) {
  std::vector<int> order = ranked(z, classes);
  order.erase(std::find(order.begin(), order.end(), label));
  return order;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
