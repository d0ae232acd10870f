#include "rng/philox.h"

#include <gtest/gtest.h>

#include <vector>

using namespace purescope;

// The known answers published with the Random123 library: counter and key all zero, all one, and digits of pi.
TEST(Philox, PublishedAnswers) {
  EXPECT_EQ(philox(0, PhiloxWords{}), (PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox(~0ull, PhiloxWords{kOnes, kOnes, kOnes, kOnes}),
            (PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, PhiloxWords{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  EXPECT_NE(philox(1, PhiloxWords{}), philox(0, PhiloxWords{}));
}

TEST(Philox, LanesEqualScalar) {
  constexpr int kCount = 77;
  std::vector<uint32_t> w[4];
  for (auto& lane : w) lane.resize(kCount);
  std::vector<PhiloxWords> want;
  for (uint32_t i = 0; i < kCount; ++i) {
    const PhiloxWords counter = {i * 0x9e3779b9u, ~i, i * i, 0x80000000u + i};
    for (int k = 0; k < 4; ++k) w[k][i] = counter[k];
    want.push_back(philox(0x0123456789abcdef, counter));
  }
  philox_lanes(0x0123456789abcdef, w[0].data(), w[1].data(), w[2].data(), w[3].data(), kCount);
  for (int i = 0; i < kCount; ++i)
    for (int k = 0; k < 4; ++k) EXPECT_EQ(w[k][i], want[i][k]) << i << " " << k;
}
