// Seconds per forward, forward + input gradient and (on request) training pass of a network with formula weights. One JSON line per
// row on stdout. Usage: net_bench ARCH BATCH THREADS forward|gradient|training [REPEATS [exact|fast|tf32|bf16 [profile]]]
// PURESCOPE_DEVICE says where; tf32 and bf16 are arithmetics of a card. A pass begins with the input's copy there and ends with the result's copy back.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/math_mode.h"
#include "core/parallel.h"
#include "models/zoo.h"
#include "net/net.h"

using namespace purescope;

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: net_bench ARCH BATCH THREADS forward|gradient|training [REPEATS [exact|fast|tf32|bf16 [profile]]]\n");
    return kUsage;
  }
  try {
    const std::string arch = argv[1], what = argv[4];
    const int batch = std::atoi(argv[2]), threads = std::atoi(argv[3]), repeats = argc > 5 ? std::atoi(argv[5]) : 5;
    set_thread_count(threads);
    const std::string math = argc > 6 ? argv[6] : "exact";
    for (const MathMode mode : {MathMode::Fast, MathMode::Tf32, MathMode::Bf16})
      if (math == math_name(mode)) set_current_math(mode);
    Model model = make_model(arch, what == "training");
    auto params = std::make_shared<Params>(model);
    fill_by_formula(*params, model);
    if (what != "training") params->freeze();
    Net net(model, params);
    net.plan(batch, what == "forward" ? Mode::Forward : what == "gradient" ? Mode::InputGrad : Mode::Training);
    // CPU seconds by op and direction (argument "profile"), so that a busy machine does not blur them.
    std::map<std::string, double> profile;
    double mark = 0;
    auto cpu_now = [] { timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec + 1e-9 * t.tv_nsec; };
    auto lap = [&](const std::string& key) { const double now = cpu_now(); profile[key] += now - mark; mark = cpu_now(); };
    if (argc > 7) {
      net.on_step = [&](int i) {
        const Step& s = model.steps[i];
        lap(std::string("forward ") + op_name(s) + (s.op == Op::Conv2d && s.conv2d.kernel == 1 ? " 1x1" : ""));
      };
      net.on_backward_line = [&](int j) {
        const BackwardLine& line = net.current_plan().backward[j];
        lap(line.kind == BackwardLine::Add ? "backward fan-in" : std::string("backward ") + op_name(model.steps[line.step]));
      };
    }
    std::vector<real> input(net.input().size()), output(net.output().size()), cotangent(output.size()), gradient(input.size());
    for (size_t k = 0; k < input.size(); ++k) input[k] = static_cast<real>(formula_value("input", k, 0, 1));
    for (size_t k = 0; k < output.size(); ++k) cotangent[k] = static_cast<real>(formula_value("cotangent", k, 0, 1));
    const Device device = net.device();
    const auto copy_to = [&](View to, const std::vector<real>& from) {
      device_copy(device, to.data, Device::Cpu, from.data(), from.size() * sizeof(real));
    };
    const auto copy_from = [&](std::vector<real>& to, View from) {
      device_copy(Device::Cpu, to.data(), device, from.data, to.size() * sizeof(real));
    };
    std::vector<double> seconds;
    for (int i = 0; i < repeats + 2; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      copy_to(net.input(), input);
      net.set_time(50);
      mark = cpu_now();
      net.forward();
      if (what != "forward") {
        copy_to(net.output_grad(), cotangent);
        net.backward();
      }
      if (what == "gradient") copy_from(gradient, net.input_grad());
      else copy_from(output, net.output());
      if (i >= 2) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    for (const auto& [key, value] : profile) fprintf(stderr, "%-32s %8.2f ms\n", key.c_str(), 1e3 * value / (repeats + 2));
    std::sort(seconds.begin(), seconds.end());
    printf("{\"engine\":\"purescope\",\"math\":\"%s\",\"arch\":\"%s\",\"what\":\"%s\",\"batch\":%d,\"threads\":%d,\"median_s\":%.6f,\"min_s\":%.6f}\n",
           math.c_str(), arch.c_str(), what.c_str(), batch, threads, seconds[seconds.size() / 2], seconds[0]);
  } catch (const Error& e) {
    fprintf(stderr, "%s\n", e.message().c_str());
    return e.code;
  }
}
