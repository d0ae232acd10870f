// Properties of the CUDA rule; vectors_test.cpp has the recorded numbers.
#include "rng/torch_cuda.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/check.h"

using namespace purescope;

namespace {
std::vector<float> randn(uint64_t seed, size_t n, CudaLayout layout = {}) {
  std::vector<float> v(n);
  TorchCudaGenerator(seed, layout).randn(v.data(), n);
  return v;
}
}  // namespace

// What PyTorch prints (4 digits) for torch.manual_seed(42); torch.randn(8, device="cuda") on real cards.
TEST(TorchCuda, PrintedByRealCards) {
  const float printed[8] = {0.1940f, 2.1614f, -0.1721f, 0.8491f, -1.9244f, 0.6530f, -0.6494f, -0.8175f};
  const auto v = randn(42, 8);
  for (int i = 0; i < 8; ++i) EXPECT_LE(std::fabs(v[i] - printed[i]), 5.5e-5f) << i;
}

// 3 x 32 x 32 values are the same on every card; 3 x 256 x 256 wrap on some, from element T on.
TEST(TorchCuda, LayoutMattersOnlyAfterWrapping) {
  const CudaLayout big, small{72, 1024};
  EXPECT_EQ(randn(7, 3072, big), randn(7, 3072, small));
  const auto a = randn(7, 196608, big), b = randn(7, 196608, small);
  const uint64_t wrap = cuda_thread_count(small, 196608);
  EXPECT_EQ(wrap, 73728u);
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + 73728, b.begin()));
  size_t equal = 0;
  for (size_t i = wrap; i < a.size(); ++i) equal += a[i] == b[i];
  EXPECT_LT(equal, 10u);
}

// The first n values do not depend on n while nothing wraps, also for n that is no multiple of 256.
TEST(TorchCuda, PrefixStable) {
  const auto whole = randn(11, 3072), part = randn(11, 1001);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
}

TEST(TorchCuda, OffsetAdvancesAndContinues) {
  TorchCudaGenerator g(5), later(5, {}, 4);
  std::vector<float> first(3072), second(3072), direct(3072);
  g.rand(first.data(), 3072);
  EXPECT_EQ(g.offset(), 4u);
  g.rand(second.data(), 3072);
  later.rand(direct.data(), 3072);
  EXPECT_EQ(second, direct);
  EXPECT_NE(first, second);
  g.rand(first.data(), 0);
  EXPECT_EQ(g.offset(), 8u);
}

TEST(TorchCuda, UniformAndIntegerRanges) {
  TorchCudaGenerator g(3);
  std::vector<float> v(100000);
  g.uniform(v.data(), v.size(), -0.25f, 0.5f);
  for (float x : v) ASSERT_TRUE(x >= -0.25f && x < 0.5f) << x;
  double mean = 0;
  for (float x : v) mean += x;
  EXPECT_NEAR(mean / static_cast<double>(v.size()), 0.125, 0.004);  // 6 standard errors: 6 x 0.75 / sqrt(12 n)
  std::vector<int64_t> k(1000);
  for (int64_t hi : {int64_t{10}, int64_t{1} << 40}) {
    g.randint(k.data(), k.size(), -2, hi);
    EXPECT_GE(*std::min_element(k.begin(), k.end()), -2);
    EXPECT_LT(*std::max_element(k.begin(), k.end()), hi);
    EXPECT_GT(*std::max_element(k.begin(), k.end()), hi / 2);
  }
  EXPECT_THROW(g.randint(k.data(), 1, 1, 1), Error);
  EXPECT_THROW(TorchCudaGenerator(0, {0, 2048}), Error);
}
