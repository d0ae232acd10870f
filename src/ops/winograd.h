// Convolution 3 x 3 with stride 1 in fewer multiplications: F(m x m, 3 x 3) with m = 2 or 4 (Winograd 1980; Lavin and Gray 2015,
// arXiv 1509.09308). Outputs are made in tiles of m x m from p x p inputs, p = m + 2, by sums over input channels i at each of the p^2
// places of a tile:
//   U = G w G^T,  V = B^T d B,  y = A^T (sum_i U V) A                            forward; dx the same with flipped filters
//   dU = sum over tiles of V (A dy A^T),  dw = G^T dU G                          dweight
// A quarter (m = 4) of the multiplications of the plain sum, and more rounding: float32 relative l2 error about 1e-6 against double
// instead of 2e-7. Each sum over channels is one chain of the tile kernel, so tiles of all images share a matrix product and image k of a
// batch still has the bits of image k alone.
#pragma once
#include "core/view.h"
#include "ops/specs.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Which algorithm fast mode takes for one layer on pictures of h x w, from a cost model in multiply-adds; never from the batch, the
// threads or a clock. Exact for what is not 3 x 3 with stride 1.
ConvAlgorithm choose_algorithm(const Conv2d& s, int h, int w);
// "tiles", "winograd 2x2" or "winograd 4x4".
const char* algorithm_name(ConvAlgorithm algorithm);

// Reals of the transformed filters.
size_t winograd_filter_size(const Conv2d& s, bool flipped);
// to = the transformed filters, flipped: those of dx. Overwrites winograd_filter_size(s, flipped) reals, 64-byte aligned.
void winograd_filters(const Conv2d& s, View weight, bool flipped, real* to);

// What cpu::conv2d_forward and _backward compute, by s.algorithm. bias may be empty.
void winograd_forward(const Conv2d& s, View x, View weight, View bias, View y);
void winograd_backward_data(const Conv2d& s, View weight, View dy, View dx);
void winograd_backward_weight(const Conv2d& s, View x, View dy, View dweight);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
