#include <algorithm>
#include <cmath>
#include <limits>

#include "report/audit_rules.h"

namespace purescope {
namespace {

using Unit = AuditRecords::Unit;

int broken(const AuditRecords& r, const std::string& kind) {
  int k = 0;
  for (const auto& [unit, record] : r.of(kind)) k += record.get_bool("broken");
  return k;
}

// Broken by any of `first` and not by `second`, image by image, and the reverse.
PairedDifference compare(const AuditRecords& r, const std::vector<std::string>& first, const std::string& second) {
  int only_first = 0, only_second = 0, n = 0;
  for (const auto& [unit, record] : r.of(second)) {
    bool any = false, there = false;
    for (const std::string& kind : first) {
      const auto found = r.of(kind).find(unit);
      there = there || found != r.of(kind).end();
      any = any || (found != r.of(kind).end() && found->second.get_bool("broken"));
    }
    if (!there) continue;
    ++n;
    only_first += any && !record.get_bool("broken");
    only_second += !any && record.get_bool("broken");
  }
  return paired_difference(only_first, only_second, n);
}

// `stronger_elsewhere`: attacks that should not beat the audited one, by at most `bar` points: FAIL if the interval
// lies beyond it.
AuditCheck not_better(const AuditRecords& r, const std::vector<std::string>& others, const std::string& audited,
                      double bar, const std::string& what) {
  const PairedDifference d = compare(r, others, audited);
  if (d.n == 0) return skipped("not measured");
  AuditCheck c = verdict(100 * d.low > bar     ? Verdict::Fail
                         : 100 * d.value > bar ? Verdict::Warn
                                               : Verdict::Pass,
                         100 * d.value, bar, d.n, audited);
  for (const std::string& kind : others) c.evidence += ", " + kind;
  c.low = 100 * d.low, c.high = 100 * d.high;
  c.statistic = say("%s breaks %d images that %s does not, %d the other way: %+.1f points [%.1f, %.1f] (bar %.1f)",
                    what.c_str(), d.only_first, audited == "attack:pgd" ? "PGD" : audited.c_str(), d.only_second,
                    100 * d.value, 100 * d.low, 100 * d.high, bar);
  return c;
}

AuditCheck single_step(const AuditRecords& r) {
  AuditCheck c = not_better(r, {"attack:fgsm"}, "attack:pgd", 0, "one step");
  c.meaning =
      "one large step beats many small ones: they are too short to use the budget, or the gradient misleads beyond a "
      "short distance";
  c.todo = "raise --steps or --rel-step (their product should exceed 2); then check the gradient (2, 3)";
  return c;
}

// 8. The same attack, longer.
AuditCheck more_steps(const AuditRecords& r, const AuditBars& bars) {
  std::vector<std::pair<int, std::string>> kinds;
  for (const std::string& kind : r.kinds("attack:steps:")) kinds.push_back({std::stoi(kind.substr(13)), kind});
  if (kinds.size() < 2) return skipped("not measured");
  std::sort(kinds.begin(), kinds.end());
  const std::string first = kinds.front().second, last = kinds.back().second;
  const PairedDifference d = compare(r, {last}, first);
  const double before = mean(r.numbers(first, "loss")), after = mean(r.numbers(last, "loss"));
  const double gain = (after - before) / std::abs(before);
  // Best loss so far over the last 10 steps of the audited attack, as a fraction of what the attack gained (IoAF).
  double tail = 0;
  int curves = 0;
  for (const auto& [unit, record] : r.of("loss-curve")) {
    const std::vector<double> loss = json_numbers(record.raw("loss"));
    const size_t steps = std::min<size_t>(record.get_int("steps"), loss.size());
    if (steps < 12) continue;
    const double best = *std::max_element(loss.begin(), loss.begin() + steps),
                 ten = *std::max_element(loss.begin(), loss.begin() + steps - 10);
    if (best > loss[0]) tail += (best - ten) / (best - loss[0]);
    ++curves;
  }
  tail = curves ? tail / curves : 0;
  const bool warn = std::abs(100 * d.value) > bars.more_steps || gain > bars.loss_gain || tail > bars.loss_tail;
  AuditCheck c =
      verdict(warn ? Verdict::Warn : Verdict::Pass, 100 * d.value, bars.more_steps, d.n, "attack:steps:*, loss-curve");
  c.low = 100 * d.low, c.high = 100 * d.high;
  c.statistic =
      say("%d instead of %d steps break %+.1f points more (bar %.0f), mean loss %+.1f %% (bar %.0f %%), gained in the "
          "last 10 of %d steps %.1f %% (bar %.0f %%)",
          kinds.back().first, kinds.front().first, 100 * d.value, bars.more_steps, 100 * gain, 100 * bars.loss_gain,
          kinds.front().first, 100 * tail, 100 * bars.loss_tail);
  c.meaning = "the attack has not converged: its robust accuracy is an upper bound that longer attacks lower";
  c.todo = "raise --steps or the step size until this passes";
  return c;
}

AuditCheck restarts(const AuditRecords& r, const AuditBars& bars) {
  std::vector<std::pair<int, std::string>> kinds;
  for (const std::string& kind : r.kinds("attack:restarts:")) kinds.push_back({std::stoi(kind.substr(16)), kind});
  if (kinds.size() < 2) return skipped("not measured");
  std::sort(kinds.begin(), kinds.end());
  std::string list;
  for (const auto& [count, kind] : kinds) list += say("%s%d: %d", list.empty() ? "" : ", ", count, broken(r, kind));
  const PairedDifference d = compare(r, {kinds.back().second}, kinds[kinds.size() - 2].second);
  AuditCheck c = verdict(100 * d.value > bars.restarts ? Verdict::Warn : Verdict::Pass, 100 * d.value, bars.restarts,
                         d.n, "attack:restarts:*");
  c.statistic = "images broken by restarts " + list +
                say("; the last ones add %.1f points (bar %.0f)", 100 * d.value, bars.restarts);
  c.meaning = "further random starts still break images: the loss has many local maxima";
  c.todo = "raise --restarts until the number stays";
  return c;
}

// 10. Accuracy must not rise with the budget, and an unbounded attack must win.
AuditCheck budget(const AuditRecords& r) {
  std::vector<std::pair<double, std::string>> kinds;
  for (const std::string& kind : r.kinds("attack:budget:")) kinds.push_back({std::stod(kind.substr(14)), kind});
  if (kinds.empty()) return skipped("not measured");
  std::sort(kinds.begin(), kinds.end());
  std::string list;
  int violations = 0;
  double rise = -1;
  const int n = static_cast<int>(r.of(kinds[0].second).size());
  for (size_t k = 0; k < kinds.size(); ++k) {
    list += say("%s%.3g: %.0f %%", k ? ", " : "", kinds[k].first, 100.0 * (n - broken(r, kinds[k].second)) / n);
    if (k == 0) continue;
    const PairedDifference d =
        compare(r, {kinds[k - 1].second}, kinds[k].second);  // broken at the smaller and not at the larger budget
    violations += d.only_first;
    rise = std::max(rise, d.low);
  }
  const int robust = n - broken(r, kinds.back().second);
  const int classes = static_cast<int>(r.of(kinds[0].second).begin()->second.get_int("classes"));
  const bool reached = wilson(robust, n).low <= 1.0 / classes;
  AuditCheck c = verdict(rise > 0 || !reached ? Verdict::Fail : Verdict::Pass, static_cast<double>(robust) / n,
                         1.0 / classes, n, "attack:budget:*");
  c.statistic =
      "robust accuracy by eps: " + list +
      say("; %d images robust again at a larger budget; the largest must reach %.0f %%", violations, 100.0 / classes);
  c.meaning = reached ? "a larger budget makes the attack weaker: it does not use its budget"
                      : "an attack that may change everything does not win: its gradient leads nowhere";
  c.todo = "look at checks 1 to 3; run random search (11) at the same budgets";
  return c;
}

// 15. Mean gradients of two halves of the draws must agree, at the number of draws that the audited protocol uses.
AuditCheck eot(const AuditRecords& r, const AuditOptions& o, const AuditBars& bars) {
  const auto& records = r.of("eot");
  if (records.empty()) return skipped("the defence draws no noise, or not measured");
  std::vector<double> draws;
  std::vector<std::vector<double>> cosine;
  for (const auto& [unit, record] : records) {
    draws = json_numbers(record.raw("draws"));
    const std::vector<double> c = json_numbers(record.raw("cosine"));
    cosine.resize(draws.size());
    for (size_t k = 0; k < draws.size(); ++k) cosine[k].push_back(c[k]);
  }
  double needed = NAN, at = NAN;
  std::string list;
  for (size_t k = 0; k < draws.size(); ++k) {
    const double m = mean(cosine[k]);
    list += say("%s%g: %.3f", k ? ", " : "", draws[k] / 2, m);
    if (std::isnan(needed) && m >= bars.split_half_cosine) needed = draws[k] / 2;
    if (draws[k] / 2 <= std::max(1, o.eot)) at = m;
  }
  const bool enough = at >= bars.split_half_cosine;
  AuditCheck c = verdict(o.eot == 0 ? Verdict::Report
                         : enough   ? Verdict::Pass
                                    : Verdict::Warn,
                         at, bars.split_half_cosine, static_cast<int>(records.size()), "eot");
  c.statistic = "cosine between means of n draws: " + list +
                (std::isnan(needed) ? say("; more than %g needed for %.1f", draws.back() / 2, bars.split_half_cosine)
                                    : say("; %g needed for %.1f", needed, bars.split_half_cosine)) +
                (o.eot ? say("; the protocol uses %d", o.eot) : std::string("; the audited protocol fixes the noise"));
  c.meaning = "the averaged gradient is still mostly noise: free-noise accuracy overstates robustness";
  c.todo = "average more draws, or fix the noise (the worst case that the attacker may know)";
  return c;
}

AuditCheck instability(const AuditRecords& r, const AuditBars& bars) {
  const std::vector<double> v = r.numbers("instability", "value");
  if (v.empty()) return skipped("not measured");
  const double m = mean(v);
  AuditCheck c = verdict(m <= bars.instability ? Verdict::Report : Verdict::Warn, m, bars.instability,
                         static_cast<int>(v.size()), "instability");
  c.statistic =
      say("mean relative change of the loss over random directions of 8/255: %.3f (bar %.1f)", m, bars.instability);
  c.meaning = "the loss jumps around at random within the ball; where it is almost zero this says little";
  c.todo = "compare with the classifier alone (--purifier none), and read it beside checks 2 and 11";
  return c;
}

// 17. Some iterate was adversarial, the returned one is not.
AuditCheck silent(const AuditRecords& r, const AuditOptions& o) {
  int count = 0;
  const auto& records = r.of("attack:pgd");
  for (const auto& [unit, record] : records) count += record.get_bool("path") && !record.get_bool("broken");
  if (records.empty()) return skipped("not measured");
  AuditCheck c = verdict(count == 0           ? Verdict::Pass
                         : o.pgd.best_iterate ? Verdict::Fail
                                              : Verdict::Report,
                         count, 0, static_cast<int>(records.size()), "attack:pgd");
  c.statistic = say("%d images were broken on the path but not by the iterate that was returned (%s)", count,
                    o.pgd.best_iterate ? "best iterate" : "last iterate");
  c.meaning = "the attack lets successes go";
  c.todo = "count adversarial iterates on the path too, or return the best one (--best-iterate)";
  return c;
}

AuditCheck transfer_failure(const AuditRecords& r) {
  const auto& records =
      r.of("attack:transfer:surrogate").empty() ? r.of("attack:transfer:bpda") : r.of("attack:transfer:surrogate");
  if (records.empty()) return skipped("not measured");
  int count = 0;
  for (const auto& [unit, record] : records) count += record.get_bool("path") && !record.get_bool("broken");
  AuditCheck c = verdict(Verdict::Report, count, NAN, static_cast<int>(records.size()), "attack:transfer:*");
  c.statistic = say("%d images broken on the path of the surrogate attack but not at its end", count);
  return c;
}

// 19. A saturated cross-entropy.
AuditCheck loss(const AuditRecords& r, const AuditBars& bars) {
  const PairedDifference d = compare(r, {"attack:pgd-margin"}, "attack:pgd");
  const auto& ce = r.of("gradient:ce");
  if (d.n == 0 || ce.empty()) return skipped("not measured");
  int underflow = 0;
  double logit = 0;
  for (const auto& [unit, record] : ce) {
    underflow += record.get_double("loss") == 0;  // p_y is exactly 1
    logit = std::max(logit, record.get_double("largest_logit"));
  }
  AuditCheck c = verdict(100 * d.value > bars.loss || underflow ? Verdict::Warn : Verdict::Pass, 100 * d.value,
                         bars.loss, d.n, "attack:pgd, attack:pgd-margin, gradient:ce");
  c.low = 100 * d.low, c.high = 100 * d.high;
  c.statistic =
      say("the margin loss breaks %+.1f points more than cross-entropy (bar %.0f); cross-entropy is exactly 0 on %d "
          "images (bar 0); largest logit %.3g",
          100 * d.value, bars.loss, underflow, logit);
  c.meaning = "cross-entropy saturates: its gradient underflows where the classifier is sure of itself";
  c.todo = "attack with the margin loss as well, and keep the minimum per image";
  return c;
}

AuditCheck landscape(const AuditRecords& r) {
  const auto& records = r.of("landscape");
  if (records.empty()) return skipped("not measured");
  std::vector<double> ratio;
  for (const auto& [unit, record] : records) ratio.push_back(record.get_double("along") / record.get_double("across"));
  AuditCheck c = verdict(Verdict::Report, median(ratio), NAN, static_cast<int>(records.size()), "landscape");
  c.statistic =
      say("curvature of the loss along the gradient over that along a random direction: median %.3g", median(ratio));
  return c;
}

// 21. Classifiers for which an adversarial image is known to exist: the attack must find one, random points must not.
AuditCheck binarisation(const AuditRecords& r, const AuditBars& bars) {
  int n = 0, attack = 0, random = 0;
  for (const auto& [unit, record] : r.of("binary")) {
    if (!record.get_bool("separable")) continue;
    ++n;
    attack += record.get_bool("broken");
    random += record.get_bool("random");
  }
  if (n == 0) return skipped("not measured, or no readout separates the points");
  const Proportion found = wilson(attack, n), chance = wilson(random, n);
  const bool easy = chance.value > bars.binary_random;
  const bool fail = found.high < bars.binary_attack || chance.low > bars.binary_random;
  AuditCheck c = verdict(fail                                           ? Verdict::Fail
                         : found.value < bars.binary_attack || easy ? Verdict::Warn
                                                                        : Verdict::Pass,
                         found.value, bars.binary_attack, n, "binary");
  c.low = found.low, c.high = found.high;
  c.statistic = "with an adversarial image known to exist, the attack finds one for " + found.text() +
                say(" (bar %.0f %%), random points for ", 100 * bars.binary_attack) + chance.text() +
                say(" (bar %.0f %%)", 100 * bars.binary_random);
  if (n < static_cast<int>(r.of("binary").size()))
    c.statistic += say("; %d images without such a readout", static_cast<int>(r.of("binary").size()) - n);
  c.meaning = found.value < bars.binary_attack
                  ? "the audited attack misses adversarial images that are there: its robust accuracy is not that of the defence"
                  : "random points find them as well: these readouts are too easy to say anything about the attack";
  c.todo = found.value < bars.binary_attack ? "look at checks 1 to 5, then at the steps and the step size (7, 8)"
                                            : "raise --steps (more points are drawn) or judge by the other checks";
  return c;
}

// 23. Majority of M fresh draws: adversarial against a no-attack control with the same number of tries.
AuditCheck control(const AuditRecords& r) {
  const auto& records = r.of("control");
  if (records.empty()) return skipped("the defence draws no noise, or not measured");
  int only_attack = 0, only_control = 0, worst = 0, worst_control = 0, n = 0;
  for (const auto& [unit, record] : records) {
    const int64_t draws = record.get_int("draws"), a = record.get_int("adversarial"),
                  b = std::max(record.get_int("clean"), record.get_int("noise"));
    only_attack += 2 * a > draws && !(2 * b > draws);
    only_control += !(2 * a > draws) && 2 * b > draws;
    worst += a > 0;
    worst_control += b > 0;
    ++n;
  }
  const PairedDifference d = paired_difference(only_attack, only_control, n);
  AuditCheck c = verdict(d.low > 0 ? Verdict::Pass : Verdict::Warn, 100 * d.value, 0, n, "control");
  c.low = 100 * d.low, c.high = 100 * d.high;
  c.statistic =
      say("majority of draws: the attack breaks %+.1f points more than no attack [%.1f, %.1f]; worst of draws: %d "
          "against %d of %d",
          100 * d.value, 100 * d.low, 100 * d.high, worst, worst_control, n);
  c.meaning = "asking often breaks as many images as attacking: a worst-of-draws number would not measure the attack";
  c.todo = "report the majority or the mean over draws, beside the control";
  return c;
}

// 24. Per image the best of all attacks within the audited budget.
AuditCheck minimum(const AuditRecords& r) {
  const auto& clean = r.of("attack:clean");
  if (clean.empty()) return skipped("not measured");
  const int n = static_cast<int>(clean.size());
  int robust = 0, best = n;
  std::string winner = "attack:clean";
  std::vector<std::string> kinds;
  for (const std::string& kind : r.kinds("attack:"))
    if (!kind.starts_with("attack:budget:") && static_cast<int>(r.of(kind).size()) == n) kinds.push_back(kind);
  for (const std::string& kind : kinds)
    if (n - broken(r, kind) < best) {
      best = n - broken(r, kind);
      winner = kind;
    }
  for (const auto& [unit, record] : clean) {
    bool stands = true;
    for (const std::string& kind : r.kinds("attack:")) {
      if (kind.starts_with("attack:budget:")) continue;
      const auto found = r.of(kind).find(unit);
      stands = stands && (found == r.of(kind).end() || !found->second.get_bool("broken"));
    }
    robust += stands;
  }
  AuditCheck c = verdict(Verdict::Report, static_cast<double>(robust) / n, NAN, n, "attack:*");
  const Proportion p = wilson(robust, n);
  c.low = p.low, c.high = p.high;
  c.statistic = "robust accuracy, minimum per image over all attacks: " + p.text() +
                say("; best single attack (%s): %.1f %%; clean %.1f %%", winner.substr(7).c_str(), 100.0 * best / n,
                    100.0 * (n - broken(r, "attack:clean")) / n);
  return c;
}

}  // namespace

AuditCheck judge_attack_check(int id, const AuditRecords& r, const AuditOptions& o, const AuditBars& bars) {
  AuditCheck c;
  switch (id) {
    case kSingleStep: return single_step(r);
    case kMoreSteps: return more_steps(r, bars);
    case kRestarts: return restarts(r, bars);
    case kBudget: return budget(r);
    case kRandomSearch: c = not_better(r, {"attack:random"}, "attack:pgd", bars.random_search, "random search"); break;
    case kGradientFree:
      c = not_better(r, {"attack:search"}, "attack:pgd", bars.gradient_free, "search by margins alone");
      break;
    case kTransfer:
      c = not_better(r, r.kinds("attack:transfer:"), "attack:pgd", bars.transfer, "an attack crafted elsewhere");
      break;
    case kFixedNoise:
      c = not_better(r, {"attack:free"}, "attack:pgd", bars.fixed_noise, "an attack that does not know the noise");
      break;
    case kEot: return eot(r, o, bars);
    case kInstability: return instability(r, bars);
    case kSilent: return silent(r, o);
    case kTransferFailure: return transfer_failure(r);
    case kLoss: return loss(r, bars);
    case kLandscape: return landscape(r);
    case kBinarisation: return binarisation(r, bars);
    case kControl: return control(r);
    case kMinimum: return minimum(r);
    default: return skipped("no such check");
  }
  c.meaning =
      "an attack with less knowledge is stronger than the audited one: the gradient it follows is masked or wrong";
  c.todo = "find out by checks 1 to 5 what is wrong with the gradient; until then the lower accuracy counts";
  return c;
}

}  // namespace purescope
