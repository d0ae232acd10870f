// A network is a list of steps, laid down before there is data. From this one list come the forward pass, the backward list, the
// state-dict keys, the memory plan and every printout.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ops/specs.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

enum class Op : unsigned char {
  Conv2d, Linear, GroupNorm, BatchNorm, Silu, Relu, Add, Concat, AddChannel, UpsampleNearest, GlobalAvgPool, Attention,
  TimeEmbedding, Normalize, SubsamplePad, ScaleShift, AvgPool, MaxPool, AttentionPacked, Nin, Scale
};
constexpr int kOpCount = static_cast<int>(Op::Scale) + 1;
const char* op_name(Op op);

constexpr int kMaxInputs = 3, kMaxParams = 4;

struct Step {                                   // one line of a model
  Op op;
  std::string name;                             // prefix of its keys in the checkpoint: "down.1.block.0.conv1"
  int in[kMaxInputs] = {-1, -1, -1};            // value ids, -1 if unused
  int out = -1;                                 // value id
  int param[kMaxParams] = {-1, -1, -1, -1};     // weight, bias, running_mean, running_var; -1 if none
  int saved = 0;                                // reals kept per image for the backward pass (statistics)
  Conv2d conv2d; Linear linear; GroupNorm group_norm; BatchNorm batch_norm; Attention attention;  // only the one
  TimeEmbedding time_embedding; Normalize normalize; SubsamplePad subsample_pad; MaxPool max_pool;  // that `op` names counts
  Scale scale;                                  // (attention_packed: attention; nin: linear)
  const char* file = ""; int line = 0;          // where the model declared it
};

// The op with what else the step does: "group_norm + silu".
const char* op_name(const Step& step);

struct ValueInfo { int c, h, w; };              // shape of one image of a value

struct ParamInfo {
  std::string key;                              // state-dict key
  std::vector<int64_t> shape;
  bool trainable;                               // false: running statistics
  int64_t count() const { int64_t n = 1; for (int64_t s : shape) n *= s; return n; }
};

struct Model {
  std::string arch;                             // spelled-out architecture, accepted by make_model
  std::vector<Step> steps;
  std::vector<ValueInfo> values;
  std::vector<ParamInfo> params;
  std::vector<std::string> ignored_suffixes;    // keys that a checkpoint may hold and the model does not use
  int input = -1, time = -1, output = -1;       // value ids; time is -1 for classifiers
  int64_t parameter_count() const;              // trainable values
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
