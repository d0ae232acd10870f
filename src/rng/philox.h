// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011): 128-bit counter and 64-bit key in, four 32-bit words out, no state.
#pragma once
#include <array>
#include <cstdint>

namespace purescope {

using PhiloxWords = std::array<uint32_t, 4>;

constexpr uint32_t kPhiloxMultiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
constexpr uint32_t kPhiloxKeyStep[2] = {0x9E3779B9u, 0xBB67AE85u};
constexpr int kPhiloxRounds = 10;

// One round: (c0, c1, c2, c3) -> (hi(c2 m1) ^ c1 ^ k0, lo(c2 m1), hi(c0 m0) ^ c3 ^ k1, lo(c0 m0)).
constexpr PhiloxWords philox_round(const PhiloxWords& c, uint32_t k0, uint32_t k1) {
  const uint64_t a = static_cast<uint64_t>(kPhiloxMultiplier[0]) * c[0];
  const uint64_t b = static_cast<uint64_t>(kPhiloxMultiplier[1]) * c[2];
  return {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(b),
          static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(a)};
}

// The four words of one counter value.
constexpr PhiloxWords philox(uint64_t key, PhiloxWords counter) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    counter = philox_round(counter, k0, k1);
    k0 += kPhiloxKeyStep[0];
    k1 += kPhiloxKeyStep[1];
  }
  return counter;
}

// As cuRAND lays its counter out: words 0 and 1 are the block number, words 2 and 3 the subsequence (low word first).
constexpr PhiloxWords philox(uint64_t key, uint64_t subsequence, uint64_t block) {
  return philox(key, PhiloxWords{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                 static_cast<uint32_t>(subsequence), static_cast<uint32_t>(subsequence >> 32)});
}

// The same for `count` counters stored as four arrays, in place (fast: the loop over counters is vectorized).
void philox_lanes(uint64_t key, uint32_t* w0, uint32_t* w1, uint32_t* w2, uint32_t* w3, int count);

}  // namespace purescope
