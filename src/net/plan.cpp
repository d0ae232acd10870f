#include "net/plan.h"

#include <algorithm>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

#ifdef PURESCOPE_DEBUG
constexpr size_t kRedZone = 16;  // reals of NaN between slots, checked by Net after every pass
#else
constexpr size_t kRedZone = 0;
#endif

// Which forward values the backward line of a step reads: bit i = input i, bit 8 = the output.
int backward_reads(const Step& s, const BackwardLine& line, bool params) {
  constexpr int kOut = 1 << 8;
  switch (s.op) {
    case Op::Conv2d:
    case Op::Linear:
    case Op::Nin: return params ? 1 : 0;
    case Op::GroupNorm: return 1;
    case Op::BatchNorm: return params || s.batch_norm.training ? 1 : 0;
    case Op::Silu: return 1;
    case Op::Relu: return kOut;
    case Op::Attention: return 1 | 2 | 4;
    case Op::AttentionPacked: return 1;
    case Op::ScaleShift: return (line.dx[1] >= 0 ? 1 : 0) | (line.dx[0] >= 0 ? 2 : 0);
    case Op::Add:
    case Op::Concat:
    case Op::AddChannel:
    case Op::UpsampleNearest:
    case Op::GlobalAvgPool:
    case Op::TimeEmbedding:
    case Op::Normalize:
    case Op::SubsamplePad:
    case Op::AvgPool:
    case Op::MaxPool:
    case Op::Scale: return 0;
  }
  return 0;
}

bool has_trainable(const Model& m, const Step& s) {
  for (int p : s.param) if (p >= 0 && m.params[p].trainable) return true;
  return false;
}

// needed[v]: does the gradient with respect to v lead to something that is wanted?
std::vector<bool> wanted_gradients(const Model& m, Mode mode) {
  std::vector<bool> wanted(m.values.size(), false);
  if (mode == Mode::Forward) return wanted;
  wanted[m.input] = true;
  for (const Step& s : m.steps) {
    bool any = mode == Mode::Training && has_trainable(m, s);
    for (int v : s.in) any = any || (v >= 0 && wanted[v]);
    if (any) wanted[s.out] = true;
  }
  return wanted;
}

std::vector<BackwardLine> backward_list(const Model& m, Mode mode) {
  std::vector<BackwardLine> lines;
  if (mode == Mode::Forward) return lines;
  const std::vector<bool> wanted = wanted_gradients(m, mode);
  PURESCOPE_REQUIRE(wanted[m.output]);
  std::vector<bool> written(m.values.size(), false);
  written[m.output] = true;
  for (int i = static_cast<int>(m.steps.size()) - 1; i >= 0; --i) {
    const Step& s = m.steps[i];
    if (!wanted[s.out] || !written[s.out]) continue;
    BackwardLine line{BackwardLine::Op, i};
    std::vector<BackwardLine> adds;
    for (int k = 0; k < kMaxInputs; ++k) {
      const int v = s.in[k];
      if (v < 0 || !wanted[v]) continue;
      line.dx[k] = v;
      line.to_scratch[k] = written[v];
      if (written[v]) {
        BackwardLine add{BackwardLine::Add, i};
        add.value = v;
        add.scratch = k;
        adds.push_back(add);
      }
      written[v] = true;
    }
    lines.push_back(line);
    lines.insert(lines.end(), adds.begin(), adds.end());
  }
  PURESCOPE_REQUIRE(written[m.input]);
  return lines;
}

// A slot is alive from time `begin` to time `end`, both included. Time 0 is before the first step, step i runs at i + 1, the
// caller works at S + 1 (reads the output, writes its gradient), backward line j runs at S + 2 + j.
struct Slot { size_t* offset; size_t size; int begin, end; };

