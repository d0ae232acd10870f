// PGD against recorded runs of the original attack on the original networks (PURESCOPE_REFERENCE_DIR; tests/attack/pgd_test.cpp has goldens of
// our own): losses, gradients and iterates, of the classifier alone and through ten reverse steps with the same noise at every step.
#include "attack/targets.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

constexpr double kEps = 8.0 / 255;

PgdCheckpoint standing_at(const std::vector<double>& start) {
  PgdCheckpoint c;
  c.set = true;
  c.x.assign(start.begin(), start.end());
  c.result.resize(start.size());
  c.best_loss.assign(2, -1);
  c.zeros.assign(2, 0);
  c.images.resize(2);
  c.result_images.resize(2);
  c.done.assign(2, 0);
  return c;
}

Net recorded(const std::string& arch, const std::string& file) {
  const Model model = make_model(arch);
  return Net(model, Params::load(model, reference_path("tiny/" + file)));
}
Net recorded_wrn() { return recorded("wrn:depth=10,widen=1", "tiny_wrn.weights.safetensors"); }

// Iterates are stored as float32, a start between two of them is therefore off by 3e-8 and its gradient by less than 1e-6 of itself.
void check_recorded(const std::string& name, Defended& target, NoiseSource* noise, std::vector<int> from) {
  const Safetensors file(reference_path("chain/" + name + ".safetensors")), inputs(reference_path("chain/chain_inputs.safetensors"));
  const std::vector<double> x0 = tensor(file, "x0"), iterates = tensor(file, "iterates.f64_as_f32"), grads = tensor(file, "grads.f64"),
                            losses = tensor(file, "losses.f64");
  const std::vector<int> labels = integers(tensor(inputs, "label"));
  const size_t size = x0.size();
  const Buffer x = buffer_of({x0.begin(), x0.end()}, 2, 3, 32, 32);
  const NoiseStream stream = native_stream();
  const auto run = [&](const std::vector<double>& start, int steps) {
    PgdCheckpoint c = standing_at(start);
    return pgd(target, x.view(), labels.data(), {kEps, kEps}, pgd_options(steps), stream, 0, {0, 1}, [&](int) { return noise; }, &c);
  };
  double worst = 0;
  for (int k : from) {
    const std::vector<double> at(iterates.begin() + k * size, iterates.begin() + (k + 1) * size), gradient(grads.begin() + k * size, grads.begin() + (k + 1) * size),
        next(iterates.begin() + (k + 1) * size, iterates.begin() + (k + 2) * size);
    const Buffer here = buffer_of({at.begin(), at.end()}, 2, 3, 32, 32), dx(2, 3, 32, 32);
    target.forward(here.view(), noise);
    target.backward(labels.data(), dx.view());
    const double bar = !kDouble ? 5 * kReluGradError : k == 0 ? 1e-9 : 1e-6;
    const Comparison g = compare_l2(values_of(dx).data(), gradient.data(), size, bar);
    EXPECT_TRUE(g) << name << ", gradient " << k << ": " << g.message;
    worst = std::max(worst, g.worst);
    const PgdResult r = run(at, 1);
    EXPECT_NEAR(r.images[0].loss_start + r.images[1].loss_start, losses[k], (k == 0 && kDouble ? 1e-12 : 1e-6) * losses[k]) << k;
    // A sign may turn where the gradient is within rounding of zero; everywhere else the pixels are the same.
    double largest = 0;
    for (double v : gradient) largest = std::max(largest, std::fabs(v));
    const std::vector<real> got = values_of(r.adversarial);
    size_t checked = 0, bad = 0;
    for (size_t i = 0; i < size; ++i) {
      if (std::fabs(gradient[i]) < (kDouble ? 1e-6 : 1e-3) * largest) continue;
      ++checked;
      bad += !(std::fabs(got[i] - next[i]) <= 2e-7);
    }
    EXPECT_GT(checked, size * 9 / 10);
    EXPECT_EQ(bad, 0u) << name << ", step " << k;
  }
  const PgdResult whole = run(tensor(file, "x_start"), 5);
  const Comparison adversarial = compare(values_of(whole.adversarial), tensor(file, kDouble ? "adv.f64" : "adv.f32"), kDouble ? 1e-12 : 2e-7);
  if (kDouble) { EXPECT_TRUE(adversarial) << name << ": " << adversarial.message; }
  else { EXPECT_LE(adversarial.bad, size / 50) << name << ": " << adversarial.message; }  // trajectories may part after one sign
  // Control: one step less is another image.
  EXPECT_FALSE(compare(values_of(whole.adversarial), std::vector<double>(iterates.begin() + 4 * size, iterates.begin() + 5 * size), 1e-4).ok);
  std::printf("%-32s gradient %.1e, adversarial image %.1e\n", name.c_str(), worst, adversarial.worst);
}

}  // namespace

TEST(PgdReference, ClassifierAlone) {
  PURESCOPE_NEEDS_REFERENCE();
  Net classifier = recorded_wrn();
  Defended target(nullptr, classifier, {}, Backward::Full, 2, true);
  check_recorded("pgd5_wrn", target, nullptr, {0, 1, 2, 3, 4});
}

TEST(PgdReference, ThroughThePurifier) {
  PURESCOPE_NEEDS_REFERENCE();
  Net unet = recorded("ddpm-unet:ch=32,mult=1-2,blocks=1,attn=16,size=32", "tiny_ddpm.weights.safetensors"), classifier = recorded_wrn();
  PurifyOptions options;
  options.t = 10;
  Defended target(&unet, classifier, options, Backward::Full, 2, true);
  FileNoise noise(reference_path("chain/chain_inputs.safetensors"));
  check_recorded("pgd5_wrn_purified", target, &noise, {0});
}
