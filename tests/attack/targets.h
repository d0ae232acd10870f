// What the attack tests attack: linear classifiers with chosen weights, for which everything is known, and the tiny networks of the
// chain tests.
#pragma once
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "attack/pgd.h"
#include "diffusion/chain.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Two linear layers: a 1x1 convolution (identity times `gain`), the mean over the image, a linear layer. logits = gain * w mean(x) + b.
inline Model linear_model(int side, int classes) {
  Builder b("linear");
  Value h = b.conv2d("mix", b.input(3, side, side), {.in = 3, .out = 3, .kernel = 1, .pad_before = 0, .pad_after = 0}, true);
  return b.finish(b.linear("head", b.global_avg_pool("pool", h), {.in = 3, .out = classes}));
}

inline View param_view(Net& net, const std::string& key) {
  for (size_t i = 0; i < net.model().params.size(); ++i)
    if (net.model().params[i].key == key) return net.params().view(static_cast<int>(i));
  fail(kInternal, "no parameter " + key, "test", "check the model");
}

// w [classes][3], b [classes].
inline Net linear_net(int side, const std::vector<std::vector<double>>& w, const std::vector<double>& b, double gain = 1) {
  const Model model = linear_model(side, static_cast<int>(w.size()));
  Net net(model, std::make_shared<Params>(model));
  net.params().fill_zero();
  for (int c = 0; c < 3; ++c) set_value(param_view(net, "mix.weight"), c * 3 + c, gain);
  for (size_t o = 0; o < w.size(); ++o) {
    for (int c = 0; c < 3; ++c) set_value(param_view(net, "head.weight"), o * 3 + c, w[o][c]);
    set_value(param_view(net, "head.bias"), o, b[o]);
  }
  return net;
}

inline NoiseStream native_stream() { return NoiseStream({NoiseRng::Native, {}, false}); }
inline NoiseSource* no_noise(int) { return nullptr; }

inline Buffer buffer_of(const std::vector<real>& values, int n, int c, int h, int w) {
  Buffer b(n, c, h, w);
  store(values, b.view());
  return b;
}

// Values in [low, high) from a name, n images of 3 x side x side.
inline Buffer pictures(const std::string& name, int n, int side, double low = 0, double high = 1) {
  Buffer b(n, 3, side, side);
  for (int k = 0; k < n; ++k) {
    const auto v = direction(name + " " + std::to_string(k), b.view().image_size(), (low + high) / 2, (high - low) / 2);
    store(v, b.view().images(k, 1));
  }
  return b;
}

inline PgdOptions pgd_options(int steps, bool random_start = true) {
  PgdOptions o;
  o.steps = steps;
  o.random_start = random_start;
  return o;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
