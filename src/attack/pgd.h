// Projected gradient descent on a Defended target; FGSM is its one-step form.
#pragma once
#include <functional>
#include <vector>

#include "attack/attack_task.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Where an interrupted run stands.
struct PgdCheckpoint {
  bool set = false;
  int restart = 0, step = 0;             // the next step to take
  std::vector<real> x, best, result;     // iterate, best iterate, result of earlier restarts; [n,3,h,w]; up to date whenever stop() is asked
  std::vector<double> best_loss;
  std::vector<size_t> zeros;             // zero gradient values so far
  std::vector<PgdImage> images, result_images;
  std::vector<char> done;                // broken in an earlier restart
};
AttackCheckpoint pack(const PgdCheckpoint& state);
PgdCheckpoint unpack_pgd(const AttackCheckpoint& state);

// x0 [n,3,h,w] on the device, in [0,1] (checked: exit 65). With a checkpoint the run continues there if it is set, and is left there when task.stop()
// turns true between two steps. With eot.draws > 1 the iterates are judged by all draws.
AttackResult pgd(const AttackTask& task, const PgdOptions& options, const EotOptions& eot, PgdCheckpoint* checkpoint);

// One step of eps from x0: x = clamp(x0 + eps sign(g)), l2: x0 + eps g / |g|  (Goodfellow et al. 2015).
PgdOptions fgsm_options(const PgdOptions& options);

// The same under a noise that is the same for a whole batch. eps holds one budget per image. images[j] keys the random start of image j
// together with `seed`.
PgdResult pgd(Defended& target, View x0, const int* labels, const std::vector<double>& eps, const PgdOptions& options,
              const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images, const StepNoise& noise,
              PgdCheckpoint* checkpoint = nullptr, const std::function<bool()>& stop = {});

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
