// The rule of every check: from its records to a verdict.
#pragma once
#include "report/audit_judge.h"
#include "report/audit_records.h"

namespace purescope {

// The rule of check `id`; Skip, with the reason, where its records are missing.
AuditCheck judge_check(int id, const AuditRecords& records, const AuditOptions& options, const AuditBars& bars);

// Checks 1 to 6 (audit_rules_gradient.cpp) and the others (audit_rules_attack.cpp).
AuditCheck judge_gradient_check(int id, const AuditRecords& records, const AuditOptions& options,
                                const AuditBars& bars);
AuditCheck judge_attack_check(int id, const AuditRecords& records, const AuditOptions& options, const AuditBars& bars);

std::string say(const char* format, ...) __attribute__((format(printf, 1, 2)));
// A verdict without an interval.
AuditCheck verdict(Verdict v, double value, double bar, int n, const std::string& evidence);
AuditCheck skipped(const std::string& reason);

}  // namespace purescope
