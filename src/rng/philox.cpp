#include "rng/philox.h"

#include "rng/fma_clones.h"

namespace purescope {

PURESCOPE_FMA_CLONES
void philox_lanes(uint64_t key, uint32_t* __restrict w0, uint32_t* __restrict w1, uint32_t* __restrict w2,
                  uint32_t* __restrict w3, int count) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (int i = 0; i < count; ++i) {
      const uint64_t a = static_cast<uint64_t>(kPhiloxMultiplier[0]) * w0[i];
      const uint64_t b = static_cast<uint64_t>(kPhiloxMultiplier[1]) * w2[i];
      w0[i] = static_cast<uint32_t>(b >> 32) ^ w1[i] ^ k0;
      w1[i] = static_cast<uint32_t>(b);
      w2[i] = static_cast<uint32_t>(a >> 32) ^ w3[i] ^ k1;
      w3[i] = static_cast<uint32_t>(a);
    }
    k0 += kPhiloxKeyStep[0];
    k1 += kPhiloxKeyStep[1];
  }
}

}  // namespace purescope
