// The main job: one image (or a small batch) through purifier and classifier, measured and attacked.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "analysis/compression_rate.h"
#include "analysis/robustness_options.h"
#include "attack/attack_task.h"
#include "attack/minimum_perturbation.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class Robustness {
 public:
  // unet may be null. `base` and `behind` are two nets of the same classifier: alone, and after the purifier.
  Robustness(Net* unet, Net& base, Net& behind, const RobustnessOptions& options, const NoiseStream& stream, int batch, size_t memory_reals);

  // x [n,3,h,w] in [0,1], on the device, as all images here; ids are the positions in the data source (they key the noise). `resume` continues a stopped attack; when stop()
  // turns true at a step boundary the attack is left in `checkpoint` and the result is empty.
  std::vector<AttackRecord> attack(const Setting& setting, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                                   AttackCheckpoint* checkpoint, const std::function<bool()>& stop, const GradientObserver& observe = {});

  // The attack alone, without measuring or judging its result.
  AttackResult craft(const Setting& setting, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                     AttackCheckpoint* checkpoint, const std::function<bool()>& stop, const GradientObserver& observe = {});

  // Predictions at x, image j under test draw `draw` (0: the fixed noise) of the seed; -1 not finite. The losses go to `losses` if given.
  std::vector<int> predict(int t, int64_t seed, uint64_t draw, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                           std::vector<double>* losses = nullptr);
  // Gradients of the cross-entropy at x, averaged over `draws` draws from `first_draw` on (one draw 0: the fixed noise).
  Buffer gradient(int t, int64_t seed, uint64_t first_draw, int draws, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids);
  // argmax of the classifier alone.
  std::vector<int> classify(View x);

  // Minimum perturbations of the classifier alone in units of eps, at x.
  std::vector<MinimumPerturbation> minima(double eps, int64_t seed, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids);

  // f_xi(x) under the fixed noise of the seed, in [0,1] units.
  Buffer purified(int t, int64_t seed, View x, const std::vector<int64_t>& ids);

  // Compression rates and anchors alone (no attack).
  std::vector<CompressionRate> compression(int t, int64_t seed, double eps, View x, const std::vector<int64_t>& ids, View anchors);

 private:
  struct Measured { std::vector<CompressionRate> rates; Buffer anchors; };
  void select(int t);
  const Measured& measured(const Setting& setting, View x, const std::vector<int64_t>& ids);
  std::vector<AttackRecord> score(const Setting& setting, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids,
                                  const AttackResult& result, const std::vector<CompressionRate>& rates, View anchors);
  Net* unet_;
  Net& base_net_;
  Net& behind_;
  const RobustnessOptions& options_;
  const NoiseStream& stream_;
  int batch_;
  size_t memory_reals_;
  int current_t_ = -1;
  Setting measured_at_;
  std::map<std::vector<int64_t>, Measured> measured_;   // by the ids of a batch
  std::unique_ptr<Defended> base_, target_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
