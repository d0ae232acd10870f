#include "net/net.h"

#include <cmath>
#include <cstdlib>

#include "core/check.h"
#include "core/math_mode.h"
#include "net/algorithms.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

namespace {

bool graphs_wanted() {
  const char* text = std::getenv("PURESCOPE_GRAPHS");
  return !text || std::string(text) != "0";
}

}  // namespace

Net::Net(Model model, std::shared_ptr<Params> params) : model_(std::move(model)), params_(std::move(params)), graphs_on_(graphs_wanted()) {
  PURESCOPE_REQUIRE(params_->count() == static_cast<int>(model_.params.size()));
}

void Net::plan(int batch, Mode mode, bool keep_everything) {
#ifdef PURESCOPE_DEBUG
  keep_everything = true;  // debug builds keep every value, so that any of them can be printed afterwards
#endif
  plan_ = make_plan(model_, batch, mode, keep_everything, lean_);
  choose_algorithms(model_, device() == Device::Cpu ? current_math() : MathMode::Exact);
  take_filters();
  graphs_.clear();
  bool fresh = arena_.size() < plan_.arena;
#ifdef PURESCOPE_DEBUG
  fresh = true;  // the red zones of the new plan must hold NaN
#endif
  if (fresh) {
    arena_ = Buffer();
    arena_ = Buffer(plan_.arena, device());
  }
  if (mode == Mode::Training && !grads_) grads_ = std::make_unique<Params>(model_, device());
  base_ = arena_.data();
  batch_ = batch;
}

// The transformed filters of fast steps, where the parameters keep them.
void Net::take_filters() {
  for (Step& s : model_.steps) {
    if (s.op != Op::Conv2d || s.conv2d.algorithm == ConvAlgorithm::Exact) continue;
    s.conv2d.filters = params_->filters(s.param[0], s.conv2d, false);
    if (plan_.mode != Mode::Forward) s.conv2d.flipped_filters = params_->filters(s.param[0], s.conv2d, true);
  }
}

void Net::set_batch(int batch) {
  PURESCOPE_REQUIRE(batch >= 1 && batch <= plan_.batch);
  batch_ = batch;
}

View Net::slot(size_t offset, int id) const {
  PURESCOPE_REQUIRE(offset != kNoSlot);
  const ValueInfo& v = model_.values[id];
  return {base_ + offset, batch_, v.c, v.h, v.w, device()};
}

View Net::saved(int step) const {
  if (plan_.saved[step] == kNoSlot) return {};
  return {base_ + plan_.saved[step], batch_, model_.steps[step].saved, 1, 1, device()};
}

View Net::signs(int step) const {
  if (plan_.signs[step] == kNoSlot) return {};
  const ValueInfo& v = model_.values[model_.steps[step].out];
  return {base_ + plan_.signs[step], batch_, static_cast<int>(sign_reals(static_cast<size_t>(v.c) * v.h * v.w)), 1, 1, device()};
}

View Net::scratch(const BackwardLine& line, int k) const {
  const ValueInfo& v = model_.values[model_.steps[line.step].in[k]];
  return {base_ + plan_.scratch[k], batch_, v.c, v.h, v.w, device()};
}

View Net::param_grad(const Step& s, int k) const {
  if (plan_.mode != Mode::Training || s.param[k] < 0) return {};
  return grads_->view(s.param[k]);
}

Params& Net::grads() {
  PURESCOPE_REQUIRE(grads_ != nullptr);
  return *grads_;
}

void Net::set_time(double t) {
  if (model_.time < 0) return;
  fill_forward(t, time());
}

