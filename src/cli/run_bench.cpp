// bench: milliseconds, rate of arithmetic and rate of memory of every step of a network, and of the whole pass.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/commands.h"
#include "core/check.h"
#include "core/math_mode.h"
#include "core/parallel.h"
#include "io/json_text.h"
#include "io/signals.h"
#include "models/zoo.h"
#include "net/algorithms.h"
#include "net/cost.h"
#include "net/net.h"
#include "ops/gemm.h"
#include "ops/ops.h"
#include "ops/winograd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// Floating-point operations per second of matrix products of 384, one per thread: the best of five.
double measured_peak() {
  constexpr int kSize = 384, kProducts = 6;
  const int threads = thread_count();
  std::vector<std::vector<real>> memory(threads, std::vector<real>(3 * kSize * kSize, real(0.5)));
  double best = 0;
  for (int repeat = 0; repeat < 6; ++repeat) {
    const double begin = now();
    parallel_for(threads, [&](int task) {
      real* a = memory[task].data();
      for (int i = 0; i < kProducts; ++i)
        gemm(false, false, kSize, kSize, kSize, 1, a, kSize, a + kSize * kSize, kSize, 0, a + 2 * kSize * kSize, kSize);
    });
    const double rate = 2.0 * kSize * kSize * kSize * kProducts * threads / (now() - begin);
    if (repeat > 0) best = std::max(best, rate);
  }
  return best;
}

// One line of the table: a step of the forward pass, a line of the backward list, or the whole.
struct Row {
  std::string direction, name, op, algorithm;
  double flops, bytes;
  std::vector<double> seconds = {};
};

std::vector<Row> rows_of(const Net& net, int batch) {
  const Model& m = net.model();
  const Plan& plan = net.current_plan();
  std::vector<Row> rows;
  const auto algorithm = [](const Step& s) { return s.op == Op::Conv2d ? algorithm_name(s.conv2d.algorithm) : ""; };
  for (const Step& s : m.steps)
    rows.push_back({"forward", s.name, op_name(s), algorithm(s), 2.0 * macs(m, s) * batch, double(sizeof(real)) * traffic(m, s, batch)});
  for (const BackwardLine& line : plan.backward) {
    const Step& s = m.steps[line.step];
    const bool add = line.kind == BackwardLine::Add;
    rows.push_back({"backward", s.name, add ? "fan-in" : op_name(s), add ? "" : algorithm(s), 2.0 * backward_macs(m, line, plan.mode) * batch,
                    double(sizeof(real)) * backward_traffic(m, line, plan.mode, batch)});
  }
  return rows;
}

void write_input(Net& net) {
  const Mirror x(net.input(), Device::Cpu, Mirror::Load::No);
  for (size_t i = 0; i < x.view().size(); ++i) x.data()[i] = formula_value("input", i, 0, 1);
  x.store();
  net.set_time(50);
}

// One pass; seconds of the whole.
double one_pass(Net& net) {
  write_input(net);
  const double begin = now();
  net.forward();
  if (net.current_plan().mode != Mode::Forward) {
    fill_forward(0.01, net.output_grad());
    net.backward();
  }
  return now() - begin;
}

// Medians of whole passes go to `total`, those of single steps, timed in passes of their own, to `rows`.
void measure(Net& net, const BenchOptions& o, std::vector<Row>& rows, Row& total) {
  for (int i = 0; i < o.warm_up; ++i) one_pass(net);
  for (int i = 0; i < o.repeats; ++i) total.seconds.push_back(one_pass(net));
  double mark = 0;
  const size_t steps = net.model().steps.size();
  const auto lap = [&](size_t row) {
    rows[row].seconds.push_back(now() - mark);
    mark = now();
  };
  net.on_step = [&](int i) { lap(i); };
  net.on_backward_line = [&](int j) { lap(steps + j); };
  for (int i = 0; i < o.repeats; ++i) {
    write_input(net);
    mark = now();
    net.forward();
    if (net.current_plan().mode == Mode::Forward) continue;
    fill_forward(0.01, net.output_grad());
    mark = now();
    net.backward();
  }
}

