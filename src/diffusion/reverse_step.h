// The reverse process as a list of numbers: one ReverseStep (ops/specs.h) per network call, in the order of execution.
#pragma once
#include <vector>

#include "diffusion/purify_options.h"
#include "diffusion/schedule.h"
#include "ops/specs.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// ddpm (Ho et al. 2020, eq. 7 and alg. 2):  y = c1 x0 + c2 x + [t > 0] sigma z with the posterior's c1, c2 and sigma^2 = beta_t
//   (fixedlarge) or the posterior variance (fixedsmall); fewer steps than t*: betas derived again for the kept indices.
// eta (Song et al. 2021, eq. 12 and 16), from abar a to a':  y = sqrt(a') x0 + sqrt(1 - a' - s^2) eps + s z,
//   s = eta sqrt((1 - a/a')(1 - a')/(1 - a)); with clipping eps is derived again from the clipped x0.
std::vector<ReverseStep> reverse_steps(const PurifyOptions& options);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