// The one switch from a step to its op, forward. No default: a new op does not compile until it stands here. again: in the backward pass,
// from what that pass may read, into the slot for it.
void Net::forward_step(int index, bool again) {
  const Step& s = model_.steps[index];
  auto in = [&](int k) { return s.in[k] < 0 ? View{} : again ? kept(s.in[k]) : value(s.in[k]); };
  const View a = in(0), b = in(1), y = again ? slot(plan_.again[s.out], s.out) : value(s.out);
  switch (s.op) {
    case Op::Conv2d: return conv2d_forward(s.conv2d, a, param(s, 0), param(s, 1), y);
    case Op::Linear: return linear_forward(s.linear, a, param(s, 0), param(s, 1), y);
    case Op::GroupNorm: return group_norm_forward(s.group_norm, a, param(s, 0), param(s, 1), y, saved(index));
    case Op::BatchNorm:
      return batch_norm_forward(s.batch_norm, a, param(s, 0), param(s, 1), param(s, 2), param(s, 3), y, saved(index));
    case Op::Silu: return silu_forward(a, y);
    case Op::Relu:
      relu_forward(a, y);
      if (const View bits = signs(index); !bits.empty()) sign_bits_forward(y, bits);
      return;
    case Op::Add: return add_forward(a, b, y);
    case Op::Concat: return concat_forward(a, b, y);
    case Op::AddChannel: return add_channel_forward(a, b, y);
    case Op::UpsampleNearest: return upsample_nearest_forward(a, y);
    case Op::GlobalAvgPool: return global_avg_pool_forward(a, y);
    case Op::Attention: return attention_forward(s.attention, a, b, in(2), y);
    case Op::TimeEmbedding: return time_embedding_forward(s.time_embedding, a, y);
    case Op::Normalize: return normalize_forward(s.normalize, a, y);
    case Op::SubsamplePad: return subsample_pad_forward(s.subsample_pad, a, y);
    case Op::ScaleShift: return scale_shift_forward(a, b, y);
    case Op::AvgPool: return avg_pool_forward(a, y);
    case Op::MaxPool: return max_pool_forward(s.max_pool, a, y, saved(index));
    case Op::AttentionPacked: return attention_packed_forward(s.attention, a, y);
    case Op::Nin: return nin_forward(s.linear, a, param(s, 0), param(s, 1), y);
    case Op::Scale: return affine_forward(s.scale.factor, a, 0, {}, 0, y);
  }
}

// The same switch, backward. dx[k] is empty where the plan does not want it.
void Net::backward_step(const BackwardLine& line) {
  const Step& s = model_.steps[line.step];
  View dx[kMaxInputs];
  for (int k = 0; k < kMaxInputs; ++k)
    if (line.dx[k] >= 0) dx[k] = line.to_scratch[k] ? scratch(line, k) : grad(line.dx[k]);
  const View dy = grad(s.out), dw = param_grad(s, 0), db = param_grad(s, 1);
  const View x = kept(s.in[0]);  // read only where the plan kept it
  switch (s.op) {
    case Op::Conv2d: return conv2d_backward(s.conv2d, x, param(s, 0), dy, dx[0], dw, db);
    case Op::Linear: return linear_backward(s.linear, x, param(s, 0), dy, dx[0], dw, db);
    case Op::GroupNorm:
      return group_norm_backward(s.group_norm, x, param(s, 0), param(s, 1), saved(line.step), dy, dx[0], dw, db);
    case Op::BatchNorm:
      return batch_norm_backward(s.batch_norm, x, param(s, 0), param(s, 2), param(s, 3), saved(line.step), dy, dx[0], dw, db);
    case Op::Silu: return silu_backward(x, dy, dx[0]);
    case Op::Relu:
      if (const View bits = signs(line.step); !bits.empty()) return sign_bits_backward(bits, dy, dx[0]);
      return relu_backward(value(s.out), dy, dx[0]);
    case Op::Add:
      if (!dx[0].empty()) copy_forward(dy, dx[0]);
      if (!dx[1].empty()) copy_forward(dy, dx[1]);
      return;
    case Op::Concat: return concat_backward(dy, dx[0], dx[1]);
    case Op::AddChannel: return add_channel_backward(dy, dx[0], dx[1]);
    case Op::UpsampleNearest: return upsample_nearest_backward(dy, dx[0]);
    case Op::GlobalAvgPool: return global_avg_pool_backward(dy, dx[0]);
    case Op::Attention: return attention_backward(s.attention, x, kept(s.in[1]), kept(s.in[2]), dy, dx[0], dx[1], dx[2]);
    case Op::TimeEmbedding: return;
    case Op::Normalize: return normalize_backward(s.normalize, dy, dx[0]);
    case Op::SubsamplePad: return subsample_pad_backward(s.subsample_pad, dy, dx[0]);
    case Op::ScaleShift: return scale_shift_backward(x, kept(s.in[1]), dy, dx[0], dx[1]);
    case Op::AvgPool: return avg_pool_backward(dy, dx[0]);
    case Op::MaxPool: return max_pool_backward(s.max_pool, saved(line.step), dy, dx[0]);
    case Op::AttentionPacked: return attention_packed_backward(s.attention, x, dy, dx[0]);
    case Op::Nin: return nin_backward(s.linear, x, param(s, 0), dy, dx[0], dw, db);
    case Op::Scale: return affine_forward(s.scale.factor, dy, 0, {}, 0, dx[0]);
  }
}

