// SiLU of one value and its gradient, for the loops that contain them: SiLU as a step, and group normalisation with SiLU.
#pragma once
#include "ops/vector_exp.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// x * sigmoid(x).
inline real silu_value(real x) { return x / (1 + vector_exp(-x)); }

// dy * s * (1 + x * (1 - s)), s = sigmoid(x).
inline real silu_gradient(real x, real dy) {
  const real s = 1 / (1 + vector_exp(-x));
  return dy * s * (1 + x * (1 - s));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
