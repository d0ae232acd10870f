// Seconds of whole pieces of work with formula weights, one JSON line. Usage: work_bench chain|linear|training THREADS exact|fast REPEATS [KEEP]
// chain: the gradient of wrn-28-10 behind 20 reverse steps of ddpm-cifar10, one image; KEEP of the steps keep their activations.
// linear: that gradient and its forward half for 4, 8, 12, 16 and 20 steps, REPEATS rounds of all five, so that a slow minute of the machine meets
// every length; then the straight line through the least times of the gradients and the largest distance from it.
// training: noise, forward, mean squared error, backward and Adam of ddpm-unet:ch=32,mult=1-2-2,blocks=1,attn=8,size=32, 32 images.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/math_mode.h"
#include "core/parallel.h"
#include "diffusion/purify.h"
#include "models/zoo.h"
#include "ops/ops.h"

using namespace purescope;

namespace {

std::shared_ptr<Params> formula_params(const Model& model, bool frozen) {
  auto params = std::make_shared<Params>(model);
  fill_by_formula(*params, model);
  if (frozen) params->freeze();
  return params;
}

void fill(View v, const char* key, double shift, double scale) {
  for (size_t i = 0; i < v.size(); ++i) v.data[i] = formula_value(key, i, shift, scale);
}

// Prints the median and the least, and returns the least: what other work on the machine does to it is only ever more.
template <class Work>
double report(const char* what, int threads, const char* math, int keep, int repeats, const Work& work) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    if (i > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("{\"engine\":\"purescope\",\"what\":\"%s\",\"threads\":%d,\"math\":\"%s\",\"keep\":%d,\"median_s\":%.6f,\"min_s\":%.6f}\n", what, threads,
              math, keep, seconds[seconds.size() / 2], seconds[0]);
  return seconds[0];
}

struct ChainSeconds { double forward, gradient; };

ChainSeconds chain(int threads, const char* math, int repeats, int keep, int steps, bool forward_too) {
  const Model unet_model = make_model("ddpm-cifar10"), classifier_model = make_model("wrn-28-10");
  Net unet(unet_model, formula_params(unet_model, true)), classifier(classifier_model, formula_params(classifier_model, true));
  PurifyOptions options;
  options.t = steps;
  Purifier purifier(unet, options, 1, true, keep);
  classifier.plan(1, Mode::InputGrad);
  const NoiseStream stream({NoiseRng::Native, {}, false});
  KeyedNoise noise(stream, 3, {5});
  Buffer x(1, 3, 32, 32), d(1, 3, 32, 32);
  fill(x.view(), "input", 0, 1);
  const auto forward = [&] {
    affine_forward(0.5, purifier.forward(x.view(), noise), 0, {}, 0.5, classifier.input());
    classifier.forward();
  };
  const std::string what = "chain of " + std::to_string(steps) + " steps";
  const double alone = forward_too ? report((what + ", forward").c_str(), threads, math, keep, repeats, forward) : 0;
  return {alone, report(what.c_str(), threads, math, keep, repeats, [&] {
    forward();
    fill_forward(0.1, classifier.output_grad());
    classifier.backward();
    affine_forward(0.5, classifier.input_grad(), 0, {}, 0, d.view());
    purifier.backward(d.view());
  })};
}

// Least squares of the least seconds over steps.
void linear(int threads, const char* math, int rounds) {
  const int lengths[] = {4, 8, 12, 16, 20}, n = 5;
  std::vector<ChainSeconds> least(n, {INFINITY, INFINITY});
  for (int round = 0; round < rounds; ++round)
    for (int i = 0; i < n; ++i) {
      const ChainSeconds s = chain(threads, math, 1, 0, lengths[i], true);
      least[i] = {std::min(least[i].forward, s.forward), std::min(least[i].gradient, s.gradient)};
    }
  double mean_x = 0, mean_y = 0, xy = 0, xx = 0, worst = 0;
  for (int i = 0; i < n; ++i) mean_x += lengths[i] / double(n), mean_y += least[i].gradient / n;
  for (int i = 0; i < n; ++i) {
    const double x = lengths[i] - mean_x;
    xy += x * (least[i].gradient - mean_y), xx += x * x;
  }
  const double slope = xy / xx, start = mean_y - slope * mean_x;
  for (int i = 0; i < n; ++i) worst = std::max(worst, std::abs(least[i].gradient / (start + slope * lengths[i]) - 1));
  std::printf("{\"engine\":\"purescope\",\"what\":\"linear\",\"threads\":%d,\"math\":\"%s\",\"seconds_per_step\":%.6f,\"start_s\":%.6f,\"largest_residual\":%.4f,"
              "\"gradient_over_forward_at_20\":%.3f}\n", threads, math, slope, start, worst, least[n - 1].gradient / least[n - 1].forward);
}

void training(int threads, const char* math, int repeats) {
  const Model model = make_model("ddpm-unet:ch=32,mult=1-2-2,blocks=1,attn=8,size=32");
  const auto params = formula_params(model, false);
  Params m(model), v(model);
  Net net(model, params);
  net.plan(32, Mode::Training);
  Buffer x(32, 3, 32, 32), eps(32, 3, 32, 32);
  fill(x.view(), "input", 0, 1);
  fill(eps.view(), "noise", 0, 1.7);
  const std::vector<double> a(32, 0.8), b(32, 0.6);
  report("training", threads, math, 0, repeats, [&] {
    noising_forward(a.data(), b.data(), x.view(), eps.view(), net.input());
    net.set_time(50);
    net.forward();
    double loss = 0;
    squared_error(net.output(), eps.view(), 2.0 / x.size(), net.output_grad(), &loss);
    net.grads().fill_zero();
    net.backward();
    const Adam adam{.beta1 = 0.9, .beta2 = 0.999, .scale = 1, .step_size = 2e-4, .root_scale = 1, .eps = 1e-8};
    for (int p = 0; p < params->count(); ++p) adam_update(adam, net.grads().view(p), m.view(p), v.view(p), params->view(p));
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::fprintf(stderr, "usage: work_bench chain|linear|training THREADS exact|fast REPEATS [KEEP]\n"), kUsage;
  try {
    const std::string what = argv[1], math = argv[3];
    const int threads = std::atoi(argv[2]), repeats = std::max(1, std::atoi(argv[4])), keep = argc > 5 ? std::atoi(argv[5]) : 0;
    set_thread_count(threads);
    set_current_math(math == "fast" ? MathMode::Fast : MathMode::Exact);
    if (what == "training") training(threads, argv[3], repeats);
    else if (what == "linear") linear(threads, argv[3], repeats);
    else chain(threads, argv[3], repeats, keep, 20, false);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.message().c_str());
    return e.code;
  }
  return 0;
}
