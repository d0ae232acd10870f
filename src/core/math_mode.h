// How products are computed in this process, chosen before any network is built, by `--math` and `--precision`; never by timing.
#pragma once

namespace purescope {

enum class MathMode {
  Exact,  // plain sums in a fixed order
  Fast,   // CPU: convolutions with fewer multiplications and more rounding (ops/winograd.h); a device, float: attention by blocks
  Tf32,   // a device, float only: products on tensor cores, factors rounded to 10 bits of mantissa, sums in float (cuda/tensor.h)
  Bf16,   // the same with 7 bits
};

MathMode current_math();
// Exit 69 where the current device has no such arithmetic.
void set_current_math(MathMode mode);
// "exact", "fast", "tf32" or "bf16".
const char* math_name(MathMode mode);

}  // namespace purescope
