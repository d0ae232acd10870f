// Structural similarity of two images (Wang et al. 2004), as scikit-image computes it with its options for that paper.
#pragma once
#include <vector>

#include "core/view.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Mean over channels and windows of (2 ma mb + c1)(2 sab + c2) / ((ma^2 + mb^2 + c1)(sa^2 + sb^2 + c2)) per image, in [-1, 1]; 1 for
// equal images; computed on the host, wherever a and b lie. Windows: 11 x 11 Gaussian of deviation 1.5, whole inside the image; c1 = 0.01^2, c2 = 0.03^2 (value range 1). The papers
// state neither window nor range. a, b [n,c,h,w] in [0,1] units; NaN for images smaller than the window.
std::vector<double> ssim(View a, View b);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
