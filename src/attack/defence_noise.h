// The noise of a randomised defence while it is attacked: which draw each row of a pass gets.
#pragma once
#include <vector>

#include "attack/attack_task.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Keyed as docs/protocol.md, section 6 says: fixed = draw 0 of the seed for every row; free = draw 1 + step eot + e of the seed.
class DefenceNoise : public NoiseSource {
 public:
  DefenceNoise(const NoiseStream& stream, int64_t seed, bool free, int eot, int t_base) : stream_(stream), seed_(seed), free_(free), eot_(eot), t_base_(t_base) {}
  // This source, set to the rows of one pass. For AttackTask::noise.
  NoiseSource* at(const std::vector<NoiseSlot>& slots);
  void forward(ForwardKind, int t, View out) override { fill(Phase::Forward, t, out); }
  void reverse(int, int t, View out) override { fill(Phase::Reverse, t, out); }

 private:
  void fill(Phase phase, int t, View out) const;
  const NoiseStream& stream_;
  int64_t seed_;
  bool free_;
  int eot_, t_base_;
  std::vector<NoiseKey> keys_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
