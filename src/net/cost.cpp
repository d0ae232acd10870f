#include "net/cost.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

int64_t value_size(const Model& m, int id) {
  return id < 0 ? 0 : static_cast<int64_t>(m.values[id].c) * m.values[id].h * m.values[id].w;
}

int64_t parameter_size(const Model& m, const Step& s) {
  int64_t count = 0;
  for (int p : s.param) count += p < 0 ? 0 : m.params[p].count();
  return count;
}

bool is_linear(Op op) {
  return op == Op::Conv2d || op == Op::Linear || op == Op::Nin || op == Op::Add || op == Op::Concat || op == Op::AddChannel ||
         op == Op::UpsampleNearest || op == Op::GlobalAvgPool || op == Op::AvgPool || op == Op::Normalize || op == Op::SubsamplePad ||
         op == Op::Scale;
}

}  // namespace

int64_t macs(const Model& m, const Step& s) {
  const ValueInfo& out = m.values[s.out];
  const int64_t positions = static_cast<int64_t>(out.h) * out.w;
  switch (s.op) {
    case Op::Conv2d: return positions * s.conv2d.out * s.conv2d.in * s.conv2d.kernel * s.conv2d.kernel;
    case Op::Linear: return static_cast<int64_t>(s.linear.in) * s.linear.out;
    case Op::Nin: return positions * s.linear.in * s.linear.out;
    case Op::Attention:
    case Op::AttentionPacked: return 2 * positions * positions * s.attention.channels;
    case Op::GroupNorm:
    case Op::BatchNorm:
    case Op::Silu:
    case Op::Relu:
    case Op::Add:
    case Op::Concat:
    case Op::AddChannel:
    case Op::UpsampleNearest:
    case Op::GlobalAvgPool:
    case Op::TimeEmbedding:
    case Op::Normalize:
    case Op::SubsamplePad:
    case Op::ScaleShift:
    case Op::AvgPool:
    case Op::MaxPool:
    case Op::Scale: return 0;
  }
  return 0;
}

int64_t backward_macs(const Model& m, const BackwardLine& line, Mode mode) {
  if (line.kind == BackwardLine::Add) return 0;
  const Step& s = m.steps[line.step];
  int wanted = mode == Mode::Training && s.param[0] >= 0;
  for (int id : line.dx) wanted += id >= 0;
  // Of the five products of a backward pass of attention, scores, dv, dP, dq and dk, the forward pass has two.
  if (s.op == Op::Attention || s.op == Op::AttentionPacked) return macs(m, s) * 5 / 2;
  return macs(m, s) * wanted;
}

int64_t traffic(const Model& m, const Step& s, int batch) {
  int64_t count = value_size(m, s.out);
  for (int id : s.in) count += value_size(m, id);
  return count * batch + parameter_size(m, s);
}

int64_t backward_traffic(const Model& m, const BackwardLine& line, Mode mode, int batch) {
  if (line.kind == BackwardLine::Add) return 3 * value_size(m, line.value) * batch;
  const Step& s = m.steps[line.step];
  int64_t count = value_size(m, s.out);
  bool wanted = false;
  for (int id : line.dx) {
    count += value_size(m, id);
    wanted = wanted || id >= 0;
  }
  const bool weights = mode == Mode::Training && s.param[0] >= 0;
  if (!is_linear(s.op) || weights)
    for (int id : s.in) count += value_size(m, id);
  return count * batch + parameter_size(m, s) * (wanted + 2 * weights);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
