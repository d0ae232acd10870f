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
constexpr int kOut = 1 << 8;

int backward_reads(const Step& s, const BackwardLine& line, bool params) {
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

// Steps whose output costs next to nothing beside a convolution, from inputs that are kept anyway: the statistics of a group norm need its
// input, and the scale and shift are one number per channel.
bool computed_again(const Step& s) { return s.op == Op::GroupNorm || s.op == Op::ScaleShift; }

// Puts the Again lines of a lean plan before the first line that reads their output.
std::vector<BackwardLine> with_again_lines(const Model& m, const std::vector<BackwardLine>& lines) {
  std::vector<int> producer(m.values.size(), -1);
  for (size_t i = 0; i < m.steps.size(); ++i) producer[m.steps[i].out] = static_cast<int>(i);
  std::vector<bool> there(m.values.size(), false);
  std::vector<BackwardLine> result;
  const auto compute = [&](auto&& self, int v) -> void {
    const int step = producer[v];
    if (there[v] || step < 0 || !computed_again(m.steps[step])) return;
    there[v] = true;
    for (int input : m.steps[step].in) if (input >= 0) self(self, input);
    result.push_back({BackwardLine::Again, step});
  };
  for (const BackwardLine& line : lines) {
    if (line.kind == BackwardLine::Op) {
      const int reads = backward_reads(m.steps[line.step], line, false);
      for (int k = 0; k < kMaxInputs; ++k) if (reads >> k & 1) compute(compute, m.steps[line.step].in[k]);
    }
    result.push_back(line);
  }
  return result;
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

// First and last time at which something is needed; begin < 0: never.
struct Life {
  int begin = -1, end = -1;
  void touch(int now) {
    if (begin < 0) begin = now;
    end = now;
  }
};

// When each value, gradient, statistic and scratch slot of a plan is in use.
struct Lives {
  Lives(const Model& model, const Plan& plan);
  void backward_line(const Model& m, const Plan& plan, const BackwardLine& line, int now);
  void read(int v, int now) { (again[v].begin >= 0 ? again : value)[v].end = now; }

  std::vector<Life> value, grad, again, saved, signs;
  Life scratch[kMaxInputs];
  size_t scratch_size[kMaxInputs] = {};
};

size_t padded(size_t count, int batch) { return (count * batch + 15) / 16 * 16 + kRedZone; }
size_t image_size(const ValueInfo& v) { return static_cast<size_t>(v.c) * v.h * v.w; }

Lives::Lives(const Model& m, const Plan& plan)
    : value(m.values.size(), Life{0, 0}), grad(m.values.size()), again(m.values.size()), saved(m.steps.size()), signs(m.steps.size()) {
  const int steps = static_cast<int>(m.steps.size()), turn = steps + 1;
  for (int i = 0; i < steps; ++i) {
    value[m.steps[i].out] = saved[i] = {i + 1, i + 1};
    for (int v : m.steps[i].in) if (v >= 0) value[v].end = i + 1;
  }
  value[m.input].end = std::max(value[m.input].end, turn);   // the caller may read both between the passes
  value[m.output].end = turn;
  grad[m.output].touch(turn);
  for (size_t j = 0; j < plan.backward.size(); ++j) backward_line(m, plan, plan.backward[j], turn + 1 + static_cast<int>(j));
  if (grad[m.input].begin >= 0) grad[m.input].touch(turn + 1 + static_cast<int>(plan.backward.size()));
}

void Lives::backward_line(const Model& m, const Plan& plan, const BackwardLine& line, int now) {
  const Step& s = m.steps[line.step];
  if (line.kind == BackwardLine::Add) {
    grad[line.value].touch(now);
    scratch[line.scratch].touch(now);
    return;
  }
  if (line.kind == BackwardLine::Again) {
    for (int v : s.in) if (v >= 0) read(v, now);
    again[s.out].touch(now);
    return;
  }
  const int reads = backward_reads(s, line, plan.mode == Mode::Training);
  for (int k = 0; k < kMaxInputs; ++k) {
    if (reads >> k & 1) read(s.in[k], now);
    const int v = line.dx[k];
    if (v < 0) continue;
    (line.to_scratch[k] ? scratch[k] : grad[v]).touch(now);
    if (line.to_scratch[k]) scratch_size[k] = std::max(scratch_size[k], image_size(m.values[v]));
  }
  if (plan.lean && s.op == Op::Relu) signs[line.step] = {line.step + 1, now};
  else if (reads & kOut) read(s.out, now);
  grad[s.out].touch(now);
  saved[line.step].end = now;
}

}  // namespace

Plan make_plan(const Model& m, int batch, Mode mode, bool keep_everything, bool lean) {
  PURESCOPE_REQUIRE(batch >= 1);
  Plan plan;
  plan.batch = batch;
  plan.mode = mode;
  plan.keep_everything = keep_everything;
  plan.lean = lean && mode == Mode::InputGrad && !keep_everything;
  plan.backward = backward_list(m, mode);
  if (plan.lean) plan.backward = with_again_lines(m, plan.backward);
  const Lives lives(m, plan);

  std::vector<Slot> slots;
  auto add = [&](std::vector<size_t>& offsets, size_t index, size_t count, const Life& life, size_t* sum) {
    if (life.begin < 0 || count == 0) return;
    const size_t size = padded(count, batch);
    slots.push_back({&offsets[index], size, life.begin, life.end});
    if (sum) *sum += size;
  };
  for (std::vector<size_t>* offsets : {&plan.value, &plan.grad, &plan.again}) offsets->assign(m.values.size(), kNoSlot);
  for (std::vector<size_t>* offsets : {&plan.saved, &plan.signs}) offsets->assign(m.steps.size(), kNoSlot);
  for (size_t v = 0; v < m.values.size(); ++v) {
    add(plan.value, v, image_size(m.values[v]), lives.value[v], &plan.value_sum);
    add(plan.grad, v, image_size(m.values[v]), lives.grad[v], &plan.grad_sum);
    add(plan.again, v, image_size(m.values[v]), lives.again[v], nullptr);
  }
  for (size_t i = 0; i < m.steps.size(); ++i) {
    add(plan.saved, i, m.steps[i].saved, lives.saved[i], nullptr);
    add(plan.signs, i, sign_reals(image_size(m.values[m.steps[i].out])), lives.signs[i], nullptr);
  }
  for (int k = 0; k < kMaxInputs; ++k)
    if (lives.scratch[k].begin >= 0) slots.push_back({&plan.scratch[k], padded(lives.scratch_size[k], batch), lives.scratch[k].begin, lives.scratch[k].end});
  plan.arena = place(slots, keep_everything);
  return plan;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
