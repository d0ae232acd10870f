#include "cli/compare.h"

#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "core/check.h"
#include "core/current_device.h"
#include "core/math_mode.h"
#include "io/json_text.h"
#include "io/signals.h"
#include "io/text.h"

namespace purescope {
namespace {

struct Side {
  Trace trace;
  bool f64 = false, file = false;
  Device device = Device::Cpu;
  MathMode math = current_math();
};

Side run_side(const std::string& name, const CompareOptions& o) {
  const Device usual = current_device();
  if (name == "f64") return {f64::trace_for_compare(o), true, false, usual};
  if (name == "f32") return {f32::trace_for_compare(o), false, false, usual};
  Side side;
  const MathMode modes[] = {MathMode::Exact, MathMode::Fast, MathMode::Tf32, MathMode::Bf16};
  const auto mode = std::find_if(std::begin(modes), std::end(modes), [&](MathMode m) { return name == math_name(m); });
  if (mode != std::end(modes)) {
    const MathMode math = current_math();
    set_current_math(*mode);
    side = {o.common.f64 ? f64::trace_for_compare(o) : f32::trace_for_compare(o), o.common.f64, false, usual, current_math()};
    set_current_math(math);
    return side;
  }
  if (name == "cpu" || name == "emulated" || name.starts_with("cuda")) {
    set_current_device(parse_device(name));
    side = {o.common.f64 ? f64::trace_for_compare(o) : f32::trace_for_compare(o), o.common.f64, false, current_device()};
    set_current_device({usual, 0});
    return side;
  }
  side.file = true;
  side.trace = read_trace(name, side.f64);
  return side;
}

// Zero where both sides promise the same bits; 1e-5 where one is float; 1e-9 for two devices or arithmetics in double (other orders of
// summation) and for a file in double, which another machine may have written.
double default_tolerance(const Side& a, const Side& b) {
  if (!a.file && !b.file && a.f64 == b.f64 && a.device == b.device && a.math == b.math) return 0;
  return a.f64 && b.f64 ? 1e-9 : 1e-5;
}

void check_same_steps(const Side& a, const Side& b, const CompareOptions& o) {
  for (size_t i = 0; i < std::max(a.trace.size(), b.trace.size()); ++i) {
    const bool fits = i < a.trace.size() && i < b.trace.size() && a.trace[i].name == b.trace[i].name &&
                      a.trace[i].shape == b.trace[i].shape;
    if (!fits)
      fail(kBadInput, "the two sides do not have the same steps: they part at step " + std::to_string(i),
           o.a + " and " + o.b, "give the architecture, input and batch that the file was made with");
  }
}

}  // namespace

int run_compare(const CompareOptions& o) {
  const Side a = run_side(o.a, o), b = run_side(o.b, o);
  check_same_steps(a, b, o);
  const double bar = o.tolerance >= 0 ? o.tolerance : default_tolerance(a, b);
  size_t first = a.trace.size(), worst = 0;
  double worst_error = -1;
  for (size_t i = 0; i < a.trace.size(); ++i) {
    const double error = relative_error(a.trace[i].values, b.trace[i].values);
    if (!(error <= bar) && first == a.trace.size()) first = i;
    if (!(error <= worst_error)) {
      worst_error = error;
      worst = i;
    }
    if (!o.common.verbose) continue;
    char line[256];
    std::snprintf(line, sizeof line, "%4zu  %-36s %.3e\n", i, a.trace[i].name.c_str(), error);
    print_out(line);
  }
  const bool differs = first < a.trace.size();
  const Trace& lines = a.file ? b.trace : a.trace;
  if (o.common.json) {
    JsonLine json;
    json.add("a", o.a)
        .add("b", o.b)
        .add("steps", a.trace.size())
        .add("tolerance", bar)
        .add("worst_step", a.trace[worst].name)
        .add("worst_error", worst_error);
    json.add("differs", differs);
    if (differs) json.add("first_step", first).add("first_name", lines[first].name).add("line", lines[first].line);
    print_out(json.text() + "\n");
    return differs ? kNegative : kOk;
  }
  char text[768];
  std::snprintf(text, sizeof text,
                "%s against %s: %zu steps, relative l2 error at most %.3e (step %zu, %s), bar %.1e\n", o.a.c_str(),
                o.b.c_str(), a.trace.size(), worst_error, worst, a.trace[worst].name.c_str(), bar);
  print_out(text);
  if (!differs) return kOk;
  // A dump knows the names of its steps, not their ops and lines.
  const std::string op = lines[first].op.empty() ? "" : " (" + lines[first].op + ")";
  const std::string declared = lines[first].line.empty() ? "" : "  declared at " + lines[first].line + "\n";
  std::snprintf(text, sizeof text, "first step beyond the bar: %zu, %s%s, error %.3e\n%s", first, lines[first].name.c_str(), op.c_str(),
                relative_error(a.trace[first].values, b.trace[first].values), declared.c_str());
  print_out(text);
  return kNegative;
}

}  // namespace purescope
