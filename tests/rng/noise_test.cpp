#include "rng/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/hash.h"
#include "rng/torch_cpu.h"

using namespace purescope;

namespace {
const NoiseMode kModes[] = {{NoiseRng::TorchCuda, {}, false},
                            {NoiseRng::TorchCuda, {80, 1536}, true},
                            {NoiseRng::TorchCpu, {}, false},
                            {NoiseRng::Native, {}, false}};

std::vector<float> noise(const NoiseStream& stream, const NoiseKey& key, size_t n = 3072) {
  std::vector<float> v(n);
  stream.normal(key, v.data(), n);
  return v;
}

int exit_code(const char* text, bool seed_hash = false) {
  try {
    if (seed_hash) parse_seed_hash(text);
    else parse_noise_mode(text);
  } catch (const Error& e) {
    EXPECT_FALSE(e.todo.empty());
    return e.code;
  }
  return 0;
}
}  // namespace

TEST(NoiseMode, ParseAndPrint) {
  EXPECT_EQ(parse_noise_mode("torch-cuda"), NoiseMode{});
  EXPECT_EQ(to_string(parse_noise_mode("torch-cuda")), "torch-cuda-1");
  EXPECT_EQ(to_string(parse_noise_mode("torch-cuda:sm=80,threads=1536")), "torch-cuda-1:sm=80,threads=1536");
  for (const char* text : {"torch-cuda-1", "torch-cuda-1:sm=72,threads=1024", "torch-cpu", "native"})
    EXPECT_EQ(to_string(parse_noise_mode(text)), text);
  for (const char* text :
       {"", "torch", "torch-cuda-2", "torch-cuda:", "torch-cuda:sm=80", "torch-cuda:sm=0,threads=1536",
        "torch-cuda:sm=80,threads=128", "torch-cuda:sm=80,threads=1536x", "torch-cuda:sm=-1,threads=512",
        "torch-cuda:sm=99999999999,threads=1024", "torch-cpu-1", "Native", "native "})
    EXPECT_EQ(exit_code(text), kUsage) << text;
  EXPECT_FALSE(parse_seed_hash("paper"));
  EXPECT_TRUE(parse_seed_hash("paper-unreduced"));
  EXPECT_EQ(exit_code("papers", true), kUsage);
  EXPECT_EQ(seed_hash_name({NoiseRng::TorchCuda, {}, true}), "paper-unreduced");
}

// Draw 0 is torch.randn after torch.manual_seed(hash); draw d XORs the low half of mix(d).
TEST(Noise, TorchSeeds) {
  const NoiseKey fixed{2, 7, 0, Phase::Reverse, 42};
  EXPECT_EQ(torch_seed(fixed, false), 1965761838u);
  NoiseKey eot = fixed;
  eot.draw = 5;
  EXPECT_EQ(torch_seed(eot, false), 1965761838u ^ (mix(5) & 0xffffffffu));
  EXPECT_EQ(torch_seed({0, 59, 0, Phase::Forward, 1}, true), 4327788625u);
  std::vector<float> want(3072);
  TorchCpuGenerator(1965761838u).randn(want.data(), want.size());
  EXPECT_EQ(noise(NoiseStream({NoiseRng::TorchCpu, {}, false}), fixed), want);
  TorchCudaGenerator(1965761838u).randn(want.data(), want.size());
  EXPECT_EQ(noise(NoiseStream({}), fixed), want);
  TorchCudaGenerator(seed_hash(2, 7, (1ll << 30) + 3)).rand(want.data(), want.size());
  std::vector<float> got(3072);
  NoiseStream({}).start_uniform(2, 7, 3, got.data(), got.size());
  EXPECT_EQ(got, want);
  TorchCudaGenerator(seed_hash(2, 7, (1ll << 31) + 4)).rand(want.data(), want.size());
  NoiseStream({}).cr_uniform(2, 7, 4, got.data(), got.size());
  EXPECT_EQ(got, want);
}

// The bracket question changes CUDA noise from image 59 on, and CPU noise never.
TEST(Noise, UnreducedHash) {
  const NoiseKey early{0, 58, 0, Phase::Forward, 1}, late{0, 59, 0, Phase::Forward, 1};
  const NoiseStream paper({}), unreduced({NoiseRng::TorchCuda, {}, true});
  EXPECT_EQ(noise(paper, early), noise(unreduced, early));
  EXPECT_NE(noise(paper, late), noise(unreduced, late));
  EXPECT_EQ(noise(NoiseStream({NoiseRng::TorchCpu, {}, false}), late),
            noise(NoiseStream({NoiseRng::TorchCpu, {}, true}), late));
}

