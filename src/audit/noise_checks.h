// What the randomness of the defence does to gradients, predictions and verdicts. Checks 15, 16 and 23.
#pragma once
#include "audit/subject.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// "eot": for n = 2, 4, ..., the cosine between the mean gradients of the two halves of n draws, and |mean|^2 /
// (variance / n).
void measure_eot(Subject& s, const Unit& u);

// "instability": mean over random directions d of length 8/255 (l-inf) of |loss(x + d) - loss(x)| / |loss(x)|, each at
// most 1.
void measure_instability(Subject& s, const Unit& u);

// "control": of M fresh noise draws, how many misclassify the image, the image with uniform noise of the budget, and
// the adversarial image of an attack with fresh noise at every step.
void measure_control(Subject& s, const Unit& u);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
