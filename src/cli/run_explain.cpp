// explain: what a network is made of, in which order its gradients are computed, and where everything lies in memory.
#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "cli/commands.h"
#include "cli/trace.h"
#include "core/check.h"
#include "core/current_device.h"
#include "core/math_mode.h"
#include "io/json_text.h"
#include "io/signals.h"
#include "models/zoo.h"
#include "net/algorithms.h"
#include "net/cost.h"
#include "net/plan.h"
#include "ops/winograd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  char text[512];
  va_list list;
  va_start(list, pattern);
  std::vsnprintf(text, sizeof text, pattern, list);
  va_end(list);
  return text;
}

std::string shape(const ValueInfo& v) {
  return v.h == 1 && v.w == 1 ? std::to_string(v.c)
                              : std::to_string(v.c) + "x" + std::to_string(v.h) + "x" + std::to_string(v.w);
}

std::string inputs(const Model& m, const Step& s) {
  std::string text;
  for (int id : s.in)
    if (id >= 0) text += (text.empty() ? "" : ", ") + shape(m.values[id]);
  return text;
}

int64_t step_params(const Model& m, const Step& s) {
  int64_t count = 0;
  for (int p : s.param) count += p >= 0 ? m.params[p].count() : 0;
  return count;
}

// Which step writes value `id`, by name.
std::string value_name(const Model& m, int id) {
  if (id == m.input) return "input";
  if (id == m.time) return "t";
  for (const Step& s : m.steps)
    if (s.out == id) return s.name;
  return "value " + std::to_string(id);
}

std::string mib(double bytes) { return format("%.2f MiB", bytes / (1 << 20)); }

// The op, and for a convolution that is not computed as a plain sum the algorithm.
std::string op_text(const Step& s) {
  const bool fast = s.op == Op::Conv2d && s.conv2d.algorithm != ConvAlgorithm::Exact;
  return std::string(op_name(s)) + (fast ? std::string(", ") + algorithm_name(s.conv2d.algorithm) : "");
}

std::string step_table(const Model& m) {
  std::string text =
      "steps of " + m.arch +
      "\n  step  name                              op                    "
       "in -> out                              params        MACs  line\n";
  int64_t total = 0;
  for (size_t i = 0; i < m.steps.size(); ++i) {
    const Step& s = m.steps[i];
    total += macs(m, s);
    text += format("  %4zu  %-32s  %-20s  %-32s  %10lld  %10lld  %s\n", i, s.name.c_str(), op_text(s).c_str(),
                   (inputs(m, s) + " -> " + shape(m.values[s.out])).c_str(), static_cast<long long>(step_params(m, s)),
                   static_cast<long long>(macs(m, s)), source_line(s.file, s.line).c_str());
  }
  return text + format("  total %lld trainable parameters, %.3f MMAC per image and forward pass\n",
                       static_cast<long long>(m.parameter_count()), total * 1e-6);
}

std::string backward_table(const Model& m, const Plan& plan) {
  std::string text = "\nbackward list (every addition of gradients is a line of its own)\n";
  for (size_t j = 0; j < plan.backward.size(); ++j) {
    const BackwardLine& line = plan.backward[j];
    const Step& s = m.steps[line.step];
    if (line.kind == BackwardLine::Add) {
      text += format("  %4zu  d(%s) += scratch %d, from %s\n", j, value_name(m, line.value).c_str(), line.scratch,
                     s.name.c_str());
      continue;
    }
    if (line.kind == BackwardLine::Again) {
      text += format("  %4zu  %s again: %s\n", j, op_name(s), s.name.c_str());
      continue;
    }
    std::string to;
    for (int k = 0; k < kMaxInputs; ++k)
      if (line.dx[k] >= 0)
        to += (to.empty() ? "" : ", ") +
              (line.to_scratch[k] ? "scratch " + std::to_string(k) : "d(" + value_name(m, line.dx[k]) + ")");
    text += format("  %4zu  %s backward of %s -> %s\n", j, op_name(s), s.name.c_str(),
                   to.empty() ? "parameters only" : to.c_str());
  }
  return text;
}

struct Slot {
  std::string name;
  size_t offset, size;
};

std::vector<Slot> slots(const Model& m, const Plan& plan) {
  std::vector<Slot> list;
  for (size_t v = 0; v < m.values.size(); ++v) {
    const ValueInfo& info = m.values[v];
    const size_t size = static_cast<size_t>(info.c) * info.h * info.w * plan.batch;
    const std::string name = value_name(m, static_cast<int>(v));
    if (plan.value[v] != kNoSlot) list.push_back({name, plan.value[v], size});
    if (plan.again[v] != kNoSlot) list.push_back({name + ", again", plan.again[v], size});
    if (plan.grad[v] != kNoSlot) list.push_back({"d(" + name + ")", plan.grad[v], size});
  }
  std::stable_sort(list.begin(), list.end(), [](const Slot& a, const Slot& b) { return a.size > b.size; });
  return list;
}

