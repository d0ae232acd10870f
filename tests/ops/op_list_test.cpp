// Every op that a network can contain has rows in the table of the op tests.
#include "net/step.h"
#include "ops/adm_cases.h"
#include "ops/op_cases.h"

#include <gtest/gtest.h>

#include <set>

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
    case Op::ScaleShift: return scale_shift_cases();
    case Op::AvgPool: return avg_pool_cases();
    case Op::MaxPool: return max_pool_cases();
    case Op::AttentionPacked: return attention_packed_cases();
    case Op::Nin: return nin_cases();
    case Op::Scale: return scale_cases();
  }
  return {};
}

}  // namespace

TEST(OpList, EveryOpHasRows) {
  std::set<std::string> names;
  for (int i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    const std::vector<OpCase> cases = cases_of(op);
    EXPECT_GE(cases.size(), 3u) << op_name(op);
    bool batch_of_five = false, several_images = false;
    for (const OpCase& c : cases) {
      EXPECT_EQ(c.name.rfind(op_name(op), 0), 0u) << c.name << " in the rows of " << op_name(op);
      EXPECT_TRUE(names.insert(c.name).second) << c.name << " twice";
      EXPECT_TRUE(c.forward && c.oracle) << c.name;
      EXPECT_EQ(static_cast<bool>(c.backward), op != Op::TimeEmbedding) << c.name;
      EXPECT_EQ(static_cast<bool>(c.complex_oracle), op != Op::TimeEmbedding) << c.name;
      batch_of_five |= c.batch == 5;
      several_images |= c.batch > 1;
    }
    EXPECT_TRUE(batch_of_five && several_images) << op_name(op);
  }
}
