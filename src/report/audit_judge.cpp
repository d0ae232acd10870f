#include "report/audit_judge.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "io/json_text.h"
#include "report/audit_rules.h"

namespace purescope {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Pass: return "PASS";
    case Verdict::Warn: return "WARN";
    case Verdict::Fail: return "FAIL";
    case Verdict::Report: return "REPORT";
    case Verdict::Skip: return "SKIP";
  }
  return "?";
}

PairedDifference paired_difference(int only_first, int only_second, int n) {
  PairedDifference d{0, 0, 0, only_first, only_second, n};
  const int pairs = only_first + only_second;
  if (pairs == 0 || n == 0) return d;
  const Proportion p = wilson(only_first, pairs);
  const double scale = static_cast<double>(pairs) / n;
  d.value = (2 * p.value - 1) * scale;
  d.low = (2 * p.low - 1) * scale;
  d.high = (2 * p.high - 1) * scale;
  return d;
}

std::vector<AuditCheck> judge_audit(const std::vector<std::string>& lines, const AuditOptions& options,
                                    const AuditBars& bars) {
  const AuditRecords records(lines);
  std::vector<AuditCheck> checks;
  for (int id : options.checks) {
    AuditCheck c = judge_check(id, records, options, bars);
    c.id = id;
    checks.push_back(std::move(c));
  }
  return checks;
}

bool any_fail(const std::vector<AuditCheck>& checks) {
  return std::any_of(checks.begin(), checks.end(), [](const AuditCheck& c) { return c.verdict == Verdict::Fail; });
}

std::string audit_text(const std::vector<AuditCheck>& checks, bool details) {
  std::string text;
  int count[5] = {};
  for (const AuditCheck& c : checks) {
    char head[96];
    std::snprintf(head, sizeof head, "%-6s %2d %-16s ", verdict_name(c.verdict), c.id, audit_check_name(c.id));
    text += head + c.statistic + (c.n ? " (n " + std::to_string(c.n) + ")" : "") + "\n";
    if (details && (c.verdict == Verdict::Fail || c.verdict == Verdict::Warn))
      text += "          means: " + c.meaning + "\n          do:    " + c.todo + "\n";
    ++count[static_cast<int>(c.verdict)];
  }
  char sum[160];
  std::snprintf(sum, sizeof sum, "%s: %d passed, %d warned, %d failed, %d reported, %d skipped\n",
                count[2]   ? "FAIL"
                : count[1] ? "WARN"
                           : "PASS",
                count[0], count[1], count[2], count[3], count[4]);
  return text + sum;
}

std::string audit_json(const std::vector<AuditCheck>& checks) {
  std::vector<std::string> items;
  bool warned = false;
  for (const AuditCheck& c : checks) {
    warned = warned || c.verdict == Verdict::Warn;
    items.push_back(JsonLine()
                        .add("check", c.id)
                        .add("name", audit_check_name(c.id))
                        .add("verdict", verdict_name(c.verdict))
                        .add("statistic", c.statistic)
                        .add("value", c.value)
                        .add("bar", c.bar)
                        .add("low", c.low)
                        .add("high", c.high)
                        .add("n", c.n)
                        .add("meaning", c.meaning)
                        .add("todo", c.todo)
                        .add("evidence", c.evidence)
                        .text());
  }
  return JsonLine()
      .add("verdict", any_fail(checks) ? "FAIL"
                      : warned         ? "WARN"
                                       : "PASS")
      .raw("checks", json_array(items))
      .text();
}

}  // namespace purescope
