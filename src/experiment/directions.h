// What internal randomness and the input contribute to a purified image: correlations of purification directions,
// distances to centroids, and the decomposition of the variance (eq. 7 and 20 of the paper).
#pragma once
#include <vector>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Of one image: P perturbed inputs, each purified under S noises. Variances are per value (mean over the d values of an
// image) and plug-in (divided by P, S and P S), for which total = input + internal holds to rounding. Lengths are l2,
// in the units of the values.
struct RandomnessNumbers {
  double total = 0, input = 0, internal = 0;  // Var f,  mean_xi Var_x f,  Var_xi mean_x f
  double snr = 0;                             // input / internal, eq. 7
  double radius_start = 0;                    // mean distance of the inputs to their centroid
  double radius_fixed_noise = 0, radius_fixed_input = 0, radius_both = 0;  // of f to the centroid of what varies
  double cosine_noise = 0;  // of the directions f - x0 between two noises at the same input
  double cosine_input = 0;  // ... between two inputs under the same noise
  double cosine_both = 0;   // ... between pairs that differ in both
};

// x0: d values. inputs [P][d]. outputs [P][S][d]: f_xi_s(x_p). P, S >= 2.
RandomnessNumbers randomness_numbers(const std::vector<float>& x0, const std::vector<std::vector<float>>& inputs,
                                     const std::vector<std::vector<std::vector<float>>>& outputs);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
