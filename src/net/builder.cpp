#include "net/builder.h"

#include <set>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

const char* op_name(Op op) {
  switch (op) {
    case Op::Conv2d: return "conv2d";
    case Op::Linear: return "linear";
    case Op::GroupNorm: return "group_norm";
    case Op::BatchNorm: return "batch_norm";
    case Op::Silu: return "silu";
    case Op::Relu: return "relu";
    case Op::Add: return "add";
    case Op::Concat: return "concat";
    case Op::AddChannel: return "add_channel";
    case Op::UpsampleNearest: return "upsample_nearest";
    case Op::GlobalAvgPool: return "global_avg_pool";
    case Op::Attention: return "attention";
    case Op::TimeEmbedding: return "time_embedding";
    case Op::Normalize: return "normalize";
    case Op::SubsamplePad: return "subsample_pad";
    case Op::ScaleShift: return "scale_shift";
    case Op::AvgPool: return "avg_pool";
    case Op::MaxPool: return "max_pool";
    case Op::AttentionPacked: return "attention_packed";
    case Op::Nin: return "nin";
    case Op::Scale: return "scale";
  }
  return "?";
}

const char* op_name(const Step& s) { return s.op == Op::GroupNorm && s.group_norm.silu ? "group_norm + silu" : op_name(s.op); }

int64_t Model::parameter_count() const {
  int64_t total = 0;
  for (const ParamInfo& p : params) if (p.trainable) total += p.count();
  return total;
}

Value Builder::value(int c, int h, int w) {
  model_.values.push_back({c, h, w});
  return {static_cast<int>(model_.values.size()) - 1, c, h, w};
}

int Builder::param(const std::string& key, std::vector<int64_t> shape, bool trainable) {
  model_.params.push_back({key, std::move(shape), trainable});
  return static_cast<int>(model_.params.size()) - 1;
}

Step& Builder::step(Op op, const std::string& name, std::initializer_list<Value> inputs, Value out, const char* file, int line) {
  Step s;
  s.op = op;
  s.name = name;
  int i = 0;
  for (const Value& v : inputs) s.in[i++] = v.id;
  s.out = out.id;
  s.file = file;
  s.line = line;
  model_.steps.push_back(s);
  return model_.steps.back();
}

Value Builder::input(int c, int h, int w) {
  const Value v = value(c, h, w);
  model_.input = v.id;
  return v;
}

Value Builder::time() {
  const Value v = value(1, 1, 1);
  model_.time = v.id;
  return v;
}

Value Builder::conv2d(const std::string& name, Value x, Conv2d spec, bool bias, const char* file, int line) {
  PURESCOPE_REQUIRE(x.c == spec.in);
  const Value y = value(spec.out, conv2d_size(spec, x.h), conv2d_size(spec, x.w));
  const int weight = param(name + ".weight", {spec.out, spec.in, spec.kernel, spec.kernel});
  const int offset = bias ? param(name + ".bias", {spec.out}) : -1;
  Step& s = step(Op::Conv2d, name, {x}, y, file, line);
  s.conv2d = spec;
  s.param[0] = weight;
  s.param[1] = offset;
  return y;
}

Value Builder::linear(const std::string& name, Value x, Linear spec, const char* file, int line) {
  PURESCOPE_REQUIRE(x.c * x.h * x.w == spec.in);
  const Value y = value(spec.out, 1, 1);
  const int weight = param(name + ".weight", {spec.out, spec.in}), bias = param(name + ".bias", {spec.out});
  Step& s = step(Op::Linear, name, {x}, y, file, line);
  s.linear = spec;
  s.param[0] = weight;
  s.param[1] = bias;
  return y;
}

Value Builder::group_norm(const std::string& name, Value x, GroupNorm spec, const char* file, int line) {
  PURESCOPE_REQUIRE(x.c == spec.channels && spec.eps > 0);
  if (spec.channels % spec.groups != 0)
    fail(kUsage, name + ": " + std::to_string(spec.channels) + " channels do not divide into " + std::to_string(spec.groups) + " groups",
         model_.arch, "choose ch a multiple of groups, or give groups=");
  const Value y = value(x.c, x.h, x.w);
  const int weight = param(name + ".weight", {x.c}), bias = param(name + ".bias", {x.c});
  Step& s = step(Op::GroupNorm, name, {x}, y, file, line);
  s.group_norm = spec;
  s.param[0] = weight;
  s.param[1] = bias;
  s.saved = 2 * spec.groups;
  return y;
}

Value Builder::batch_norm(const std::string& name, Value x, BatchNorm spec, const char* file, int line) {
  PURESCOPE_REQUIRE(x.c == spec.channels && spec.eps > 0);
  const Value y = value(x.c, x.h, x.w);
  const int first = param(name + ".weight", {x.c});
  param(name + ".bias", {x.c});
  param(name + ".running_mean", {x.c}, false);
  param(name + ".running_var", {x.c}, false);
  Step& s = step(Op::BatchNorm, name, {x}, y, file, line);
  s.batch_norm = spec;
  for (int i = 0; i < 4; ++i) s.param[i] = first + i;
  s.saved = spec.training ? 2 * x.c : 0;
  return y;
}

Value Builder::silu(const std::string& name, Value x, const char* file, int line) {
  const Value y = value(x.c, x.h, x.w);
  step(Op::Silu, name, {x}, y, file, line);
  return y;
}

Value Builder::relu(const std::string& name, Value x, const char* file, int line) {
  const Value y = value(x.c, x.h, x.w);
  step(Op::Relu, name, {x}, y, file, line);
  return y;
}

Value Builder::add(const std::string& name, Value a, Value b, const char* file, int line) {
  PURESCOPE_REQUIRE(a.c == b.c && a.h == b.h && a.w == b.w);
  const Value y = value(a.c, a.h, a.w);
  step(Op::Add, name, {a, b}, y, file, line);
  return y;
}

