// Traces of a network, in the scalar of this build.
#pragma once
#include "cli/load.h"
#include "cli/trace.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Every step of forward() for x [n, c, h, w]; t: one for all images, or one each (ignored without a time input).
Trace trace_network(const LoadedNet& loaded, View x, const std::vector<int64_t>& t);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