std::string table_row(const Row& r, double share, double peak) {
  const double seconds = median(r.seconds);
  char text[256];
  std::snprintf(text, sizeof text, "%-8s  %-34.34s  %-16.16s  %-12s  %9.3f  %5.1f  %8.1f  %7.1f  %5.1f\n", r.direction.c_str(), r.name.c_str(),
                r.op.c_str(), r.algorithm.c_str(), 1e3 * seconds, 100 * share, 1e-9 * r.flops / seconds, 1e-9 * r.bytes / seconds,
                100 * r.flops / seconds / peak);
  return text;
}

std::string json_row(const Row& r, double peak) {
  const double seconds = median(r.seconds);
  return JsonLine()
             .add("pass", r.direction)
             .add("name", r.name)
             .add("op", r.op)
             .add("algorithm", r.algorithm)
             .add("ms", 1e3 * seconds)
             .add("gflops", 1e-9 * r.flops / seconds)
             .add("gbytes_per_s", 1e-9 * r.bytes / seconds)
             .add("share_of_peak", r.flops / seconds / peak)
             .text() +
         "\n";
}

}  // namespace

int run_bench(const BenchOptions& o) {
  const Model model = make_model(o.arch, o.pass == "training");
  auto params = std::make_shared<Params>(model);
  fill_by_formula(*params, model);
  if (o.pass != "training") params->freeze();
  Net net(model, params);
  net.plan(o.batch, o.pass == "forward" ? Mode::Forward : o.pass == "training" ? Mode::Training : Mode::InputGrad);
  std::vector<Row> rows = rows_of(net, o.batch);
  Row total{o.pass, model.arch, "all", math_name(current_math()), 0, 0};
  for (const Row& r : rows) { total.flops += r.flops; total.bytes += r.bytes; }
  measure(net, o, rows, total);
  const double peak = measured_peak(), seconds = median(total.seconds);
  double steps = 0;
  for (const Row& r : rows) steps += median(r.seconds);
  if (o.common.json) {
    for (const Row& r : rows) print_out(json_row(r, peak));
    print_out(JsonLine()
                  .add("arch", model.arch)
                  .add("pass", o.pass)
                  .add("math", math_name(current_math()))
                  .add("real", sizeof(real) == 8 ? "f64" : "f32")
                  .add("batch", o.batch)
                  .add("threads", thread_count())
                  .add("ms", 1e3 * seconds)
                  .add("ms_least", 1e3 * *std::min_element(total.seconds.begin(), total.seconds.end()))
                  .add("gflops", 1e-9 * total.flops / seconds)
                  .add("gbytes_per_s", 1e-9 * total.bytes / seconds)
                  .add("peak_gflops", 1e-9 * peak)
                  .add("share_of_peak", total.flops / seconds / peak)
                  .add("arena_bytes", net.current_plan().arena * sizeof(real))
                  .add("filter_bytes", params->filter_bytes())
                  .text() +
              "\n");
    return kOk;
  }
  print_out("pass      step                                op                computed by          ms      %   GFLOP/s     GB/s  %peak\n");
  for (const Row& r : rows) print_out(table_row(r, median(r.seconds) / steps, peak));
  print_out(table_row(total, 1, peak));
  char text[512];
  std::snprintf(text, sizeof text,
                "%s, %s, batch %d, %d threads, %s math, %s: %.2f ms, %.1f GFLOP/s of plain sums, peak %.1f GFLOP/s (matrix products of 384)\n"
                "arena %.2f MiB, kept filters %.2f MiB; medians of %d after %d\n",
                model.arch.c_str(), o.pass.c_str(), o.batch, thread_count(), math_name(current_math()), sizeof(real) == 8 ? "f64" : "f32",
                1e3 * seconds, 1e-9 * total.flops / seconds, 1e-9 * peak, net.current_plan().arena * sizeof(real) / 1048576.0,
                params->filter_bytes() / 1048576.0, o.repeats, o.warm_up);
  print_out(text);
  return kOk;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
