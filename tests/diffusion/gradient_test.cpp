// The gradient of the whole chain (classifier after 10 and after 100 reverse steps, clip on and off) against central
// differences in double. A step across which a ReLU or a clip mask changes does not count and is printed.
#include <gtest/gtest.h>

#include "diffusion/chain.h"

using namespace purescope;

namespace {

struct Bench {
  Bench(const PurifyOptions& options, const std::string& arch, const std::string& head)
      : unet(formula_net(arch)),
        classifier(formula_net(!head.empty()        ? head
                               : options.image_size ? "wrn:depth=10,widen=1,size=" + std::to_string(options.image_size)
                                                    : kTinyWrn)),
        chain(unet, classifier, options, 2),
        stream({NoiseRng::Native, {}, false}),
        noise(stream, 3, {5, 8}),
        x(test_images(options.image_size ? classifier : unet, {5, 8})) {}

  // Loss at x0 + s * v with the masks of every clip and every ReLU of the classifier.
  double loss(const std::vector<real>& x0, const std::vector<double>& v, double s, std::vector<bool>& mask) {
    std::vector<real> moved = x0;
    for (size_t i = 0; i < v.size(); ++i) moved[i] = static_cast<real>(x0[i] + s * v[i]);
    ClipMasks clips(chain.purifier());
    std::vector<bool> relus;
    classifier.on_step = [&](int i) {
      const Step& step = classifier.model().steps[i];
      if (step.op != Op::Relu) return;
      for (real v : values_of(classifier.value(step.out))) relus.push_back(v > 0);
    };
    const double result = chain.forward(moved, {1, 4}, noise);
    classifier.on_step = nullptr;
    inside = std::count(clips.inside.begin(), clips.inside.end(), true);
    clip_values = clips.inside.size();
    mask = clips.inside;
    mask.insert(mask.end(), relus.begin(), relus.end());
    return result;
  }

  Net unet, classifier;
  Chain chain;
  NoiseStream stream;
  KeyedNoise noise;
  std::vector<real> x;
  size_t inside = 0, clip_values = 0;
};

// Best relative error over h; 1e300 where every step crosses a kink.
double best_error(Bench& b, const std::string& what, const std::vector<double>& v, double slope) {
  double best = 1e300;
  for (double h : {1e-4, 1e-5, 1e-6}) {
    std::vector<bool> above, below;
    const double difference = (b.loss(b.x, v, h, above) - b.loss(b.x, v, -h, below)) / (2 * h);
    size_t changed = 0;
    for (size_t i = 0; i < above.size(); ++i) changed += above[i] != below[i];
    if (changed) {
      std::printf("  %s: h = %.0e crosses %zu ReLU or clip masks and does not count\n", what.c_str(), h, changed);
      continue;
    }
    EXPECT_NE(difference, slope) << "compared with itself";
    const double error = std::abs(difference - slope) / std::abs(slope);
    if (!(error >= best)) best = error;
  }
  return best;
}

void check(const std::string& what, const PurifyOptions& options, bool agrees = true, const std::string& arch = kTinyUnet,
           const std::string& classifier = "") {
  Bench b(options, arch, classifier);
  const double loss = b.chain.forward(b.x, {1, 4}, b.noise);
  EXPECT_TRUE(std::isfinite(loss));
  const std::vector<real> g = b.chain.backward();
  const std::vector<double> gradient(g.begin(), g.end());
  const double length = norm(gradient);
  ASSERT_GT(length, 0);
  std::vector<double> along = gradient;
  for (double& v : along) v /= length;
  const double first = best_error(b, what, along, length);
  if (!agrees) {
    EXPECT_GT(first, 1e-3) << what;
    std::printf("%s: along the gradient %.1e, as it must be\n", what.c_str(), first);
    return;
  }
  EXPECT_TRUE(first <= 1e-8) << what << ", along the gradient: " << first;
  double worst = 0;
  for (int k = 0; k < 3; ++k) {
    std::vector<double> v = direction("direction " + std::to_string(k), gradient.size());
    const double size = norm(v);
    double slope = 0;
    for (size_t i = 0; i < v.size(); ++i) { v[i] /= size; slope += v[i] * gradient[i]; }
    const double error = best_error(b, what, v, slope);
    EXPECT_TRUE(error <= 1e-6) << what << ", random direction " << k << ": " << error;
    worst = std::max(worst, error);
  }
  if (options.clip == Clip::X0) {
    EXPECT_GT(b.inside, 0u) << what;
    EXPECT_LT(b.inside, b.clip_values) << what << ": the clip is never active";
  }
  // Control: a gradient with one image's part scaled by 1 + 1e-5 is seen.
  double wrong = 0;
  for (size_t i = 0; i < gradient.size(); ++i)
    wrong += along[i] * gradient[i] * (i < gradient.size() / 2 ? 1 + 1e-5 : 1);
  EXPECT_GT(best_error(b, what, along, wrong), 1e-8) << what;
  std::printf("%s: along the gradient %.1e, random directions %.1e; %zu of %zu predictions clipped\n", what.c_str(),
              first, worst, b.clip_values - b.inside, b.clip_values);
}

PurifyOptions options_of(const std::string& sampler, int t, int steps, Clip clip) {
  PurifyOptions o;
  o.t = t;
  parse_sampler(sampler, o);
  if (steps) o.steps_reverse = steps;
  o.clip = clip;
  return o;
}

}  // namespace

