// compare: two ways to compute the same network, step by step, to the first step that differs.
#pragma once
#include "cli/options.h"

namespace purescope {

// Prints a table of the worst step and the first step beyond the bar, with its model line. 0 within the bar, 1 beyond.
int run_compare(const CompareOptions& options);

}  // namespace purescope
