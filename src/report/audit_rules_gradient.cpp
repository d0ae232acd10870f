#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <set>

#include "report/audit_rules.h"

namespace purescope {

std::string say(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

AuditCheck verdict(Verdict v, double value, double bar, int n, const std::string& evidence) {
  AuditCheck c;
  c.verdict = v;
  c.value = value;
  c.bar = bar;
  c.low = c.high = NAN;
  c.n = n;
  c.evidence = evidence;
  return c;
}

AuditCheck skipped(const std::string& reason) {
  AuditCheck c;
  c.statistic = reason;
  c.value = c.bar = c.low = c.high = NAN;
  return c;
}

AuditCheck judge_check(int id, const AuditRecords& records, const AuditOptions& options, const AuditBars& bars) {
  return id <= kFlow ? judge_gradient_check(id, records, options, bars)
                     : judge_attack_check(id, records, options, bars);
}

namespace {

double largest(const std::vector<double>& v) {
  double m = v.empty() ? NAN : v[0];
  for (double x : v) m = std::isnan(x) || x > m ? x : m;  // NaN wins
  return m;
}

double smallest(const std::vector<double>& v) {
  double m = v.empty() ? NAN : v[0];
  for (double x : v) m = std::isnan(x) || x < m ? x : m;
  return m;
}

// 1. An image is bad if a gradient is all zero or holds NaN or infinity, for any loss, or if the way back alters what
// goes through it.
AuditCheck connected(const AuditRecords& r) {
  std::set<AuditRecords::Unit> bad, units;
  int zero = 0, not_finite = 0, altered = 0;
  for (const char* kind : {"gradient:ce", "gradient:margin"})
    for (const auto& [unit, record] : r.of(kind)) {
      units.insert(unit);
      const bool all_zero = record.get_int("zero") == record.get_int("values"),
                 broken = record.get_int("nan") + record.get_int("inf") > 0;
      zero += all_zero;
      not_finite += broken;
      if (all_zero || broken) bad.insert(unit);
    }
  for (const auto& [unit, record] : r.of("gradient:probe")) {
    const bool scrubbed = record.get_int("nan_out") == 0;
    // Where the gradient is all zero or not finite the error is not defined, and the image is bad already.
    const bool clipped =
        std::isfinite(record.get_double("scaled_error")) && !(record.get_double("scaled_error") <= 1e-3);
    altered += scrubbed || clipped;
    if (scrubbed || clipped) bad.insert(unit);
  }
  if (units.empty()) return skipped("no gradients were recorded");
  AuditCheck c = verdict(bad.empty() ? Verdict::Pass : Verdict::Fail, static_cast<double>(bad.size()), 0,
                         static_cast<int>(units.size()), "gradient:*");
  c.statistic =
      say("%zu images with a bad gradient (bar 0): all zero %d, NaN or infinite %d, altered on the way back %d",
          bad.size(), zero, not_finite, altered);
  c.meaning =
      zero ? "an attack that follows this gradient does not move: its robust accuracy says nothing"
      : altered
          ? "something between loss and image clips gradients or replaces NaN: numerical failures look like robustness"
          : "the gradient cannot be computed at these images";
  c.todo =
      "find the step that stops it: purescope trace writes the cotangent of every step; try --backward bpda and the "
      "margin loss beside it";
  return c;
}

double difference_error(double estimate, double slope) {
  return std::abs(estimate - slope) / std::max(std::abs(estimate), std::abs(slope));
}

// Per direction: in double the better of the two smallest steps, in float the best of all.
struct Errors {
  std::vector<double> aligned, random;
  std::set<AuditRecords::Unit> units;
};
Errors errors_of(const AuditRecords& r, const std::string& scalar) {
  Errors e;
  for (const std::string& kind : r.kinds("difference:" + scalar))
    for (const auto& [unit, record] : r.of(kind)) {
      const std::vector<double> estimate = json_numbers(record.raw("estimate"));
      double best = NAN;
      for (size_t i = scalar == "f64" && estimate.size() > 2 ? estimate.size() - 2 : 0; i < estimate.size(); ++i) {
        const double error = difference_error(estimate[i], record.get_double("slope"));
        if (!(best <= error)) best = std::isnan(error) ? best : error;
      }
      (kind.ends_with(":00") ? e.aligned : e.random).push_back(std::isnan(best) ? INFINITY : best);
      e.units.insert(unit);
    }
  return e;
}

// Log-log slope of the median error between the largest steps (2 where the function is smooth; kinks of ReLU networks
// lower it).
double order_of(const AuditRecords& r, const std::string& scalar) {
  std::vector<std::vector<double>> errors;
  std::vector<double> h;
  for (const std::string& kind : r.kinds("difference:" + scalar))
    for (const auto& [unit, record] : r.of(kind)) {
      h = json_numbers(record.raw("h"));
      const std::vector<double> estimate = json_numbers(record.raw("estimate"));
      errors.resize(h.size());
      for (size_t i = 0; i < h.size(); ++i)
        errors[i].push_back(difference_error(estimate[i], record.get_double("slope")));
    }
  if (h.size() < 3) return NAN;
  return std::log(median(errors[0]) / median(errors[2])) / std::log(h[0] / h[2]);
}

// 2. Both medians, along the gradient and along random directions, in both precisions; and the two precisions against
// each other.
AuditCheck differences(const AuditRecords& r, const AuditBars& bars) {
  const Errors f64 = errors_of(r, "f64"), f32 = errors_of(r, "f32");
  if (f64.units.empty() && f32.units.empty()) return skipped("no differences were recorded");
  auto worst = [](const Errors& e) {
    return e.units.empty() ? 0 : largest({median(e.aligned), e.random.empty() ? 0 : median(e.random)});
  };
  const double exact = worst(f64), production = worst(f32), cosine = smallest(r.numbers("precision", "cosine"));
  const bool bad = !(exact <= bars.difference_double) || !(production <= bars.difference_production) ||
                   (!std::isnan(cosine) && !(cosine >= bars.precision_cosine));
  AuditCheck c = verdict(bad ? Verdict::Fail : Verdict::Pass, f64.units.empty() ? production : exact,
                         f64.units.empty() ? bars.difference_production : bars.difference_double,
                         static_cast<int>(std::max(f64.units.size(), f32.units.size())), "difference:*, precision");
  c.statistic =
      say("relative error %.2g in double (bar %.0e, order %.1f), %.2g in float (bar %.0e), cosine of float to double "
          "%.6f (bar %.2f)",
          exact, bars.difference_double, order_of(r, "f64"), production, bars.difference_production, cosine,
          bars.precision_cosine);
  c.meaning = exact <= bars.difference_double
                  ? "the gradient is right in double but not in the precision that attacks use"
                  : "the gradient is not the derivative of the defence: an attack with it climbs another function";
  c.todo = "compare the modes of check 3; purescope audit --gradient names the mistake a gradient resembles";
  return c;
}

// 3. Recomputed = stored; and no shortcut may pass for the full gradient.
AuditCheck modes(const AuditRecords& r, const AuditBars& bars) {
  const std::vector<std::string> kinds = r.kinds("mode:");
  if (kinds.empty()) return skipped("no backward modes were recorded");
  std::string list, same;
  for (const std::string& kind : kinds) {
    const double cosine = smallest(r.numbers(kind, "cosine")), relative = largest(r.numbers(kind, "relative"));
    const std::string name = kind.substr(5);
    list += say("%s%s %.6f", list.empty() ? "" : ", ", name.c_str(), cosine);
    // full-ste equals full where nothing is clipped; the others only where full is not full.
    if (name != "stored" && name != "full-ste" && cosine > 1 - 1e-9 && relative < 1e-6) same = name;
  }
  const auto& stored = r.of("mode:stored");
  const double cosine = smallest(r.numbers("mode:stored", "cosine")),
               relative = largest(r.numbers("mode:stored", "relative"));
  bool bits = !stored.empty();
  for (const auto& [unit, record] : stored) bits = bits && record.get_bool("same_bits");
  const bool bad = !stored.empty() && !bits && !(cosine > bars.recompute_cosine && relative < 1e-3);
  const bool shortcut =
      !same.empty() && !r.kinds("mode:surrogate:").empty();  // only a diffusion chain has steps to leave out
  AuditCheck c = verdict(bad        ? Verdict::Fail
                         : shortcut ? Verdict::Warn
                                    : Verdict::Pass,
                         cosine, bars.recompute_cosine, static_cast<int>(r.of(kinds[0]).size()), "mode:*");
  c.statistic = say("cosine to full: %s%s", list.c_str(), bits ? "; stored has the same bits" : "");
  c.meaning = bad ? "computing a step again for the gradient gives another step: noise or state is not reproduced"
                  : "the mode " + same + " is labelled full";
  c.todo = bad ? "key the noise by (seed, image, step), or store it; see check 4"
               : "record the mode as " + same + ", or differentiate the whole chain";
  return c;
}

// 4. Equal bits.
AuditCheck determinism(const AuditRecords& r) {
  const auto& records = r.of("determinism");
  if (records.empty()) return skipped("not recorded");
  int differ[4] = {};
  const char* fields[] = {"forward_again", "gradient_again", "forward_alone", "gradient_alone"};
  for (const auto& [unit, record] : records)
    for (int k = 0; k < 4; ++k) differ[k] += !record.get_bool(fields[k]);
  const int total = differ[0] + differ[1] + differ[2] + differ[3];
  AuditCheck c =
      verdict(total ? Verdict::Fail : Verdict::Pass, total, 0, static_cast<int>(records.size()), "determinism");
  c.statistic =
      say("images whose bits differ (bar 0): forward again %d, gradient again %d, forward alone %d, gradient alone %d",
          differ[0], differ[1], differ[2], differ[3]);
  c.meaning =
      differ[0] + differ[1]
          ? "the same noise does not give the same result: the attack differentiates one draw and is tested on another"
          : "an image's result depends on its batch mates";
  c.todo = "draw noise by key, never from a generator that others use; keep the batch out of every sum";
  return c;
}

// 5. Clipping as a mask: what straight-through gradients break on top.
AuditCheck saturation(const AuditRecords& r, const AuditBars& bars) {
  const auto& records = r.of("clip");
  if (records.empty()) return skipped("not recorded");
  std::vector<double> last, worst, beyond;
  for (const auto& [unit, record] : records) {
    std::vector<double> stages = json_numbers(record.raw("stages"));
    last.push_back(record.get_double("last"));
    worst.push_back(stages.empty() ? 0 : largest(stages));
    beyond.push_back(std::max(0.0, record.get_double("zero") - record.get_double("last")));
  }
  int only_ste = 0, only_full = 0, n = 0;
  const auto& full = r.of("attack:pgd");
  for (const auto& [unit, record] : r.of("attack:pgd-ste")) {
    const auto other = full.find(unit);
    if (other == full.end()) continue;
    ++n;
    only_ste += record.get_bool("broken") && !other->second.get_bool("broken");
    only_full += !record.get_bool("broken") && other->second.get_bool("broken");
  }
  const PairedDifference d = paired_difference(only_ste, only_full, n);
  const bool fail = 100 * d.low > bars.straight_through;
  const bool warn = 100 * d.value > bars.straight_through || !(mean(last) <= bars.clipped_last) ||
                    !(mean(beyond) <= bars.zero_gradient);
  AuditCheck c = verdict(fail   ? Verdict::Fail
                         : warn ? Verdict::Warn
                                : Verdict::Pass,
                         100 * d.value, bars.straight_through, static_cast<int>(records.size()),
                         "clip, attack:pgd, attack:pgd-ste");
  c.low = 100 * d.low, c.high = 100 * d.high;
  c.statistic =
      say("clipped at the last step %.1f %% (bar %.0f %%), at most %.1f %% at any; zero gradient beyond that %.2f %% "
          "(bar %.0f %%); straight-through breaks %+.1f points [%.1f, %.1f] (bar %.0f)",
          100 * mean(last), 100 * bars.clipped_last, 100 * mean(worst), 100 * mean(beyond), 100 * bars.zero_gradient,
          100 * d.value, 100 * d.low, 100 * d.high, bars.straight_through);
  c.meaning = fail ? "clipping hides the gradient: an attack that goes straight through breaks more"
                   : "saturated values carry no gradient; an attack may be blind to them";
  c.todo = "attack with --backward full-ste as well and keep the lower accuracy of every image";
  return c;
}

// 6. The gradient must neither vanish nor explode over the diffusion steps.
AuditCheck flow(const AuditRecords& r, const AuditBars& bars) {
  const auto& records = r.of("flow");
  if (records.empty()) return skipped("no diffusion steps");
  double worst = 1;
  int64_t denormal = 0, bad = 0;
  for (const auto& [unit, record] : records) {
    const std::vector<double> norms = json_numbers(record.raw("norms"));
    const double ratio = largest(norms) / smallest(norms);
    worst = std::isnan(ratio) || ratio > worst ? ratio : worst;
    denormal += record.get_int("denormal");
    bad += record.get_int("not_finite");
  }
  AuditCheck c = verdict(!(worst <= bars.flow_ratio) || denormal || bad ? Verdict::Warn : Verdict::Pass, worst,
                         bars.flow_ratio, static_cast<int>(records.size()), "flow");
  c.statistic =
      say("largest over smallest norm of the cotangent along the chain %.3g (bar %.0e); denormal %lld, not finite %lld",
          worst, bars.flow_ratio, static_cast<long long>(denormal), static_cast<long long>(bad));
  c.meaning = "the gradient underflows or overflows on its way through the steps";
  c.todo = "repeat with --real f64; if the verdict changes, attack in double";
  return c;
}

}  // namespace

AuditCheck judge_gradient_check(int id, const AuditRecords& records, const AuditOptions&, const AuditBars& bars) {
  switch (id) {
    case kConnected: return connected(records);
    case kDifferences: return differences(records, bars);
    case kModes: return modes(records, bars);
    case kDeterminism: return determinism(records);
    case kSaturation: return saturation(records, bars);
    default: return flow(records, bars);
  }
}

}  // namespace purescope
