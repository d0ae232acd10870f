#include "rng/train_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "core/check.h"

using namespace purescope;

// A number depends on its key alone, whatever was drawn before: the ground of bit-exact resume.
TEST(TrainStream, Stateless) {
  const TrainStream a(1), b(1), c(2);
  const TrainKey key{1000, 5, TrainPurpose::Noise};
  std::vector<float> x(100), y(100), z(100);
  a.normal({999, 5, TrainPurpose::Noise}, x.data(), 100);
  a.normal(key, x.data(), 100);
  b.normal(key, y.data(), 100);
  c.normal(key, z.data(), 100);
  EXPECT_EQ(x, y);
  EXPECT_NE(x, z);
  EXPECT_EQ(a.uniform(key, 3), b.uniform(key, 3));
}

TEST(TrainStream, EveryFieldMatters) {
  std::set<double> seen;
  size_t count = 0;
  for (int64_t seed : {0, 1, -1})
    for (int64_t step : {int64_t{0}, int64_t{1}, int64_t{1} << 33})
      for (int64_t image : {0, 1, 127})
        for (auto purpose : {TrainPurpose::Shuffle, TrainPurpose::Timestep, TrainPurpose::Other})
          for (uint32_t index : {0u, 1u}) {
            seen.insert(TrainStream(seed).uniform({step, image, purpose}, index));
            ++count;
          }
  EXPECT_EQ(seen.size(), count);
  EXPECT_THROW(TrainStream(0).uniform({-1, 0, TrainPurpose::Flip}), Error);
}

TEST(TrainStream, BelowIsUniform) {
  const TrainStream stream(3);
  std::vector<int> histogram(10);
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) ++histogram.at(stream.below({i, 0, TrainPurpose::Timestep}, 10));
  double chi2 = 0;
  for (int h : histogram) chi2 += (h - kDraws / 10.0) * (h - kDraws / 10.0) / (kDraws / 10.0);
  EXPECT_LT(chi2, 33.7);  // 9 degrees of freedom: exceeded once in 10^4 seeds; this seed is fixed
  EXPECT_GT(chi2, 0.5);
  const TrainKey key{1, 2, TrainPurpose::Crop};
  EXPECT_EQ(stream.below(key, 1), 0u);
  const uint64_t big = stream.below(key, ~0ull);  // floor(w (2^64 - 1) / 2^64) keeps the upper bits of w
  EXPECT_EQ(static_cast<double>(big >> 12) * 0x1p-52, std::floor(stream.uniform(key) * 0x1p52) * 0x1p-52);
}

TEST(TrainStream, Permutation) {
  const TrainStream stream(4);
  std::vector<int64_t> a(1000), b(1000), sorted;
  stream.permutation({0, 0, TrainPurpose::Shuffle}, a.data(), a.size());
  stream.permutation({1, 0, TrainPurpose::Shuffle}, b.data(), b.size());
  EXPECT_NE(a, b);
  sorted = a;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(sorted[i], i);
  int64_t fixed = 0;
  for (int64_t i = 0; i < 1000; ++i) fixed += a[i] == i;
  EXPECT_LT(fixed, 10);  // one is expected
}