// Every field and every purpose gives other numbers, in every mode.
TEST(Noise, StreamsDiffer) {
  for (const NoiseMode& mode : kModes) {
    const NoiseStream stream(mode);
    std::map<std::vector<float>, std::string> seen;
    const auto add = [&](std::vector<float> v, const std::string& name) {
      const auto [at, fresh] = seen.emplace(std::move(v), name);
      EXPECT_TRUE(fresh) << to_string(mode) << ": " << name << " equals " << at->second;
    };
    add(noise(stream, {0, 0, 0, Phase::Forward, 1}), "base");
    add(noise(stream, {1, 0, 0, Phase::Forward, 1}), "seed");
    add(noise(stream, {0, 1, 0, Phase::Forward, 1}), "image");
    add(noise(stream, {0, 0, eot_draw(0, 4, 0), Phase::Forward, 1}), "eot draw 0");
    add(noise(stream, {0, 0, eot_draw(1, 4, 0), Phase::Forward, 1}), "eot draw of step 1");
    add(noise(stream, {0, 0, test_draw(0), Phase::Forward, 1}), "test draw");
    add(noise(stream, {0, 0, 0, Phase::Reverse, 1}), "reverse");
    add(noise(stream, {0, 0, 0, Phase::Forward, 2}), "t");
    std::vector<float> v(3072);
    for (int k : {0, 1}) {
      stream.start_uniform(0, 0, k, v.data(), v.size());
      add(v, "start_uniform " + std::to_string(k));
      stream.start_normal(0, 0, k, v.data(), v.size());
      add(v, "start_normal " + std::to_string(k));
      stream.cr_uniform(0, 0, k, v.data(), v.size());
      for (float x : v) ASSERT_TRUE(x >= 0 && x < 1) << x;
      add(v, "cr_uniform " + std::to_string(k));
    }
    EXPECT_EQ(seen.size(), 14u);
  }
}

TEST(Noise, DrawNumbers) {
  EXPECT_EQ(eot_draw(0, 1, 0), 1u);
  EXPECT_EQ(eot_draw(3, 20, 7), 68u);
  EXPECT_EQ(test_draw(9), (1ull << 31) + 9);
  EXPECT_EQ(eot_draw((1ll << 31) - 2, 1, 0), (1ull << 31) - 1);
  EXPECT_THROW(eot_draw((1ll << 31) - 1, 1, 0), Error);
  EXPECT_THROW(eot_draw(0, 4, 4), Error);
  EXPECT_THROW(test_draw(-1), Error);
}

// One stream used from many threads, in any order, gives each image its own bits; the ledger lists the draws in order.
TEST(Noise, ThreadsAndLedger) {
  constexpr int kImages = 16;
  for (const NoiseMode& mode : kModes) {
    NoiseLedger ledger;
    const NoiseStream stream(mode, &ledger), plain(mode);
    std::vector<std::vector<float>> got(kImages);
    std::vector<std::thread> threads;
    for (int k = 0; k < 4; ++k)
      threads.emplace_back([&, k] {
        for (int i = kImages - 1 - k; i >= 0; i -= 4) got[i] = noise(stream, {0, i, 0, Phase::Reverse, 9});
      });
    for (auto& thread : threads) thread.join();
    for (int i = 0; i < kImages; ++i) EXPECT_EQ(got[i], noise(plain, {0, i, 0, Phase::Reverse, 9})) << i;
    stream.start_uniform(0, 2, 1, got[0].data(), 10);
    const auto lines = ledger.lines();
    ASSERT_EQ(lines.size(), kImages + 1u);
    EXPECT_EQ(lines[0], "seed=0 image=0 noise draw=0 reverse t=9 count=3072");
    EXPECT_EQ(lines[3], "seed=0 image=2 start-uniform draw=1 count=10");
    EXPECT_EQ(lines[kImages], "seed=0 image=15 noise draw=0 reverse t=9 count=3072");
  }
}

// Prints the time of one draw; no bar, since machines differ.
TEST(Noise, Speed) {
  for (const NoiseMode& mode : {kModes[0], kModes[2], kModes[3]})
    for (size_t n : {3072u, 196608u}) {
      std::vector<float> v(n);
      const NoiseStream stream(mode);
      double best = 1e9;
      for (int k = 0; k < 7; ++k) {
        const auto start = std::chrono::steady_clock::now();
        stream.normal({0, k, 0, Phase::Forward, 0}, v.data(), n);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      }
      std::printf("[ time     ] %-14s normal of %6zu values: %8.1f us\n", to_string(mode).c_str(), n, best * 1e6);
      EXPECT_NE(v.front(), v.back());
    }
}
