// Projected gradient descent: against PyTorch iterate by iterate, against closed forms, and under the conditions that a run meets.
#include "attack/targets.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

constexpr double kEps = 8.0 / 255;

// Fixed noise: the same source at every step.
StepNoise always(NoiseSource& noise) { return [&noise](int) { return &noise; }; }

// A state that stands at `start`, before the first step.
PgdCheckpoint standing_at(const std::vector<double>& start, int n) {
  PgdCheckpoint c;
  c.set = true;
  c.x.assign(start.begin(), start.end());
  c.result.resize(start.size());
  c.best_loss.assign(n, -1);
  c.zeros.assign(n, 0);
  c.images.resize(n);
  c.result_images.resize(n);
  c.done.assign(n, 0);
  return c;
}

void check_golden(const std::string& name, Defended& target, NoiseSource* noise) {
  const Safetensors file(golden_path(name));
  const std::vector<double> x0 = tensor(file, "x0"), iterates = tensor(file, "iterates.f64"), grads = tensor(file, "grads.f64"),
                            losses = tensor(file, "losses.f64");
  const std::vector<int> labels = integers(tensor(file, "label"));
  const size_t size = x0.size();
  Buffer x = buffer_of({x0.begin(), x0.end()}, 2, 3, 16, 16);
  const NoiseStream stream = native_stream();
  auto iterate = [&](int k) { return std::vector<double>(iterates.begin() + k * size, iterates.begin() + (k + 1) * size); };
  // One step from each stored iterate, where no gradient value is near zero: the same pixels.
  for (int k = 0; k < 5; ++k) {
    PgdCheckpoint c = standing_at(iterate(k), 2);
    const PgdResult r = pgd(target, x.view(), labels.data(), {kEps, kEps}, pgd_options(1), stream, 0, {0, 1}, [&](int) { return noise; }, &c);
    const std::vector<double> expected = iterate(k + 1);
    if (kDouble) {
      const Comparison same = compare(values_of(r.adversarial.view()), expected, 1e-12);
      EXPECT_TRUE(same.ok) << name << " step " << k << ": " << same.message;
      EXPECT_NEAR(r.images[0].loss_start + r.images[1].loss_start, losses[k], 1e-9 * losses[k]) << k;
    } else {
      // Float: a sign may turn where the gradient is within rounding of zero; everywhere else the pixels agree.
      double largest = 0;
      for (size_t i = 0; i < size; ++i) largest = std::max(largest, std::fabs(grads[k * size + i]));
      size_t checked = 0, bad = 0;
      const std::vector<real> adversarial = values_of(r.adversarial);
      for (size_t i = 0; i < size; ++i) {
        if (std::fabs(grads[k * size + i]) < 1e-3 * largest) continue;
        ++checked;
        bad += !(std::fabs(adversarial[i] - expected[i]) <= 2e-7);
      }
      EXPECT_GT(checked, size * 9 / 10);
      EXPECT_EQ(bad, 0u) << name << " step " << k;
    }
  }
  // The whole run.
  PgdCheckpoint c = standing_at(tensor(file, "x_start"), 2);
  const PgdResult r = pgd(target, x.view(), labels.data(), {kEps, kEps}, pgd_options(5), stream, 0, {0, 1}, [&](int) { return noise; }, &c);
  const Comparison whole = compare(values_of(r.adversarial.view()), tensor(file, kDouble ? "adv.f64" : "adv.f32"), kDouble ? 1e-12 : 2e-7);
  if (kDouble) EXPECT_TRUE(whole.ok) << name << ": " << whole.message;
  else EXPECT_LE(whole.bad, size / 50) << name << ": " << whole.message;  // trajectories may part after one sign
  // Control: another label is another trajectory.
  if (noise) return;   // shown once, without the cost of the chain
  std::vector<int> wrong = labels;
  wrong[0] = (wrong[0] + 1) % 10;
  c = standing_at(tensor(file, "x_start"), 2);
  const PgdResult other = pgd(target, x.view(), wrong.data(), {kEps, kEps}, pgd_options(5), stream, 0, {0, 1}, [&](int) { return noise; }, &c);
  EXPECT_FALSE(compare(values_of(other.adversarial.view()), values_of(r.adversarial.view()), 1e-6).ok);
}

