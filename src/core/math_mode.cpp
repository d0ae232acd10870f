#include "core/math_mode.h"

#include "core/check.h"
#include "core/current_device.h"

namespace purescope {
namespace {

MathMode chosen = MathMode::Exact;

}  // namespace

MathMode current_math() { return chosen; }

void set_current_math(MathMode mode) {
  const bool on_cpu = current_device() == Device::Cpu;
  if ((mode == MathMode::Tf32 || mode == MathMode::Bf16) && on_cpu)
    fail(kUnavailable, std::string("the CPU has no arithmetic in ") + math_name(mode), "--precision " + std::string(math_name(mode)),
         "use --device cuda, or leave --precision out");
  chosen = mode;
}

const char* math_name(MathMode mode) {
  constexpr const char* names[] = {"exact", "fast", "tf32", "bf16"};
  return names[static_cast<int>(mode)];
}

}  // namespace purescope
