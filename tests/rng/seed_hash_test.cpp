#include "rng/seed_hash.h"

#include <gtest/gtest.h>

#include "core/check.h"

using namespace purescope;

// Worked by hand with unbounded integers from the formula of the paper.
TEST(SeedHash, Table) {
  struct Row { int64_t s, i, t; uint32_t forward, reverse; };
  const Row rows[] = {{0, 0, 0, 0u, 19349663u},
                      {0, 0, 100, 3869932600u, 3889282263u},
                      {0, 1, 1, 103314787u, 118699392u},
                      {1, 0, 1, 112688777u, 126631530u},
                      {2, 7, 42, 2009228745u, 1965761838u},
                      {0, 59, 1, 32821329u, 13602994u},
                      {2, 999, 100, 3264878013u, 3286357330u},
                      {123, 199, 149, 1605046704u, 1354912019u},
                      {295, 9999, 150, 346582470u, 376515937u}};
  for (const Row& r : rows) {
    EXPECT_EQ(seed_hash(r.s, r.i, noise_k(Phase::Forward, r.t)), r.forward) << r.s << " " << r.i << " " << r.t;
    EXPECT_EQ(seed_hash(r.s, r.i, noise_k(Phase::Reverse, r.t)), r.reverse) << r.s << " " << r.i << " " << r.t;
  }
  EXPECT_EQ(seed_hash(1, 1, 1), 28855157u);
  EXPECT_THROW(noise_k(Phase::Forward, -1), Error);
}

// Without brackets only the last product is reduced: the first image whose seed differs is 59.
TEST(SeedHash, Unreduced) {
  EXPECT_EQ(seed_hash_unreduced(0, 59, 2), 4327788625u);
  EXPECT_EQ(seed_hash(0, 59, 2), 32821329u);
  for (int64_t i = 0; i < 59; ++i) EXPECT_EQ(seed_hash_unreduced(0, i, 2), seed_hash(0, i, 2)) << i;
  EXPECT_EQ(static_cast<uint32_t>(seed_hash_unreduced(-7, 4000, 300)), seed_hash(-7, 4000, 300));
  EXPECT_EQ(seed_hash_unreduced(-1, 0, 0), 0ull - 83492791ull);  // as PyTorch takes a negative seed: 2^64 - n
}

TEST(SeedHash, Collisions) {
  EXPECT_EQ(repeated_seeds({0, 1, 2}, 1000, 304), 82u);
  for (int64_t s : {0, 1, 2}) EXPECT_EQ(repeated_seeds({s}, 1000, 200), 6u) << s;
  EXPECT_EQ(repeated_seeds({0, 1, 2}, 1000, 200), 42u);
  EXPECT_EQ(repeated_seeds({0}, 200, 300), 0u);
  EXPECT_EQ(repeated_seeds({5, 5}, 10, 10), 100u);  // the same seeds twice: every one repeats
  EXPECT_EQ(repeated_seeds({}, 10, 10), 0u);
  try {
    repeated_seeds({0}, 1 << 20, 1 << 20);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code, kUsage);
  }
}
