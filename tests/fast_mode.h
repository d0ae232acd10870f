// Another arithmetic, and the device that has it, for as long as the object lives.
#pragma once
#include "core/current_device.h"
#include "core/math_mode.h"

namespace purescope {

struct InMath {
  InMath(MathMode mode, Device device) {
    set_current_device({device, 0});
    set_current_math(mode);
  }
  ~InMath() {
    set_current_device({usual_, 0});
    set_current_math(MathMode::Exact);
  }

 private:
  const Device usual_ = current_device();
};

struct FastMode : InMath {
  FastMode() : InMath(MathMode::Fast, Device::Cpu) {}
};

}  // namespace purescope
