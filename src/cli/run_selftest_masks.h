// Do the checks of an audit find the mistakes that are planted for them?
#pragma once
#include <vector>

#include "cli/selftest.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// One row per planted mask (but logits-1e4, which needs an attack) and per check on an honest chain. On the CPU; under a second.
std::vector<SelftestRow> selftest_masks();

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
