// Cells of result tables, and numbers in the words of findings.
#pragma once
#include <string>
#include <vector>

#include "core/statistics.h"
#include "report/section.h"

namespace purescope {

Cell word_cell(const std::string& text);
Cell value_cell(double value, int n = -1);
Cell count_cell(int64_t value);
Cell percent_cell(const Proportion& p);                // in %, with interval and n; "-" for n = 0
Cell mean_cell(const std::vector<double>& values);     // mean, sd, 95 % interval of the mean (normal), n
Cell spread_cell(const std::vector<double>& values);   // mean, sd, n: for values with bounds, where a normal interval would leave them
Cell papers_cell(double value, double deviation = kNoNumber);   // "-" for NaN

std::string percent_text(const Proportion& p);         // "23.7 % [21.2, 26.4] (n 1000)"
std::string proportion_json(const Proportion& p);      // {"k":..., "n":..., "value":..., "low":..., "high":...}; value null for n = 0
std::string number_words(double value, int decimals);  // "0.231"
std::string p_words(double p);                         // "p = 0.0123", "p < 0.0001"

}  // namespace purescope
