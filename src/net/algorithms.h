// Which algorithm computes each step, for one choice of `--math`: a property of the model's shapes, printed by `explain`.
#pragma once
#include "core/math_mode.h"
#include "net/step.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Sets conv2d.algorithm of every convolution and forgets filters kept for another choice.
void choose_algorithms(Model& model, MathMode math);
// Reals that the transformed filters of all steps take, those of dx too if backward.
size_t filter_values(const Model& model, bool backward);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