// Tiny classifier behind a tiny purifier, three images.
struct Chained {
  Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
  PurifyOptions options;
  std::unique_ptr<Defended> target;
  NoiseStream stream = native_stream();
  Buffer x;
  std::vector<int> labels = {1, 4, 7};
  std::vector<int64_t> ids = {5, 8, 21};
  explicit Chained(int batch = 3) : x(pictures("chained", 3, 8)) {
    options.t = 3;
    target = std::make_unique<Defended>(&unet, classifier, options, Backward::Full, batch, true);
  }
};

}  // namespace

TEST(Pgd, ClassifierAloneAgainstTheGolden) {
  Net classifier = formula_net(kSmallWrn);
  Defended target(nullptr, classifier, {}, Backward::Full, 2, true);
  check_golden("pgd5", target, nullptr);
}

TEST(Pgd, ThroughThePurifierAgainstTheGolden) {
  Net unet = formula_net(kSmallUnet), classifier = formula_net(kSmallWrn);
  PurifyOptions options;
  options.t = 10;
  Defended target(&unet, classifier, options, Backward::Full, 2, true);
  FileNoise noise(golden_path("chain_inputs"));
  check_golden("pgd5_purified", target, &noise);
}

// Five steps of foolbox on the recorded networks, alone and behind ten reverse steps under the recorded noise.
TEST(PgdReference, RecordedRunsOfFoolbox) {
  PURESCOPE_NEEDS_REFERENCE();
  const Model unet_model = make_model("ddpm-unet:ch=32,mult=1-2,blocks=1,attn=16,size=32"), wrn = make_model("wrn:depth=10,widen=1");
  Net unet(unet_model, Params::load(unet_model, reference_path("tiny/tiny_ddpm.weights.safetensors")));
  Net classifier(wrn, Params::load(wrn, reference_path("tiny/tiny_wrn.weights.safetensors")));
  PurifyOptions options;
  options.t = 10;
  const std::string inputs = reference_path("chain/chain_inputs.safetensors");
  const std::vector<int> labels = integers(tensor(Safetensors(inputs), "label"));
  const NoiseStream stream = native_stream();
  for (const bool purified : {false, true}) {
    const std::string name = purified ? "pgd5_wrn_purified" : "pgd5_wrn";
    const Safetensors file(reference_path("chain/" + name + ".safetensors"));
    Defended target(purified ? &unet : nullptr, classifier, options, Backward::Full, 2, true);
    FileNoise noise(inputs);
    const std::vector<double> x0 = tensor(file, "x0"), losses = tensor(file, "losses.f64");
    Buffer x = buffer_of({x0.begin(), x0.end()}, 2, 3, 32, 32);
    PgdCheckpoint c = standing_at(tensor(file, "x_start"), 2);
    const PgdResult r = pgd(target, x.view(), labels.data(), {kEps, kEps}, pgd_options(5), stream, 0, {0, 1}, [&](int) { return &noise; }, &c);
    EXPECT_NEAR(r.images[0].loss_start + r.images[1].loss_start, losses[0], (kDouble ? 1e-9 : 1e-5) * losses[0]) << name;
    const Comparison whole = compare(values_of(r.adversarial.view()), tensor(file, kDouble ? "adv.f64" : "adv.f32"), kDouble ? 1e-12 : 2e-7);
    std::printf("%-18s %zu of %zu pixels differ, worst %.1e\n", name.c_str(), whole.bad, x0.size(), whole.worst);
    if (kDouble) EXPECT_TRUE(whole.ok) << name << ": " << whole.message;
    else EXPECT_LE(whole.bad, x0.size() / 50) << name << ": " << whole.message;  // float: trajectories may part after one sign
    EXPECT_FALSE(compare(values_of(x.view()), tensor(file, "adv.f64"), 1e-3).ok) << name << ": the images have not moved";
  }
}

