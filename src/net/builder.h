// Lays down the steps of a Model. A model file reads like its PyTorch original: one verb per line, names are the state-dict keys.
#pragma once
#include "net/step.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct Value { int id = -1; int c = 0, h = 0, w = 0; };

// Every verb records the line of the model that called it; `name` is the prefix of its keys (or the PyTorch path of a parameterless step).
#define PURESCOPE_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

class Builder {
 public:
  explicit Builder(std::string arch) { model_.arch = std::move(arch); }

  Value input(int c, int h, int w);
  Value time();
  Value conv2d(const std::string& name, Value x, Conv2d spec, bool bias, PURESCOPE_HERE);
  Value linear(const std::string& name, Value x, Linear spec, PURESCOPE_HERE);
  Value group_norm(const std::string& name, Value x, GroupNorm spec, PURESCOPE_HERE);
  Value batch_norm(const std::string& name, Value x, BatchNorm spec, PURESCOPE_HERE);
  Value silu(const std::string& name, Value x, PURESCOPE_HERE);
  Value relu(const std::string& name, Value x, PURESCOPE_HERE);
  Value add(const std::string& name, Value a, Value b, PURESCOPE_HERE);
  Value concat(const std::string& name, Value a, Value b, PURESCOPE_HERE);
  Value add_channel(const std::string& name, Value x, Value v, PURESCOPE_HERE);
  Value upsample_nearest(const std::string& name, Value x, PURESCOPE_HERE);
  Value global_avg_pool(const std::string& name, Value x, PURESCOPE_HERE);
  Value attention(const std::string& name, Value q, Value k, Value v, Attention spec, PURESCOPE_HERE);
  Value time_embedding(const std::string& name, Value t, TimeEmbedding spec, PURESCOPE_HERE);
  Value normalize(const std::string& name, Value x, Normalize spec, PURESCOPE_HERE);
  Value subsample_pad(const std::string& name, Value x, SubsamplePad spec, PURESCOPE_HERE);
  Value scale_shift(const std::string& name, Value x, Value e, PURESCOPE_HERE);
  Value avg_pool(const std::string& name, Value x, PURESCOPE_HERE);
  Value max_pool(const std::string& name, Value x, MaxPool spec, PURESCOPE_HERE);
  Value attention_packed(const std::string& name, Value z, Attention spec, PURESCOPE_HERE);
  // A convolution over positions: kernel 1, weight [out, in, 1].
  Value conv1d(const std::string& name, Value x, Linear spec, PURESCOPE_HERE);
  // A pointwise convolution with weight W [in, out] and bias b.
  Value nin(const std::string& name, Value x, Linear spec, PURESCOPE_HERE);
  Value scale(const std::string& name, Value x, double factor, PURESCOPE_HERE);

  void ignore(const std::string& suffix) { model_.ignored_suffixes.push_back(suffix); }
  Model finish(Value output);

 private:
  Value value(int c, int h, int w);
  int param(const std::string& key, std::vector<int64_t> shape, bool trainable = true);
  Step& step(Op op, const std::string& name, std::initializer_list<Value> inputs, Value out, const char* file, int line);
  Model model_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
