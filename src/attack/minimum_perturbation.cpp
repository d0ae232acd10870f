#include "attack/minimum_perturbation.h"

#include <algorithm>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

struct Bracket { double low = 0, high = -1; bool finished = false; };  // high < 0: not broken yet

void count_pairs(MinimumPerturbation& m) {
  for (const Probe& a : m.probes)
    for (const Probe& b : m.probes) m.non_monotone += a.broken && !b.broken && a.budget < b.budget;
}

}  // namespace

std::vector<MinimumPerturbation> minimum_perturbations(Defended& classifier, View x0, const int* labels, double unit, const PgdOptions& options,
                                                       const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images,
                                                       double max_budget, int bisections) {
  PURESCOPE_REQUIRE(!classifier.has_purifier());
  constexpr double kFirst = 0.25;
  std::vector<MinimumPerturbation> result(x0.n);
  std::vector<Bracket> bracket(x0.n);
  classifier.forward(x0, nullptr);
  std::vector<int> predictions = classifier.predictions();
  for (int n = 0; n < x0.n; ++n) bracket[n].finished = predictions[n] != labels[n];

  // Tries one budget per image (all images run; finished ones are not recorded) and narrows the brackets.
  auto probe = [&](const std::vector<double>& budgets) {
    std::vector<double> eps;
    for (double b : budgets) eps.push_back(b * unit);
    const PgdResult attacked = pgd(classifier, x0, labels, eps, options, stream, seed, images, [](int) { return nullptr; });
    classifier.forward(attacked.adversarial.view(), nullptr);
    predictions = classifier.predictions();
    for (int n = 0; n < x0.n; ++n) {
      if (bracket[n].finished) continue;
      const bool broken = predictions[n] != labels[n];
      result[n].probes.push_back({budgets[n], broken});
      if (broken) bracket[n].high = budgets[n];
      else bracket[n].low = budgets[n];
    }
  };

  auto unbroken = [&](int n) { return !bracket[n].finished && bracket[n].high < 0; };
  for (double budget = kFirst; budget <= max_budget; budget *= 2) {
    std::vector<double> budgets(x0.n);
    bool any = false;
    for (int n = 0; n < x0.n; ++n) {
      budgets[n] = budget;
      any = any || unbroken(n);
    }
    if (!any) break;
    std::vector<bool> pause(x0.n);
    for (int n = 0; n < x0.n; ++n) if (!unbroken(n) && !bracket[n].finished) pause[n] = bracket[n].finished = true;
    probe(budgets);
    for (int n = 0; n < x0.n; ++n) if (pause[n]) bracket[n].finished = false;
  }
  for (int n = 0; n < x0.n; ++n)
    if (unbroken(n)) {
      result[n].censored = bracket[n].finished = true;
      result[n].budget = bracket[n].low;
    }
  for (int i = 0; i < bisections; ++i) {
    std::vector<double> budgets(x0.n, kFirst);
    for (int n = 0; n < x0.n; ++n) if (!bracket[n].finished) budgets[n] = (bracket[n].low + bracket[n].high) / 2;
    if (std::all_of(bracket.begin(), bracket.end(), [](const Bracket& b) { return b.finished; })) break;
    probe(budgets);
  }
  // Two budgets above the threshold: a failure there is a pair that is not monotone, and says how far PGD can be trusted.
  std::vector<double> threshold(x0.n, kFirst);
  for (int n = 0; n < x0.n; ++n) if (!bracket[n].finished) threshold[n] = bracket[n].high;
  for (double factor : {1.5, 3.0}) {
    std::vector<double> budgets = threshold;
    for (double& b : budgets) b *= factor;
    if (std::any_of(bracket.begin(), bracket.end(), [](const Bracket& b) { return !b.finished; })) probe(budgets);
  }
  for (int n = 0; n < x0.n; ++n) {
    if (!result[n].censored)
      for (const Probe& p : result[n].probes) if (p.broken && (result[n].budget == 0 || p.budget < result[n].budget)) result[n].budget = p.budget;
    count_pairs(result[n]);
  }
  return result;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
