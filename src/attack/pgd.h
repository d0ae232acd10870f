// Projected gradient descent on a Defended target.
#pragma once
#include <functional>
#include <vector>

#include "attack/attack_options.h"
#include "attack/defended.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// The noise of attack step `step` (0-based, counted through all restarts; the check at the end of a restart counts as a step): the same
// source every time under fixed randomness, a fresh draw under free randomness. May return null for a target without purifier.
using StepNoise = std::function<NoiseSource*(int step)>;

struct PgdImage {                  // what happened to one image
  double loss_start = 0;           // cross-entropy at the start point
  double loss_last = 0;            // at the last point whose gradient was taken
  bool adversarial_on_path = false;// some iterate was misclassified under the noise of its step
  double grad_zero = 0;            // fraction of gradient values that were exactly 0, over all steps
  bool not_finite = false;         // a loss or gradient was NaN or infinite: the image was left where it was
};

struct PgdResult {
  Buffer adversarial;              // [n,3,h,w] in [0,1]
  std::vector<PgdImage> images;
  bool stopped = false;            // stop() turned true; the checkpoint holds the rest
};

// Where an interrupted run stands. Everything random is keyed, so continuing gives the bits of an uninterrupted run.
struct PgdCheckpoint {
  bool set = false;
  int restart = 0, step = 0;             // the next step to take
  std::vector<real> x, best, result;     // iterate, best iterate, result of earlier restarts; [n,3,h,w]
  std::vector<double> best_loss;
  std::vector<size_t> zeros;             // zero gradient values so far
  std::vector<PgdImage> images, result_images;
  std::vector<char> done;                // broken in an earlier restart
};

// x0 [n,3,h,w] in [0,1] (checked: exit 65). eps holds one budget per image. images[j] keys the random start of image j together with
// `seed`. n may be at most target.batch(). With a checkpoint the run continues there if it is set, and is left there when stop() turns
// true between two steps.
PgdResult pgd(Defended& target, View x0, const int* labels, const std::vector<double>& eps, const PgdOptions& options,
              const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images, const StepNoise& noise,
              PgdCheckpoint* checkpoint = nullptr, const std::function<bool()>& stop = {});

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
