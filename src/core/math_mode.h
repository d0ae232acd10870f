// How steps are computed in this process: exact (plain sums in a fixed order) or fast (other arithmetic for the same step, ops/winograd.h).
// Chosen before any network is built, by `--math`; never by timing.
#pragma once

namespace purescope {

enum class MathMode { Exact, Fast };

MathMode current_math();
// Fast exists on the CPU only: exit 69 where the current device is another.
void set_current_math(MathMode mode);
// "exact" or "fast".
const char* math_name(MathMode mode);

}  // namespace purescope