// Linear model: the sign of the gradient is the same for all pixels of a channel, 0 for channel 2. From x0 without random start,
// iterate k = clamp(x0 + sign min(k a, eps)).
TEST(Pgd, ClosedFormOnALinearModel) {
  Net net = linear_net(4, {{1, -2, 0}, {-1, 1, 0}}, {0.1, 0});
  Defended target(nullptr, net, {}, Backward::Full, 2, true);
  const Buffer x0 = pictures("linear", 2, 4);
  const NoiseStream stream = native_stream();
  const std::vector<double> eps = {0.1, 0.3};
  for (int steps : {1, 7, 30, 31, 40}) {
    const PgdResult r = pgd(target, x0.view(), std::vector<int>{0, 0}.data(), eps, pgd_options(steps, false), stream, 0, {0, 1}, no_noise);
    std::vector<double> expected;
    const std::vector<real> from = values_of(x0);
    for (int n = 0; n < 2; ++n)
      for (size_t i = 0; i < 48; ++i) {
        const int sign = i / 16 == 0 ? -1 : i / 16 == 1 ? 1 : 0;   // away from class 0: down in channel 0, up in channel 1
        expected.push_back(std::clamp(from[48 * n + i] + sign * std::min(steps * eps[n] / 30, eps[n]), 0.0, 1.0));
      }
    const Comparison same = compare(values_of(r.adversarial.view()), expected, kDouble ? 1e-14 : 5e-6);  // up to 40 roundings
    EXPECT_TRUE(same.ok) << steps << ": " << same.message;
    EXPECT_EQ(r.images[0].grad_zero, 1.0 / 3);
    EXPECT_FALSE(r.images[0].not_finite);
    EXPECT_GE(r.images[1].loss_last, r.images[1].loss_start);
  }
}

// l2 with a constant gradient: the point moves along it by k a and then stays at distance eps.
TEST(Pgd, ClosedFormInL2) {
  Net net = linear_net(4, {{1, -2, 0}, {-1, 1, 0}}, {0.1, 0});
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const Buffer x0 = pictures("linear l2", 1, 4, 0.4, 0.6);
  PgdOptions o = pgd_options(8, false);
  o.norm = Norm::L2;
  o.relative_step = 0.25;
  const NoiseStream stream = native_stream();
  for (int steps : {2, 8}) {
    o.steps = steps;
    const PgdResult r = pgd(target, x0.view(), std::vector<int>{0}.data(), {0.5}, o, stream, 0, {0}, no_noise);
    std::vector<double> expected;
    const std::vector<real> from = values_of(x0);
    const double length = std::sqrt(16 * (4.0 + 9.0)), way = std::min(steps * 0.125, 0.5);
    for (size_t i = 0; i < 48; ++i) expected.push_back(from[i] + way * (i / 16 == 0 ? -2 : i / 16 == 1 ? 3 : 0) / length);
    const Comparison same = compare(values_of(r.adversarial.view()), expected, kDouble ? 1e-13 : 2e-6);
    EXPECT_TRUE(same.ok) << steps << ": " << same.message;
  }
}

