// One purification seen from inside: every state between the image and the purified image, and what becomes of a
// perturbation on the way.
#pragma once
#include <functional>
#include <vector>

#include "diffusion/purify.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// A state of a chain. Stage 0 is the image itself; then (other sizes outside only) the resized image; the noised
// images; the result of every reverse step; and (other sizes) the purified image at its own size.
struct Stage {
  enum Kind { Input, Resize, Forward, Reverse } kind = Input;  // what was done to get here
  int place = 0;   // on an axis of diffusion steps: t for forward step t, t* + t' after t' of the t* reverse steps
  int label = -1;  // network index of the step
  int order = -1;  // Reverse: place in Purifier::steps()
};
std::vector<Stage> chain_stages(const Purifier& purifier);

// Purifies x [n,3,h,w] in [0,1] and calls visit(k, u) with every state u in [-1,1], k counting chain_stages. The
// purifier computes what it always does; single forward steps are computed once more for the eye.
void walk_chain(Purifier& purifier, View x, NoiseSource& noise, const std::function<void(int stage, View u)>& visit);

// All states of one walk on the host, [stage][n c h w].
using ChainStates = std::vector<std::vector<real>>;
ChainStates chain_states(Purifier& purifier, View x, NoiseSource& noise);

// What a perturbed walk did relative to a base walk of the same images under the same noise: called with stage, image
// and the difference of the two states (image_size values), in [-1,1] units.
using DifferenceVisit = std::function<void(int stage, int image, const std::vector<double>& difference)>;
void walk_differences(Purifier& purifier, View x, NoiseSource& noise, const ChainStates& base,
                      const DifferenceVisit& visit);

// |difference|_2 per stage and image of walk_differences: norms[stage][image]. norms[k + 1] / norms[k] is the
// compression rate of one stage for the tracked perturbation (eq. 9), the last over the first that of the whole chain.
std::vector<std::vector<double>> tracked_norms(Purifier& purifier, View x, NoiseSource& noise, const ChainStates& base);

// x + eta with the perturbations of the compression rate (uniform in [-eps, eps], stream cr_uniform, not clamped) of
// draw `draw`.
Buffer perturbed(View x, double eps, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images,
                 int draw);

double norm2(const std::vector<double>& v);
double dot(const std::vector<double>& a, const std::vector<double>& b);
std::vector<double> row_values(View v, int n);  // image n, on the host

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
