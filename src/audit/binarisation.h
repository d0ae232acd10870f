// Does the attack find what is known to be there? Check 21, the binarisation test of Zimmermann et al. 2022.
#pragma once
#include "audit/subject.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// "binary": every image gets a classifier of its own, a linear readout of the features before the last layer. It holds
// x and options.inner_points uniform points of the ball of 0.9 eps on one side, and one point at distance eps on the
// other, just beyond its boundary: an adversarial image exists. Then the audited attack looks for one, and so do as many
// random points of the ball as the attack costs passes (a gradient counts as three). Fields: separable (without it
// nothing was tested), broken, random (some random point succeeded), samples, features, inner. Nothing is written where
// the classifier does not end in a linear layer.
void measure_binarisation(Subject& s, const Unit& u);

// w = (C + ridge tr(C) / K)^-1 (point - mean), C the covariance of the rows [rows][K] of `inner`, K = point.size(): the
// direction along which `point` stands farthest from them in standard deviations. ridge > 0.
std::vector<double> readout_direction(const std::vector<double>& inner, const std::vector<double>& point, double ridge);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
