// The rows of the table of the op tests by op, for whoever goes through all of them.
#pragma once
#include "net/step.h"
#include "ops/adm_cases.h"
#include "ops/op_cases.h"

namespace purescope {

// No default: a new op without a line here does not compile (-Werror=switch).
inline std::vector<OpCase> cases_of(Op op) {
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

}  // namespace purescope
