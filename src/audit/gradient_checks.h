// Is the gradient that the attack follows the derivative of what is attacked? Checks 1 to 6: each function writes one
// record per image.
#pragma once
#include "audit/subject.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// "gradient:ce", "gradient:margin": norm, exact zeros, NaN, infinities, loss. "gradient:probe": a cotangent of NaN must
// come out as NaN, and one 2^40 times as large 2^40 times as large; a defence that scrubs or clips gradients does
// neither.
void measure_connected(Subject& s, const Unit& u);

// "difference:SCALAR:KK": <g, v> and (L(x + h v) - L(x - h v)) / 2h for the margin L, v = g / |g| (KK = 00) and random
// unit vectors, several h.
void measure_differences(Subject& s, const Unit& u);

// "precision": this program's gradient against `reference`, the same in the other scalar, [n][values].
void measure_precision(Subject& s, const Unit& u, const std::vector<std::vector<double>>& reference);

// "mode:NAME": cosine and relative error to the mode full, for every mode the defence has; "mode:stored" with
// everything kept.
void measure_modes(Subject& s, const Unit& u);

// "determinism": the same forward and backward pass twice, with another in between, and each image alone: equal bits?
void measure_determinism(Subject& s, const Unit& u);

// "clip": clipped fraction per stage, the fraction of gradient values that are exactly 0, and of purified values
// outside [0, 1].
void measure_saturation(Subject& s, const Unit& u);

// "flow": |d loss / d state| after every diffusion step, from the last to the first; counts of denormal and of
// non-finite values.
void measure_flow(Subject& s, const Unit& u);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
