#include "attack/defence_noise.h"

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

NoiseSource* DefenceNoise::at(const std::vector<NoiseSlot>& slots) {
  keys_.clear();
  for (const NoiseSlot& s : slots) keys_.push_back({seed_, s.image, free_ ? eot_draw(s.step, eot_, s.draw) : 0, Phase::Forward, 0});
  return this;
}

void DefenceNoise::fill(Phase phase, int t, View out) const {
  PURESCOPE_REQUIRE(out.n <= static_cast<int>(keys_.size()));
  fill_draws(stream_, Purpose::Noise, [&](int n) {
    NoiseKey key = keys_[n];
    key.phase = phase;
    key.t = t + t_base_;
    return key;
  }, out);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