Value Builder::concat(const std::string& name, Value a, Value b, const char* file, int line) {
  PURESCOPE_REQUIRE(a.h == b.h && a.w == b.w);
  const Value y = value(a.c + b.c, a.h, a.w);
  step(Op::Concat, name, {a, b}, y, file, line);
  return y;
}

Value Builder::add_channel(const std::string& name, Value x, Value v, const char* file, int line) {
  PURESCOPE_REQUIRE(v.c == x.c && v.h == 1 && v.w == 1);
  const Value y = value(x.c, x.h, x.w);
  step(Op::AddChannel, name, {x, v}, y, file, line);
  return y;
}

Value Builder::upsample_nearest(const std::string& name, Value x, const char* file, int line) {
  const Value y = value(x.c, 2 * x.h, 2 * x.w);
  step(Op::UpsampleNearest, name, {x}, y, file, line);
  return y;
}

Value Builder::global_avg_pool(const std::string& name, Value x, const char* file, int line) {
  const Value y = value(x.c, 1, 1);
  step(Op::GlobalAvgPool, name, {x}, y, file, line);
  return y;
}

Value Builder::attention(const std::string& name, Value q, Value k, Value v, Attention spec, const char* file, int line) {
  PURESCOPE_REQUIRE(q.c == spec.channels && spec.channels % spec.heads == 0 && q.c == k.c && q.c == v.c);
  const Value y = value(q.c, q.h, q.w);
  step(Op::Attention, name, {q, k, v}, y, file, line).attention = spec;
  return y;
}

Value Builder::time_embedding(const std::string& name, Value t, TimeEmbedding spec, const char* file, int line) {
  const Value y = value(spec.dim, 1, 1);
  step(Op::TimeEmbedding, name, {t}, y, file, line).time_embedding = spec;
  return y;
}

Value Builder::normalize(const std::string& name, Value x, Normalize spec, const char* file, int line) {
  const Value y = value(x.c, x.h, x.w);
  step(Op::Normalize, name, {x}, y, file, line).normalize = spec;
  return y;
}

Value Builder::subsample_pad(const std::string& name, Value x, SubsamplePad spec, const char* file, int line) {
  const Value y = value(x.c + spec.before + spec.after, (x.h + spec.stride - 1) / spec.stride, (x.w + spec.stride - 1) / spec.stride);
  step(Op::SubsamplePad, name, {x}, y, file, line).subsample_pad = spec;
  return y;
}

Value Builder::scale_shift(const std::string& name, Value x, Value e, const char* file, int line) {
  PURESCOPE_REQUIRE(e.c == 2 * x.c && e.h == 1 && e.w == 1);
  const Value y = value(x.c, x.h, x.w);
  step(Op::ScaleShift, name, {x, e}, y, file, line);
  return y;
}

Value Builder::avg_pool(const std::string& name, Value x, const char* file, int line) {
  PURESCOPE_REQUIRE(x.h % 2 == 0 && x.w % 2 == 0);
  const Value y = value(x.c, x.h / 2, x.w / 2);
  step(Op::AvgPool, name, {x}, y, file, line);
  return y;
}

Value Builder::max_pool(const std::string& name, Value x, MaxPool spec, const char* file, int line) {
  const Value y = value(x.c, max_pool_size(spec, x.h), max_pool_size(spec, x.w));
  PURESCOPE_REQUIRE(y.h > 0 && y.w > 0 && spec.pad < spec.kernel);
  Step& s = step(Op::MaxPool, name, {x}, y, file, line);
  s.max_pool = spec;
  s.saved = y.c * y.h * y.w;
  return y;
}

Value Builder::attention_packed(const std::string& name, Value z, Attention spec, const char* file, int line) {
  PURESCOPE_REQUIRE(z.c == 3 * spec.channels && spec.channels % spec.heads == 0);
  const Value y = value(spec.channels, z.h, z.w);
  step(Op::AttentionPacked, name, {z}, y, file, line).attention = spec;
  return y;
}

Value Builder::conv1d(const std::string& name, Value x, Linear spec, const char* file, int line) {
  PURESCOPE_REQUIRE(x.c == spec.in);
  const Value y = value(spec.out, x.h, x.w);
  const int weight = param(name + ".weight", {spec.out, spec.in, 1}), bias = param(name + ".bias", {spec.out});
  Step& s = step(Op::Conv2d, name, {x}, y, file, line);
  s.conv2d = {.in = spec.in, .out = spec.out, .kernel = 1, .pad_before = 0, .pad_after = 0};
  s.param[0] = weight;
  s.param[1] = bias;
  return y;
}

Value Builder::nin(const std::string& name, Value x, Linear spec, const char* file, int line) {
  PURESCOPE_REQUIRE(x.c == spec.in);
  const Value y = value(spec.out, x.h, x.w);
  const int weight = param(name + ".W", {spec.in, spec.out}), bias = param(name + ".b", {spec.out});
  Step& s = step(Op::Nin, name, {x}, y, file, line);
  s.linear = spec;
  s.param[0] = weight;
  s.param[1] = bias;
  return y;
}

Value Builder::scale(const std::string& name, Value x, double factor, const char* file, int line) {
  const Value y = value(x.c, x.h, x.w);
  step(Op::Scale, name, {x}, y, file, line).scale.factor = factor;
  return y;
}

Model Builder::finish(Value output) {
  PURESCOPE_REQUIRE(model_.input >= 0);
  model_.output = output.id;
  std::set<std::string> keys;
  for (const ParamInfo& p : model_.params) PURESCOPE_REQUIRE(keys.insert(p.key).second);
  return std::move(model_);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
