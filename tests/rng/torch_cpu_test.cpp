// Properties of the CPU generator that need no recorded numbers; vectors_test.cpp has the numbers.
#include "rng/torch_cpu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/check.h"

using namespace purescope;

TEST(TorchCpu, OnlyLowSeedBitsMatter) {
  TorchCpuGenerator a(5), b((1ull << 32) + 5), c(6);
  const uint32_t first = a.word();
  EXPECT_EQ(first, b.word());
  EXPECT_NE(first, c.word());
}

// A 64-bit draw takes the high half first.
TEST(TorchCpu, DoubleWord) {
  TorchCpuGenerator a(9), b(9);
  const uint64_t high = a.word(), low = a.word();
  EXPECT_EQ(b.double_word(), high << 32 | low);
}

// A tail that is no full group is drawn again: n + 16 words are used, and only the last 16 values change.
TEST(TorchCpu, TailIsDrawnAgain) {
  std::vector<float> long_one(32), short_one(20);
  TorchCpuGenerator a(3), b(3), c(3);
  a.randn(long_one.data(), 32);
  b.randn(short_one.data(), 20);
  EXPECT_TRUE(std::equal(short_one.begin(), short_one.begin() + 4, long_one.begin()));
  EXPECT_FALSE(std::equal(short_one.begin() + 4, short_one.begin() + 16, long_one.begin() + 4));
  for (int i = 0; i < 36; ++i) c.word();
  EXPECT_EQ(b.word(), c.word());
}

// The second value of a pair waits for the next short call, also across a long one.
TEST(TorchCpu, WaitingValue) {
  TorchCpuGenerator a(4), b(4);
  float pair[2], first, second;
  std::vector<float> other(16);
  a.randn(pair, 2);
  b.randn(&first, 1);
  b.randn(other.data(), 16);
  b.randn(&second, 1);
  EXPECT_EQ(pair[0], first);
  EXPECT_EQ(pair[1], second);
}

TEST(TorchCpu, EmptyDrawsUseNothing) {
  TorchCpuGenerator a(4), b(4);
  a.randn(static_cast<float*>(nullptr), 0);
  a.rand(static_cast<float*>(nullptr), 0);
  a.randperm(nullptr, 0);
  EXPECT_EQ(a.word(), b.word());
}

TEST(TorchCpu, Randint) {
  TorchCpuGenerator g(1);
  std::vector<int64_t> v(1000);
  g.randint(v.data(), v.size(), -3, 4);
  EXPECT_EQ(*std::min_element(v.begin(), v.end()), -3);
  EXPECT_EQ(*std::max_element(v.begin(), v.end()), 3);
  EXPECT_THROW(g.randint(v.data(), 1, 2, 2), Error);
}
