// Every op that a network can contain, from the table of the op tests, on the emulated card and on a real one where there is one.
#include "cuda/device_checks.h"
#include "net/step.h"
#include "ops/op_cases.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

// No default: a new op without a line here does not compile (-Werror=switch).
std::vector<OpCase> cases_of(Op op) {
  switch (op) {
    case Op::Conv2d: return conv2d_cases();
    case Op::Linear: return linear_cases();
    case Op::GroupNorm: return group_norm_cases();
    case Op::BatchNorm: return batch_norm_cases();
    case Op::Silu: return silu_cases();
    case Op::Relu: return relu_cases();
    case Op::Add: return add_cases();
    case Op::Concat: return concat_cases();
    case Op::AddChannel: return add_channel_cases();
    case Op::UpsampleNearest: return upsample_nearest_cases();
    case Op::GlobalAvgPool: return global_avg_pool_cases();
    case Op::Attention: return attention_cases();
    case Op::TimeEmbedding: return time_embedding_cases();
    case Op::Normalize: return normalize_cases();
    case Op::SubsamplePad: return subsample_pad_cases();
  }
  return {};
}

class Twins : public testing::TestWithParam<int> {
 protected:
  std::vector<OpCase> cases() const { return cases_of(static_cast<Op>(GetParam())); }
  // Sizes of a real network say no more about order and contract than small ones, and take long.
  std::vector<OpCase> small() const {
    std::vector<OpCase> some;
    for (OpCase& c : cases())
      if (c.out.size(c.batch) <= 4096 && !c.big) some.push_back(c);
    return some;
  }
};

std::string name_of(const testing::TestParamInfo<int>& info) { return op_name(static_cast<Op>(info.param)); }

}  // namespace

TEST_P(Twins, AgreeWithTheCpu) {
  for (const Device device : test_devices())
    for (const OpCase& c : cases()) check_parity(device, c);
}

TEST_P(Twins, KeepTheContract) {
  for (const Device device : test_devices())
    for (const OpCase& c : small()) check_device_contract(device, c);
}

TEST_P(Twins, DoNotDependOnTheBatch) {
  for (const Device device : test_devices())
    for (const OpCase& c : small()) check_device_batch_invariance(device, c);
}

TEST_P(Twins, DoNotDependOnTheOrderOfBlocksAndThreads) {
  ASSERT_GE(small().size(), 2u);
  for (const OpCase& c : small()) check_order_invariance(c);
}

INSTANTIATE_TEST_SUITE_P(Ops, Twins, testing::Range(0, kOpCount), name_of);

// Negative control: a twin that forgets one value, writes one too many or depends on its neighbours is seen.
TEST(TwinChecks, SeeWrongTwins) {
  OpCase c = silu_case({2, 3, 5, 7}, 6);
  const Data d = make_data(c, 2);
  const Result right = run(c, d);
  const auto differs = [&](const OpCase& wrong) {
    const Result r = run_on(Device::Emulated, wrong, d, {.wanted = kNone});
    return !compare(r.out, right.out, parity_tolerance(c)).ok;
  };
  EXPECT_FALSE(differs(c));
  OpCase forgets = c;
  forgets.forward = [](const Views& v) {
    View x = v.in[0], y = v.out;
    x.c = y.c = 2;
    silu_forward(x, y);
  };
  EXPECT_TRUE(differs(forgets));
  OpCase other = c;
  other.forward = [](const Views& v) { relu_forward(v.in[0], v.out); };
  EXPECT_TRUE(differs(other));
}
