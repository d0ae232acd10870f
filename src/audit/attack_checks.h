// Does the attack behave as attacks on an unmasked defence do? Checks 7 to 14, 17 to 19, 24. Every function attacks and
// writes "attack:NAME" records: whether the returned image breaks the target under the fixed noise of its seed (one
// more forward pass decides, never the attack itself), losses, and what was seen on the path.
#pragma once
#include "audit/subject.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// "attack:clean", "attack:pgd" (the audited one) and "attack:fgsm" (one step of eps from x itself), "attack:pgd-ste",
// "attack:pgd-margin".
void measure_attacks(Subject& s, const Unit& u);

// "attack:steps:K" for K = N, 2N and step_factor N, from one run: with a constant step the shorter attacks are prefixes
// of the longest.
void measure_more_steps(Subject& s, const Unit& u);

// "attack:restarts:K" for K = 1, 2, 5, 10, prefixes of one run.
void measure_restarts(Subject& s, const Unit& u);

// "attack:budget:EPS" for every budget of the options.
void measure_budgets(Subject& s, const Unit& u);

// "attack:random": uniform and corner samples of the ball, the best kept. "attack:search": greedy search over squares,
// by margins alone.
void measure_random_search(Subject& s, const Unit& u);
void measure_gradient_free(Subject& s, const Unit& u);

// "attack:transfer:classifier", ":bpda", ":seed" and ":surrogate": crafted elsewhere, tested here.
void measure_transfer(Subject& s, const Unit& u);

// "attack:free": crafted with fresh noise at every step, tested under the fixed noise.
void measure_fixed_noise(Subject& s, const Unit& u);

// "landscape": curvature of the loss along the gradient over that along a random direction, on a 21 x 21 grid of the
// ball.
void measure_landscape(Subject& s, const Unit& u);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
