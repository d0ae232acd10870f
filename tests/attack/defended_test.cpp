// The classifier behind the purifier as one function: its value, its exact gradient, and the gradient with the purifier taken as the
// identity.
#include "attack/targets.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

struct Bench {
  Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
  NoiseStream stream = native_stream();
  KeyedNoise noise{stream, 3, {5, 8}};
  Buffer x = pictures("defended", 2, 8);
  std::vector<int> labels = {1, 4};
  PurifyOptions options;
  explicit Bench(Clip clip = Clip::None) { options.t = 5; options.clip = clip; }
  Defended make(Backward backward, int keep = 0) { return Defended(&unet, classifier, options, backward, 2, true, keep); }
};

double sum(const std::vector<double>& v) { double s = 0; for (double x : v) s += x; return s; }

}  // namespace

// Purified images (in [0, 1] units), logits, loss and gradient of recorded PyTorch chains.
TEST(Defended, ChainGoldens) {
  const Safetensors inputs(golden_path("chain_inputs"));
  const std::vector<double> x = tensor(inputs, "x");
  const std::vector<int> labels = integers(tensor(inputs, "label"));
  for (const std::string name : {"ddpm_clip_fixedlarge", "ddim_noclip", "reverse_only"}) {
    SCOPED_TRACE(name);
    Net unet = formula_net(kSmallUnet), classifier = formula_net(kSmallWrn);
    PurifyOptions o;
    o.t = 10;
    parse_sampler(name == "ddim_noclip" ? "ddim" : name == "reverse_only" ? "reverse" : "ddpm", o);
    Defended target(&unet, classifier, o, Backward::Full, 2, true);
    FileNoise noise(golden_path("chain_inputs"));
    Buffer in = buffer_of({x.begin(), x.end()}, 2, 3, 16, 16), dx(2, 3, 16, 16);
    target.forward(in.view(), &noise);
    const Safetensors file(golden_path("chain_" + name));
    std::vector<double> purified = tensor(file, "purified.f64");
    for (double& v : purified) v = v / 2 + 0.5;
    const Comparison images = compare_l2(values_of(target.purified()).data(), purified.data(), purified.size(), kDouble ? 1e-9 : 5e-6);
    EXPECT_TRUE(images.ok) << images.message;
    const Comparison logits = against(target.logits(), file, "logits", kOutError);
    EXPECT_TRUE(logits.ok) << logits.message;
    const double loss = tensor(file, "loss.f64")[0];
    EXPECT_NEAR(sum(target.losses(labels.data())), loss, (kDouble ? 1e-9 : 5e-5) * loss);
    target.backward(labels.data(), dx.view());
    const Comparison gradient = against(dx.view(), file, "grad_x", kReluGradError);
    EXPECT_TRUE(gradient.ok) << gradient.message;
  }
}

// The full gradient is the derivative of the loss, in double, along itself; keeping activations does not change a bit of it.
TEST(Defended, FullGradientIsTheDerivative) {
  Bench b;
  Defended target = b.make(Backward::Full);
  Buffer dx(2, 3, 8, 8);
  target.forward(b.x.view(), &b.noise);
  target.backward(b.labels.data(), dx.view());
  const std::vector<real> gradient = values_of(dx.view());
  if (kDouble) {
    const double length = norm({gradient.begin(), gradient.end()});
    double best = 1e300;
    for (double h : {1e-4, 1e-5, 1e-6}) {
      auto loss = [&](double s) {
        std::vector<real> values = values_of(b.x);
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<real>(values[i] + s * gradient[i] / length);
        const Buffer moved = buffer_of(values, 2, 3, 8, 8);
        target.forward(moved.view(), &b.noise);
        return sum(target.losses(b.labels.data()));
      };
      best = std::min(best, std::fabs((loss(h) - loss(-h)) / (2 * h) - length) / length);
    }
    EXPECT_TRUE(best <= 1e-7) << best;
  }
  Bench again;
  Defended keeping = again.make(Backward::Full, 3);
  keeping.forward(again.x.view(), &again.noise);
  keeping.backward(again.labels.data(), dx.view());
  EXPECT_TRUE(compare_bits(values_of(dx.view()), gradient).ok);
  // backward_logits with the cotangent of the loss is the same pass.
  Buffer cotangent(2, 10, 1, 1);
  keeping.forward(again.x.view(), &again.noise);
  cross_entropy_backward(keeping.logits(), DeviceLabels(again.labels.data(), 2, keeping.logits().device).data(), 1, cotangent.view());
  keeping.backward_logits(cotangent.view(), dx.view());
  EXPECT_TRUE(compare_bits(values_of(dx.view()), gradient).ok);
}

// Identity backward: the classifier's gradient at the purified image, and not the full gradient.
TEST(Defended, BpdaIsTheGradientAtThePurifiedImage) {
  Bench b;
  Defended target = b.make(Backward::Bpda);
  Buffer dx(2, 3, 8, 8), full(2, 3, 8, 8), purified(2, 3, 8, 8), alone(2, 3, 8, 8);
  target.forward(b.x.view(), &b.noise);
  copy_forward(target.purified(), purified.view());
  const std::vector<real> logits = values_of(target.logits());
  target.backward(b.labels.data(), dx.view());
  Net classifier = formula_net(kTinyWrn);
  Defended bare(nullptr, classifier, {}, Backward::Full, 2, true);
  EXPECT_FALSE(bare.has_purifier());
  bare.forward(purified.view(), nullptr);
  EXPECT_TRUE(compare_bits(values_of(bare.logits()), logits).ok);
  bare.backward(b.labels.data(), alone.view());
  EXPECT_TRUE(compare_bits(values_of(dx.view()), values_of(alone.view())).ok);
  Bench c;
  Defended exact = c.make(Backward::Full);
  exact.forward(c.x.view(), &c.noise);
  EXPECT_TRUE(compare_bits(values_of(exact.logits()), logits).ok);  // the forward pass is the real one in both
  exact.backward(c.labels.data(), full.view());
  EXPECT_FALSE(compare(values_of(full.view()), values_of(alone.view()), 1e-2).ok);
}

// First maximum on ties, -1 where a logit is not finite.
TEST(Defended, Predictions) {
  Net net = linear_net(2, {{0, 0, 0}, {1, 0, 0}, {1, 0, 0}}, {0.5, 0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 3, true);
  Buffer x(3, 3, 2, 2);
  for (int n = 0; n < 3; ++n)
    store(std::vector<double>(12, n == 0 ? 0.25 : n == 1 ? 0.75 : std::numeric_limits<double>::quiet_NaN()), x.view().images(n, 1));
  target.forward(x.view(), nullptr);
  EXPECT_EQ(target.predictions(), (std::vector<int>{0, 1, -1}));
}

TEST(Defended, NetworksMustFit) {
  Net unet = formula_net(kTinyUnet), classifier = formula_net(kSmallWrn);
  try {
    Defended target(&unet, classifier, {}, Backward::Full, 1, true);
    ADD_FAILURE();
  } catch (const Error& e) { EXPECT_EQ(e.code, kUsage); }
}