std::string memory_map(const Model& m, const Plan& plan, const std::string& mode) {
  int64_t stored = 0;
  for (const ParamInfo& p : m.params) stored += p.count();
  size_t saved = 0;
  for (const Step& s : m.steps) saved += static_cast<size_t>(s.saved) * plan.batch;
  const double unit = sizeof(real);
  std::string text =
      format("\nmemory, %s, batch %d, %s\n", mode.c_str(), plan.batch, sizeof(real) == 8 ? "f64" : "f32");
  text += "  weights             " + mib(stored * unit) + " (float32 files are read in place by the float program)\n";
  const size_t filters = filter_values(m, plan.mode != Mode::Forward);
  if (filters && plan.mode != Mode::Training)
    text += "  transformed filters " + mib(filters * unit) + ", made once per run, or on every call where they would take more than a quarter of memory\n";
  text += "  arena               " + mib(plan.arena * unit) + ", all values, gradients and scratch of a pass\n";
  text += "  without sharing     " + mib((plan.value_sum + plan.grad_sum) * unit) + " (values " +
          mib(plan.value_sum * unit) + ", gradients " + mib(plan.grad_sum * unit) + ")\n";
  text += "  saved statistics    " + mib(saved * unit) + "\n";
  for (int k = 0; k < kMaxInputs; ++k)
    if (plan.scratch[k] != kNoSlot) text += format("  scratch %d           at %zu\n", k, plan.scratch[k]);
  text += "  biggest slots       offset        values\n";
  const std::vector<Slot> list = slots(m, plan);
  for (size_t i = 0; i < list.size() && i < 12; ++i)
    text += format("    %10zu  %12zu  %s  %s\n", list[i].offset, list[i].size, mib(list[i].size * unit).c_str(),
                   list[i].name.c_str());
  return text;
}

// What a gradient through `steps` reverse steps needs beside the classifier: the weights, one arena, and the Trail of src/diffusion/purify.h.
std::string chain_forecast(const Model& m, const Plan& plan, int steps) {
  double weights = 0;
  for (const ParamInfo& p : m.params) weights += static_cast<double>(p.count());
  const ValueInfo& v = m.values[m.input];
  const double image = static_cast<double>(v.c) * v.h * v.w * plan.batch, trail = image * (steps + 1), unit = sizeof(real);
  return format("  gradient through %d reverse steps\n    weights + arena + %d states = ", steps, steps + 1) +
         mib((weights + static_cast<double>(plan.arena) + trail) * unit) + "; each further step " + mib(image * unit) + "\n";
}

// One object per step, then one with the totals.
std::string json_lines(const Model& m, const Plan& plan) {
  std::string text;
  int64_t total = 0;
  for (size_t i = 0; i < m.steps.size(); ++i) {
    const Step& s = m.steps[i];
    total += macs(m, s);
    text += JsonLine()
                .add("step", i)
                .add("name", s.name)
                .add("op", op_name(s))
                .add("algorithm", s.op == Op::Conv2d ? algorithm_name(s.conv2d.algorithm) : "")
                .add("in", inputs(m, s))
                .add("out", shape(m.values[s.out]))
                .add("params", step_params(m, s))
                .add("macs", macs(m, s))
                .add("line", source_line(s.file, s.line))
                .text() +
            "\n";
  }
  return text +
         JsonLine()
             .add("arch", m.arch)
             .add("parameters", m.parameter_count())
             .add("macs", total)
             .add("backward_lines", plan.backward.size())
             .add("arena_bytes", plan.arena * sizeof(real))
             .add("filter_bytes", plan.mode == Mode::Training ? 0 : filter_values(m, plan.mode != Mode::Forward) * sizeof(real))
             .text() +
         "\n";
}

}  // namespace

int run_explain(const ExplainOptions& o) {
  Model model = make_model(o.arch, false);
  choose_algorithms(model, current_device() == Device::Cpu ? current_math() : MathMode::Exact);
  const Mode mode = o.mode == "forward" ? Mode::Forward : o.mode == "training" ? Mode::Training : Mode::InputGrad;
  const Plan plan = make_plan(model, o.batch, mode, false, o.memory == "min");
  if (o.common.json) {
    print_out(json_lines(model, plan));
    return kOk;
  }
  print_out(step_table(model));
  print_out(backward_table(model, plan));
  print_out(memory_map(model, plan, o.mode));
  if (o.steps_reverse) print_out(chain_forecast(model, plan, o.steps_reverse));
  return kOk;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
