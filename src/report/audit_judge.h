// From the records of an audit to its verdicts. Nothing else goes in: every figure can be computed again from the files
// of the run.
#pragma once
#include <string>
#include <vector>

#include "audit/audit_options.h"
#include "core/statistics.h"

namespace purescope {

enum class Verdict { Pass, Warn, Fail, Report, Skip };
const char* verdict_name(Verdict verdict);

struct AuditCheck {
  int id = 0;
  Verdict verdict = Verdict::Skip;
  std::string statistic;      // what was found, in words and numbers
  double value = 0, bar = 0;  // the figure that was judged and what it was held against; NaN where there is none
  double low = 0, high = 0;   // its 95 % interval, NaN where it has none
  int n = 0;                  // images (and seeds) behind it
  std::string meaning, todo;  // what it says about the defence or the attack, and what to do
  std::string evidence;       // the kinds of records it was computed from
};

// Difference of two paired proportions, (only_first - only_second) / n, with the 95 % interval that Wilson's interval
// of only_first / (only_first + only_second) gives; [0, 0] without such pairs.
struct PairedDifference {
  double value = 0, low = 0, high = 0;
  int only_first = 0, only_second = 0, n = 0;
};
PairedDifference paired_difference(int only_first, int only_second, int n);

// One entry per check of `options`, in order. `lines` are records as the journal keeps them.
std::vector<AuditCheck> judge_audit(const std::vector<std::string>& lines, const AuditOptions& options,
                                    const AuditBars& bars);

bool any_fail(const std::vector<AuditCheck>& checks);
// One line per check and a summary; with `details` what WARN and FAIL mean and what to do, below each.
std::string audit_text(const std::vector<AuditCheck>& checks, bool details);
std::string audit_json(const std::vector<AuditCheck>& checks);

}  // namespace purescope