// One pass: step by step, recorded, or replayed.
void Net::run(bool backward) {
  auto steps = [&] { backward ? backward_lines() : forward_steps(); };
  if (!graphs_on_ || on_step || on_backward_line || !device_can_record(device())) return steps();
  const auto [entry, first] = graphs_.try_emplace({base_, batch_, backward}, nullptr, FreeGraph{device()});
  if (first) return steps();
  if (!entry->second) {
    device_record_begin(device());
    try {
      steps();
    } catch (...) {
      device_graph_free(device(), device_record_end(device()));
      throw;
    }
    entry->second.reset(device_record_end(device()));
  }
  device_graph_launch(device(), entry->second.get());
}

int Net::graph_count() const {
  int count = 0;
  for (const auto& [key, graph] : graphs_) count += graph != nullptr;
  return count;
}

void Net::forward() {
  run(false);
  check_red_zones("forward");
}

void Net::backward() {
  PURESCOPE_REQUIRE(plan_.mode != Mode::Forward);
  run(true);
  check_red_zones("backward");
}

void Net::forward_steps() {
  for (int i = 0; i < static_cast<int>(model_.steps.size()); ++i) {
    forward_step(i, false);
    if (on_step) on_step(i);
  }
}

void Net::backward_lines() {
  for (int j = 0; j < static_cast<int>(plan_.backward.size()); ++j) {
    const BackwardLine& line = plan_.backward[j];
    switch (line.kind) {
      case BackwardLine::Op: backward_step(line); break;
      case BackwardLine::Again: forward_step(line.step, true); break;
      case BackwardLine::Add: add_forward(grad(line.value), scratch(line, line.scratch), grad(line.value)); break;
    }
    if (on_backward_line) on_backward_line(j);
  }
}

// Debug builds leave a gap of NaN after every slot; anything else there is a write out of bounds.
void Net::check_red_zones(const char* when) const {
#ifdef PURESCOPE_DEBUG
  for (size_t v = 0; v < model_.values.size(); ++v)
    for (size_t offset : {plan_.value[v], plan_.grad[v], plan_.again[v]}) {
      if (offset == kNoSlot) continue;
      const ValueInfo& info = model_.values[v];
      const size_t count = (static_cast<size_t>(info.c) * info.h * info.w * plan_.batch + 15) / 16 * 16;
      for (real value : to_host({base_ + offset + count, 1, 16, 1, 1, device()}))
        if (!std::isnan(value))
          fail(kInternal, std::string("a step wrote past the end of value ") + std::to_string(v), std::string(when) + " of " + model_.arch,
               "this is a bug in purescope; please report it");
    }
#else
  (void)when;
#endif
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
