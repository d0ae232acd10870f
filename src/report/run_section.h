// A section from the records of a run: attack, cr, predict, protocol and audit, or whatever left a section.json.
#pragma once
#include <string>
#include <vector>

#include "core/statistics.h"
#include "report/cells.h"
#include "report/run_records.h"
#include "report/section.h"

namespace purescope {

// The section of a run. section.json where there is one (experiments), else made from the records. Exit 65: neither is
// possible.
Section run_section(const RunRecords& run);

// Empty for a finished run; else "12 of 96 records are there", or without the total where only the run itself knows it.
std::string run_partial(const RunRecords& run);

// The parts, by command.
Section attack_section(const RunRecords& run);  // attack, cr, predict
Section protocol_section(const RunRecords& run);
Section audit_section(const RunRecords& run);

// Shared by them.
std::string budget_text(double eps);   // "8/255", or the number
std::string share_text(const Proportion& p);  // "45.8 % [27.9, 64.9]"
std::vector<int64_t> config_ints(const RunRecords& run, const std::string& key);
std::vector<double> config_numbers(const RunRecords& run, const std::string& key);
// What attack, cr, predict and protocol have in common, in words.
std::vector<std::pair<std::string, std::string>> run_settings(const RunRecords& run);

}  // namespace purescope
