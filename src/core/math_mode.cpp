#include "core/math_mode.h"

#include "core/check.h"
#include "core/current_device.h"

namespace purescope {
namespace {

MathMode chosen = MathMode::Exact;

}  // namespace

MathMode current_math() { return chosen; }

void set_current_math(MathMode mode) {
  if (mode == MathMode::Fast && current_device() != Device::Cpu)
    fail(kUnavailable, "fast arithmetic is built for the CPU only", "--math fast with the device " + std::string(device_kind(current_device())),
         "use --device cpu, or --math exact");
  chosen = mode;
}

const char* math_name(MathMode mode) { return mode == MathMode::Fast ? "fast" : "exact"; }

}  // namespace purescope
