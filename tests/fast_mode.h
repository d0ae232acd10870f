// Fast mode for as long as the object lives.
#pragma once
#include "core/math_mode.h"

namespace purescope {

struct FastMode {
  FastMode() { set_current_math(MathMode::Fast); }
  ~FastMode() { set_current_math(MathMode::Exact); }
};

}  // namespace purescope
