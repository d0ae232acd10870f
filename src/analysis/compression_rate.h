// Expected compression rate, eq. 9-10 of the paper: CR = ||f_xi(x0 + eta) - f_xi(x0)|| / ||eta||, l2, with the same noise xi on both
// sides, eta uniform in [-eps, eps], not clamped to [0, 1] unless asked.
#pragma once
#include <vector>

#include "diffusion/purify.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct CompressionRate {
  double mean = 0, standard_error = 0;  // over the draws of eta
  double eta_norm = 0;                  // mean ||eta||
  std::vector<double> draws;            // one rate per draw
};

// x0 [n,3,h,w] in [0,1]; `noise` gives xi for this batch; anchors [n,3,h,w] receives f_xi(x0) in the network's domain [-1, 1].
std::vector<CompressionRate> compression_rates(Purifier& purifier, View x0, NoiseSource& noise, double eps, int draws, bool clamp,
                                               const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images, View anchors);

// ||a - b|| per image (l2), and max |a - b|.
std::vector<double> l2_distances(View a, View b);
std::vector<double> linf_distances(View a, View b);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
