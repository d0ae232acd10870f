// The fields of a model's entry in RobustBench (Croce et al. 2021), from a run of attack.
#pragma once
#include <string>

#include "report/run_records.h"

namespace purescope {

// One JSON object with the fields that a run knows: accuracies are texts in percent with two decimals, as there. What
// only a person knows (link, name, authors, venue) is empty. Several seeds are averaged; robust accuracy is the lowest
// of the kinds of randomness. `unreliable`, `external`, `autoattack_acc` and the corruption fields are left out, as
// nothing here decides them. Exit 2: the run is not of attack, not finished, or has several t* or budgets.
std::string robustbench_json(const RunRecords& run);

}  // namespace purescope
