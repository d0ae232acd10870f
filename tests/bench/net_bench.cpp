// Seconds per forward, forward + input gradient and (on request) training pass of a network with formula weights. One JSON line per
// row on stdout. Usage: net_bench ARCH BATCH THREADS [forward|gradient|training] [REPEATS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"
#include "models/zoo.h"
#include "net/net.h"

using namespace purescope;

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: net_bench ARCH BATCH THREADS forward|gradient|training [REPEATS]\n");
    return kUsage;
  }
  try {
    const std::string arch = argv[1], what = argv[4];
    const int batch = std::atoi(argv[2]), threads = std::atoi(argv[3]), repeats = argc > 5 ? std::atoi(argv[5]) : 5;
    set_thread_count(threads);
    Model model = make_model(arch, what == "training");
    auto params = std::make_shared<Params>(model);
    fill_by_formula(*params, model);
    Net net(model, params);
    net.plan(batch, what == "forward" ? Mode::Forward : what == "gradient" ? Mode::InputGrad : Mode::Training);
    std::vector<double> seconds;
    for (int i = 0; i < repeats + 2; ++i) {
      for (size_t k = 0; k < net.input().size(); ++k) net.input().data[k] = formula_value("input", k, 0, 1);
      net.set_time(50);
      const auto begin = std::chrono::steady_clock::now();
      net.forward();
      if (what != "forward") {
        for (size_t k = 0; k < net.output().size(); ++k) net.output_grad().data[k] = formula_value("cotangent", k, 0, 1);
        net.backward();
      }
      if (i >= 2) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    std::sort(seconds.begin(), seconds.end());
    printf("{\"engine\":\"purescope\",\"arch\":\"%s\",\"what\":\"%s\",\"batch\":%d,\"threads\":%d,\"median_s\":%.6f,\"min_s\":%.6f}\n",
           arch.c_str(), what.c_str(), batch, threads, seconds[seconds.size() / 2], seconds[0]);
  } catch (const Error& e) {
    fprintf(stderr, "%s\n", e.message().c_str());
    return e.code;
  }
}