TEST(ChainGradient, TenSteps) {
  PURESCOPE_NEEDS_DOUBLE();
  check("10 steps, clip", options_of("ddpm", 10, 0, Clip::X0));
  check("10 steps, no clip", options_of("ddpm", 10, 0, Clip::None));
}

TEST(ChainGradient, HundredSteps) {
  PURESCOPE_NEEDS_DOUBLE();
  check("100 steps, clip", options_of("ddpm", 100, 0, Clip::X0));
  check("100 steps, no clip", options_of("ddpm", 100, 0, Clip::None));
}

TEST(ChainGradient, OtherSamplers) {
  PURESCOPE_NEEDS_DOUBLE();
  PurifyOptions steps = options_of("ddpm", 20, 10, Clip::X0);
  steps.forward = ForwardKind::Steps;
  check("single forward steps, respaced", steps);
  PurifyOptions reverse = options_of("reverse", 10, 0, Clip::X0);
  reverse.scale = InputScale::SqrtAbar;
  check("reverse only, scaled", reverse);
  check("ddim, no clip", options_of("ddim", 50, 10, Clip::None));
  check("ddim, clip", options_of("ddim", 50, 10, Clip::X0));
  check("eta 0.7, no clip", options_of("eta:0.7", 50, 10, Clip::None));
  check("eta 1, clip", options_of("eta:1", 50, 10, Clip::X0));
}

// Negative control: the straight-through gradient is another one on purpose.
TEST(ChainGradient, StraightThroughDisagreesWithDifferences) {
  PURESCOPE_NEEDS_DOUBLE();
  check("straight-through", options_of("ddpm", 10, 0, Clip::StraightThrough), false);
}

// The learned variance: the gradient also runs through sigma(v).
TEST(ChainGradient, LearnedVariance) {
  PURESCOPE_NEEDS_DOUBLE();
  PurifyOptions o = options_of("ddpm", 10, 0, Clip::X0);
  o.variance = Variance::Learned;
  check("learned variance, clip", o, true, kTinyAdm);
  o.clip = Clip::None;
  check("learned variance, no clip", o, true, kTinyAdm);
  o.t = 40;
  o.steps_reverse = 8;
  check("learned variance, 8 of 40 steps", o, true, kTinyAdm);
  o = options_of("ddpm", 10, 0, Clip::X0);
  check("variance channels dropped", o, true, kTinyAdm);
}

TEST(ChainGradient, ImagesOfAnotherSize) {
  PURESCOPE_NEEDS_DOUBLE();
  PurifyOptions o = options_of("eta:1", 6, 0, Clip::None);
  o.image_size = 12;
  check("12 to 8 and back", o);
  o.image_size = 4;
  check("4 to 8 and back", o);
}

TEST(ChainGradient, RespacedProcess) {
  PURESCOPE_NEEDS_DOUBLE();
  PurifyOptions o = options_of("ddpm", 6, 0, Clip::None);
  o.respacing = "50";
  check("6 of 50", o);
  o.clip = Clip::X0;
  o.t = 5;
  check("5 of 50, clip", o);
}

// What runs on ImageNet, small: resampled to the network's size, three steps with learned variance, back, a bottleneck ResNet.
TEST(ChainGradient, ImageNetShaped) {
  PURESCOPE_NEEDS_DOUBLE();
  for (const Clip clip : {Clip::X0, Clip::None}) {
    PurifyOptions o = options_of("ddpm", 150, 3, clip);
    o.variance = Variance::Learned;
    o.image_size = 12;
    check(clip == Clip::X0 ? "resized, learned variance, clip, ResNet" : "resized, learned variance, ResNet", o, true, kTinyAdm,
          "resnet:stem=8,planes=4-8,layers=1-1,classes=10,size=12");
  }
}

TEST(ChainGradient, ContinuousTime) {
  PURESCOPE_NEEDS_DOUBLE();
  check("reverse SDE", options_of("vpsde", 12, 0, Clip::None));
  check("probability-flow ODE", options_of("vpode", 12, 0, Clip::None));
  PurifyOptions o = options_of("vpsde", 12, 0, Clip::None);
  o.labels = Labels::TorchsdeFp32;
  check("reverse SDE on float32 times", o);
  o.labels = Labels::Continuous;
  check("reverse SDE, labels 999 t, variance channels dropped", o, true, kTinyAdm);
}

TEST(ChainGradient, DpmSolver) {
  PURESCOPE_NEEDS_DOUBLE();
  for (const char* family : {"dpmsolver", "dpmsolver++"})
    for (const char* method : {"multistep", "singlestep"})
      for (int order : {1, 2, 3}) {
        const std::string name = std::string(family) + ":order=" + std::to_string(order) + ",method=" + method + ",steps=10";
        check(name, options_of(name, 100, 0, Clip::None));
      }
  check("uniform in log-SNR", options_of("dpmsolver++:order=3,grid=logsnr,steps=7", 200, 0, Clip::None), true, kTinyAdm);
}
