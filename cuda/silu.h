// SiLU of one value and its gradient on the device: SiLU as a step, and group normalisation with SiLU.
#pragma once
#include "cuda/launch.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {

// x * sigmoid(x).
__device__ inline real silu_value(real x) { return x / (1 + std::exp(-x)); }

// dy * s * (1 + x * (1 - s)), s = sigmoid(x).
__device__ inline real silu_gradient(real x, real dy) {
  const real s = 1 / (1 + std::exp(-x));
  return dy * s * (1 + x * (1 - s));
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