// With an absolute step the budget does not matter for the step; with a relative one it does.
TEST(Pgd, AbsoluteStep) {
  Net net = linear_net(2, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const Buffer x0 = pictures("absolute", 1, 2, 0.4, 0.6);
  PgdOptions o = pgd_options(1, false);
  o.absolute_step = 0.0625;
  const PgdResult r = pgd(target, x0.view(), std::vector<int>{0}.data(), {0.25}, o, native_stream(), 0, {0}, no_noise);
  for (size_t i = 0; i < 12; ++i) EXPECT_NEAR(value_at(x0.view(), i) - value_at(r.adversarial.view(), i), 0.0625, 1e-7);
}

TEST(Pgd, ImagesOutsideTheUnitIntervalAreRefused) {
  Net net = linear_net(2, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  for (double bad : {-1e-3, 1.001, std::numeric_limits<double>::quiet_NaN()}) {
    Buffer x0 = pictures("bounds", 1, 2);
    set_value(x0.view(), 5, bad);
    try {
      pgd(target, x0.view(), std::vector<int>{0}.data(), {0.1}, pgd_options(1), native_stream(), 0, {0}, no_noise);
      ADD_FAILURE() << bad << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code, kBadInput);
      EXPECT_NE(e.message().find("value 5"), std::string::npos) << e.message();
    }
  }
}

// All of a batch at once, or each image alone: the same bits; and the order of the images does not matter.
TEST(Pgd, BatchDoesNotMoveABit) {
  Chained c;
  KeyedNoise noise(c.stream, 3, c.ids);
  const PgdResult all = pgd(*c.target, c.x.view(), c.labels.data(), {0.03, 0.06, 0.02}, pgd_options(4), c.stream, 3, c.ids, always(noise));
  for (int k = 0; k < 3; ++k) {
    const std::vector<int64_t> id = {c.ids[k]};
    KeyedNoise own(c.stream, 3, id);
    const PgdResult one = pgd(*c.target, c.x.view().images(k, 1), &c.labels[k], {std::vector<double>{0.03, 0.06, 0.02}[k]}, pgd_options(4), c.stream, 3, id, always(own));
    EXPECT_TRUE(compare_bits(values_of(one.adversarial), values_of(all.adversarial.view().images(k, 1))).ok) << k;
    EXPECT_EQ(one.images[0].loss_last, all.images[k].loss_last) << k;
    EXPECT_EQ(one.images[0].grad_zero, all.images[k].grad_zero) << k;
  }
}

// A loss or gradient that is not finite: the image stays where it was and says so.
TEST(Pgd, NotFiniteIsNeverQuiet) {
  Net net = linear_net(2, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  set_value(param_view(net, "head.bias"), 1, std::numeric_limits<double>::quiet_NaN());
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const Buffer x0 = pictures("nan", 1, 2);
  PgdResult r = pgd(target, x0.view(), std::vector<int>{0}.data(), {0.1}, pgd_options(3, false), native_stream(), 0, {0}, no_noise);
  EXPECT_TRUE(r.images[0].not_finite);
  EXPECT_FALSE(r.images[0].adversarial_on_path);
  EXPECT_TRUE(compare_bits(values_of(r.adversarial.view()), values_of(x0.view())).ok);
  // A finite loss with a gradient that overflows: black image, weights whose product is beyond the range.
  const double huge = kDouble ? 1e200 : 1e30;
  Net steep = linear_net(2, {{huge, huge, huge}, {-huge, -huge, -huge}}, {0, 0}, huge);
  Defended cliff(nullptr, steep, {}, Backward::Full, 1, true);
  const Buffer black = filled(1, 3, 2, 2, 0);
  r = pgd(cliff, black.view(), std::vector<int>{0}.data(), {0.1}, pgd_options(1, false), native_stream(), 0, {0}, no_noise);
  EXPECT_TRUE(std::isfinite(r.images[0].loss_start));
  EXPECT_TRUE(r.images[0].not_finite);
  EXPECT_FALSE(compare_bits(values_of(r.adversarial.view()), std::vector<real>(12, real(0.1))).ok);
}

// The last iterate by default; with best_iterate the point of highest loss among all iterates, the last included.
TEST(Pgd, BestIterate) {
  Chained c;
  KeyedNoise noise(c.stream, 3, c.ids);
  PgdOptions o = pgd_options(6);
  o.relative_step = 1.3;  // steps far too large: the loss goes up and down
  const size_t size = c.x.view().image_size();
  std::vector<double> highest(3, -1);
  std::vector<int> when(3, 0);
  std::vector<real> best(3 * size), last;
  for (int k = 0; k <= 6; ++k) {
    o.steps = k;
    const PgdResult r = pgd(*c.target, c.x.view(), c.labels.data(), {0.1, 0.1, 0.1}, o, c.stream, 3, c.ids, always(noise));
    c.target->forward(r.adversarial.view(), &noise);
    const std::vector<double> loss = c.target->losses(c.labels.data());
    last = values_of(r.adversarial.view());
    for (int n = 0; n < 3; ++n)
      if (loss[n] > highest[n]) {
        highest[n] = loss[n];
        when[n] = k;
        std::copy_n(last.data() + n * size, size, best.data() + n * size);
      }
  }
  EXPECT_TRUE(when[0] < 6 || when[1] < 6 || when[2] < 6) << "the last is always the best: this tests nothing";
  o.steps = 6;
  EXPECT_TRUE(compare_bits(values_of(pgd(*c.target, c.x.view(), c.labels.data(), {0.1, 0.1, 0.1}, o, c.stream, 3, c.ids, always(noise)).adversarial.view()), last).ok);
  o.best_iterate = true;
  const PgdResult r = pgd(*c.target, c.x.view(), c.labels.data(), {0.1, 0.1, 0.1}, o, c.stream, 3, c.ids, always(noise));
  EXPECT_TRUE(compare_bits(values_of(r.adversarial.view()), best).ok);
  // One step up a slope: the last iterate is the best one.
  Net net = linear_net(2, {{1, 1, 1}, {-1, -1, -1}}, {0, 0});
  Defended target(nullptr, net, {}, Backward::Full, 1, true);
  const Buffer x0 = pictures("slope", 1, 2, 0.4, 0.6);
  o = pgd_options(1, false);
  o.best_iterate = true;
  const PgdResult up = pgd(target, x0.view(), std::vector<int>{0}.data(), {0.1}, o, c.stream, 0, {0}, no_noise);
  EXPECT_LT(value_at(up.adversarial.view(), 0), value_at(x0.view(), 0));
}
