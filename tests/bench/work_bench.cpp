// Seconds of whole pieces of work with formula weights, one JSON line. Usage: work_bench chain|training THREADS exact|fast REPEATS [KEEP]
// chain: the gradient of wrn-28-10 behind 20 reverse steps of ddpm-cifar10, one image; KEEP of the steps keep their activations.
// training: noise, forward, mean squared error, backward and Adam of ddpm-unet:ch=32,mult=1-2-2,blocks=1,attn=8,size=32, 32 images.
#include <algorithm>
#include <chrono>
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

template <class Work>
void report(const char* what, int threads, const char* math, int keep, int repeats, const Work& work) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    if (i > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("{\"engine\":\"purescope\",\"what\":\"%s\",\"threads\":%d,\"math\":\"%s\",\"keep\":%d,\"median_s\":%.6f,\"min_s\":%.6f}\n", what, threads,
              math, keep, seconds[seconds.size() / 2], seconds[0]);
}

void chain(int threads, const char* math, int repeats, int keep) {
  const Model unet_model = make_model("ddpm-cifar10"), classifier_model = make_model("wrn-28-10");
  Net unet(unet_model, formula_params(unet_model, true)), classifier(classifier_model, formula_params(classifier_model, true));
  PurifyOptions options;
  options.t = 20;
  Purifier purifier(unet, options, 1, true, keep);
  classifier.plan(1, Mode::InputGrad);
  const NoiseStream stream({NoiseRng::Native, {}, false});
  KeyedNoise noise(stream, 3, {5});
  Buffer x(1, 3, 32, 32), d(1, 3, 32, 32);
  fill(x.view(), "input", 0, 1);
  report("chain", threads, math, keep, repeats, [&] {
    affine_forward(0.5, purifier.forward(x.view(), noise), 0, {}, 0.5, classifier.input());
    classifier.forward();
    fill_forward(0.1, classifier.output_grad());
    classifier.backward();
    affine_forward(0.5, classifier.input_grad(), 0, {}, 0, d.view());
    purifier.backward(d.view());
  });
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
  if (argc < 5) return std::fprintf(stderr, "usage: work_bench chain|training THREADS exact|fast REPEATS [KEEP]\n"), kUsage;
  try {
    const std::string what = argv[1], math = argv[3];
    const int threads = std::atoi(argv[2]), repeats = std::max(1, std::atoi(argv[4])), keep = argc > 5 ? std::atoi(argv[5]) : 0;
    set_thread_count(threads);
    set_current_math(math == "fast" ? MathMode::Fast : MathMode::Exact);
    if (what == "training") training(threads, argv[3], repeats);
    else chain(threads, argv[3], repeats, keep);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.message().c_str());
    return e.code;
  }
  return 0;
}
