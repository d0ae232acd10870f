// Attention of --math fast (cuda/attention_blocks.h): by blocks, against the exact path of the CPU. In double there is no other path.
#include "cuda/device_checks.h"
#include "fast_mode.h"
#include "ops/adm_cases.h"

#include <gtest/gtest.h>

#include <thread>

using namespace purescope;

namespace {

constexpr MathMode kModes[] = {MathMode::Fast, MathMode::Tf32, MathMode::Bf16};

// Positions: one, below a tile, a tile, one more, several. Channels of a head: odd ones, a tile, one more, more than a block of the grid.
std::vector<OpCase> block_cases() {
  return {attention_case({2, 5, 1, 1}, 1, 0.4, 2),        attention_case({2, 6, 3, 5}, 2, 0.6, 2),     attention_case({1, 7, 8, 8}, 1, 0.4, 2),
          attention_case({2, 3, 5, 13}, 1, 0.5, 2),       attention_case({1, 65, 9, 9}, 1, 0.12, 2),   attention_case({1, 300, 3, 5}, 1, 0.06, 2),
          attention_case({1, 64, 1, 193}, 1, 0.125, 2),   attention_packed_case({2, 10, 7, 11}, 2, 0.5), attention_packed_case({1, 21, 1, 67}, 3, 0.4)};
}

// Fast: what float does to sums in another order. Rounded factors: as tensor_test.cpp, of arrays that are not all zero.
void expect_near(MathMode mode, const std::string& name, const Reals& actual, const Reals& expected, const OpCase& c) {
  if (mode == MathMode::Fast || all_zero(expected)) return expect_close(name, actual, expected, parity_tolerance(c));
  const double unit = mode == MathMode::Tf32 ? 1.0 / 2048 : 1.0 / 256;
  double difference = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) difference += (actual[i] - expected[i]) * (actual[i] - expected[i]), size += expected[i] * expected[i];
  EXPECT_LT(std::sqrt(difference / size), 8 * unit) << name;
}

void for_each_case(const std::function<void(MathMode, Device, const OpCase&)>& check) {
  for (const MathMode mode : kModes)
    for (const Device device : test_devices())
      for (const OpCase& c : block_cases()) {
        SCOPED_TRACE(std::string(math_name(mode)) + " " + c.name);
        check(mode, device, c);
      }
}

// Bytes of workspace that a forward and a backward pass need; a thread of its own begins without any.
size_t workspace_bytes(MathMode mode, const OpCase& c) {
  size_t bytes = 0;
  std::thread([&] {
    const InMath in(mode, Device::Emulated);
    const Data d = make_data(c, c.batch);
    const size_t before = device_allocated(Device::Emulated);
    run_on(Device::Emulated, c, d);
    bytes = device_allocated(Device::Emulated) - before;  // the arrays are freed, the workspace is kept
  }).join();
  return bytes;
}

}  // namespace

TEST(AttentionByBlocks, AgreesWithTheExactPath) {
  if (kRealIsDouble) GTEST_SKIP() << "float only";
  for_each_case([](MathMode mode, Device device, const OpCase& c) {
    const Data d = make_data(c, c.batch);
    const Result here = run(c, d);
    const InMath in(mode, device);
    const Result there = run_on(device, c, d);
    for_each_array(c, there, here, [&](const std::string& name, const Reals& a, const Reals& b) { expect_near(mode, name, a, b, c); });
  });
}

TEST(AttentionByBlocks, KeepsTheContractAndDependsOnNeitherBatchNorOrder) {
  if (kRealIsDouble) GTEST_SKIP() << "float only";
  for_each_case([](MathMode mode, Device device, const OpCase& c) {
    if (c.out.size(c.batch) > 4000) return;
    const InMath in(mode, device);
    check_device_contract(device, c);
    check_device_batch_invariance(device, c);
    if (device == Device::Emulated && c.out.size(c.batch) < 600) check_order_invariance(c);  // two tiles; more say no more
  });
}

// Negative controls: another scale is refused, and it is another path than the exact one.
TEST(AttentionByBlocks, WrongOnesAreSeen) {
  if (kRealIsDouble) GTEST_SKIP() << "float only";
  const OpCase c = attention_case({2, 3, 5, 13}, 1, 0.5, 2);
  const Data d = make_data(c, c.batch);
  const Result exact = run_on(Device::Emulated, c, d);
  const InMath in(MathMode::Fast, Device::Emulated);
  const Result right = run_on(Device::Emulated, c, d), wrong = run_on(Device::Emulated, attention_case({2, 3, 5, 13}, 1, 0.501, 2), d);
  EXPECT_TRUE(compare(right.out, exact.out, parity_tolerance(c)).ok);
  EXPECT_FALSE(compare(wrong.out, exact.out, parity_tolerance(c)).ok);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(compare(wrong.din[i], exact.din[i], parity_tolerance(c)).ok) << i;
  EXPECT_NE(right.din[0], exact.din[0]);
}

// Large scores: the running maximum moves from block to block, and no exponential overflows.
TEST(AttentionByBlocks, ScoresFarFromZero) {
  if (kRealIsDouble) GTEST_SKIP() << "float only";
  const OpCase c = attention_case({1, 4, 10, 15}, 1, 20, 2);
  const Data d = make_data(c, c.batch);
  const Result exact = run_on(Device::Emulated, c, d);
  const InMath in(MathMode::Fast, Device::Emulated);
  const Result blocks = run_on(Device::Emulated, c, d);
  // A score of 300 has an error of 2e-5, and so has its exponential.
  for_each_array(c, blocks, exact, [&](const std::string& name, const Reals& a, const Reals& b) { expect_close(name, a, b, 2e-4); });
}

// Exact: P and dS; by blocks: three numbers per query.
TEST(AttentionByBlocks, NeedsNoMatrixOfScores) {
  if (kRealIsDouble) GTEST_SKIP() << "float only";
  const OpCase c = attention_case({1, 4, 13, 20}, 1, 0.5, 2);
  const size_t square = 260 * 260 * sizeof(real);
  EXPECT_GE(workspace_bytes(MathMode::Exact, c), 2 * square);
  for (const MathMode mode : kModes) {
    const size_t bytes = workspace_bytes(mode, c);
    EXPECT_GE(bytes, 260 * 3 * sizeof(real));
    EXPECT_LE(bytes, 260 * 3 * sizeof(real) + 256) << math_name(mode);
  }
}
