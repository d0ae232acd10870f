// What an attack gets and what it gives back: the same for all of them (docs/attacks.md).
//
// Every image has its own state and its own random streams, so that image k of a batch comes out with the bits it has alone.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "attack/attack_options.h"
#include "attack/defended.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// The noise of attack step `step` (0-based, counted through all restarts; the check at the end of a restart counts as a step): the same
// source every time under fixed randomness, a fresh draw under free randomness. May return null for a target without purifier.
using StepNoise = std::function<NoiseSource*(int step)>;

// One row of a pass through the target: image `image` (its key, not its place), in attack step `step`, EOT draw `draw`.
struct NoiseSlot { int64_t image = 0, step = 0; int draw = 0; };
// The noise for the rows of one pass, in their order; valid until the next call. Null for a target without purifier.
using SlotNoise = std::function<NoiseSource*(const std::vector<NoiseSlot>& slots)>;

// Told of every gradient of a single draw, before averaging: `gradient` holds one image.
using GradientObserver = std::function<void(const NoiseSlot& slot, const real* gradient, size_t size)>;

struct PgdImage {                  // what happened to one image
  double loss_start = 0;           // cross-entropy (or the attack's own loss) at the start point
  double loss_last = 0;            // at the last point that was judged
  bool adversarial_on_path = false;// some iterate was misclassified under the noise of its step
  double grad_zero = 0;            // fraction of gradient values that were exactly 0, over all steps
  bool not_finite = false;         // a loss or gradient was NaN or infinite: the image was left where it was
  double forwards = 0, backwards = 0;  // passes of this image through the whole target
  int broken_by = -1;              // suite: place in its sequence of the attack that succeeded, -1 none, -2 misclassified without attack
};

struct PgdResult {
  Buffer adversarial;              // [n,3,h,w] in [0,1], on the device
  std::vector<PgdImage> images;
  bool stopped = false;            // stop() turned true; the checkpoint holds the rest
};
using AttackResult = PgdResult;

// Where an interrupted attack stands, as named lists of numbers (reals are exact in double). Everything random is keyed, so continuing
// gives the bits of an uninterrupted run.
struct AttackCheckpoint {
  bool set = false;
  std::map<std::string, std::vector<double>> values;
};

struct AttackTask {
  Defended& target;
  View x0;                             // [n,3,h,w] in [0,1], on any device; n may be at most target.batch()
  const int* labels;                   // [n]
  std::vector<double> eps;             // [n]
  const NoiseStream& stream;           // of the attack's own random numbers,
  int64_t seed;                        // keyed by this seed
  std::vector<int64_t> images;         // and by these [n]
  SlotNoise noise;                     // of the defence
  std::function<bool()> stop = {};     // asked between steps
  AttackCheckpoint* checkpoint = nullptr;
  GradientObserver observe = {};
  int64_t first_step = 0;              // where the attack starts to count steps
};

// Bookkeeping as numbers and back, for checkpoints.
std::vector<double> image_numbers(const std::vector<PgdImage>& images);
std::vector<PgdImage> images_from(const std::vector<double>& numbers);
template <class To>
std::vector<To> convert(const std::vector<double>& v) { return std::vector<To>(v.begin(), v.end()); }
template <class From>
std::vector<double> doubles(const std::vector<From>& v) { return std::vector<double>(v.begin(), v.end()); }

// Restart or iteration number of an attack's own random stream (NoiseStream::start_uniform): every kind has a range of its own.
// restart < 64, iteration < 2^20; PGD (kind 0) uses the restart alone.
int stream_number(AttackKind kind, int restart, int iteration = 0);

// Exit 65 unless all values of x0 lie in [0, 1].
void check_bounds(View x0);

// x_n = a point of the eps_n-ball around x0_n, uniform, clamped to [0, 1], drawn where x lies; the foolbox starts (docs/attacks.md, PGD).
void random_points(Norm norm, View x0, const std::vector<double>& eps, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images,
                   int number, View x);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
