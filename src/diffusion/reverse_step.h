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
//   learned variance (Nichol and Dhariwal 2021, eq. 15): the log-variance lies between those two, per value.
std::vector<ReverseStep> reverse_steps(const PurifyOptions& options);

// The reverse VP-SDE (Song et al. 2021, eq. 6 and 32) by Euler-Maruyama and the probability-flow ODE (eq. 13) by Euler, from t* / 1000
// down to 1e-5 in steps of 1/1000, coefficients at the start of every step; beta(t) = 0.1 + 19.9 t, score = -eps / sqrt(1 - abar(t)):
//   sde: y = (1 + h beta / 2) x - h beta / sqrt(1 - abar) eps + sqrt(h beta) z;   ode: half of the eps term and no noise.
std::vector<ReverseStep> vp_steps(const PurifyOptions& options);

// DPM-Solver and DPM-Solver++ of orders 1 to 3 (Lu et al. 2022a, b) from t* / 1000 to 1/1000 on the discrete schedule, t_i = (i + 1) / 1000,
// log alpha linear between; the network is told 1000 t - 1. One entry per network call: intermediate points of a singlestep method count.
std::vector<ReverseStep> dpm_steps(const PurifyOptions& options);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