// Places the slots, largest first, each at the lowest offset where it meets no other that is alive at the same time.
size_t place(std::vector<Slot>& slots, bool keep_everything) {
  size_t total = 0;
  if (!keep_everything)
    std::stable_sort(slots.begin(), slots.end(), [](const Slot& a, const Slot& b) { return a.size > b.size; });
  std::vector<const Slot*> placed;
  for (Slot& slot : slots) {
    size_t offset = total;
    if (!keep_everything) {
      std::vector<std::pair<size_t, size_t>> taken;
      for (const Slot* other : placed)
        if (other->begin <= slot.end && slot.begin <= other->end) taken.push_back({*other->offset, *other->offset + other->size});
      std::sort(taken.begin(), taken.end());
      offset = 0;
      for (auto [from, to] : taken) {
        if (offset + slot.size <= from) break;
        offset = std::max(offset, to);
      }
    }
    *slot.offset = offset;
    total = std::max(total, offset + slot.size);
    placed.push_back(&slot);
  }
  return total;
}

}  // namespace

Plan make_plan(const Model& m, int batch, Mode mode, bool keep_everything) {
  PURESCOPE_REQUIRE(batch >= 1);
  const int steps = static_cast<int>(m.steps.size()), values = static_cast<int>(m.values.size()), turn = steps + 1;
  const bool params = mode == Mode::Training;
  Plan plan;
  plan.batch = batch;
  plan.mode = mode;
  plan.keep_everything = keep_everything;
  plan.backward = backward_list(m, mode);
  plan.value.assign(values, kNoSlot);
  plan.grad.assign(values, kNoSlot);
  plan.saved.assign(steps, kNoSlot);

  std::vector<int> born(values, 0), last(values, 0), grad_born(values, -1), grad_last(values, -1), saved_last(steps, 0);
  int scratch_first[kMaxInputs] = {-1, -1, -1}, scratch_last[kMaxInputs] = {-1, -1, -1};
  size_t scratch_size[kMaxInputs] = {0, 0, 0};
  auto image = [&](int v) { return static_cast<size_t>(m.values[v].c) * m.values[v].h * m.values[v].w; };
  auto size = [&](size_t count) { return (count * batch + 15) / 16 * 16 + kRedZone; };

  for (int i = 0; i < steps; ++i) {
    born[m.steps[i].out] = last[m.steps[i].out] = saved_last[i] = i + 1;
    for (int v : m.steps[i].in) if (v >= 0) last[v] = i + 1;
  }
  last[m.input] = std::max(last[m.input], turn);   // the caller may read both between the passes
  last[m.output] = turn;
  grad_born[m.output] = grad_last[m.output] = turn;
  for (size_t j = 0; j < plan.backward.size(); ++j) {
    const BackwardLine& line = plan.backward[j];
    const Step& s = m.steps[line.step];
    const int now = turn + 1 + static_cast<int>(j);
    if (line.kind == BackwardLine::Add) {
      grad_last[line.value] = now;
      scratch_last[line.scratch] = now;
      continue;
    }
    const int reads = backward_reads(s, line, params);
    for (int k = 0; k < kMaxInputs; ++k) {
      if (reads >> k & 1) last[s.in[k]] = now;
      const int v = line.dx[k];
      if (v < 0) continue;
      if (line.to_scratch[k]) {
        if (scratch_first[k] < 0) scratch_first[k] = now;
        scratch_last[k] = now;
        scratch_size[k] = std::max(scratch_size[k], image(v));
      } else {
        grad_born[v] = grad_last[v] = now;
      }
    }
    if (reads >> 8 & 1) last[s.out] = now;
    grad_last[s.out] = now;
    saved_last[line.step] = now;
  }
  if (grad_born[m.input] >= 0) grad_last[m.input] = turn + 1 + static_cast<int>(plan.backward.size());

  std::vector<Slot> slots;
  for (int v = 0; v < values; ++v) {
    slots.push_back({&plan.value[v], size(image(v)), born[v], last[v]});
    plan.value_sum += size(image(v));
    if (grad_born[v] < 0) continue;
    slots.push_back({&plan.grad[v], size(image(v)), grad_born[v], grad_last[v]});
    plan.grad_sum += size(image(v));
  }
  for (int i = 0; i < steps; ++i)
    if (m.steps[i].saved) slots.push_back({&plan.saved[i], size(m.steps[i].saved), i + 1, saved_last[i]});
  for (int k = 0; k < kMaxInputs; ++k)
    if (scratch_first[k] >= 0) slots.push_back({&plan.scratch[k], size(scratch_size[k]), scratch_first[k], scratch_last[k]});
  plan.arena = place(slots, keep_everything);
  return plan;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
