// A whole attack and its measures on the CPU and on the emulated device: in double the same verdicts, losses to 1e-6. The emulated device
// ends the program at any access of the host to its memory, so that this also shows where the images are.
#include <gtest/gtest.h>

#include "analysis/robustness.h"
#include "attack/targets.h"
#include "cuda/emulator/launch.h"
#include "on_device.h"
#include "ops/ops.h"
#include "train/optimizer.h"

using namespace purescope;

namespace {

struct Outcome {
  std::vector<AttackRecord> records;
  std::vector<MinimumPerturbation> minima;
};

Outcome attack_on(Device device, Norm norm, bool best) {
  const OnDevice on(device);
  Net unet = formula_net(kTinyUnet), base = formula_net(kTinyWrn), behind = formula_net(kTinyWrn);
  RobustnessOptions o;
  o.pgd.steps = 2;
  o.pgd.norm = norm;
  o.pgd.restarts = best ? 2 : 1;
  o.pgd.best_iterate = best;
  o.t = {2};
  o.draws = 2;
  o.clamp_cr = best;
  o.eps = {norm == Norm::L2 ? 0.5 : 0.05};
  // Drawn on the host for both: the normal values of the other streams differ in the last digits between devices.
  const NoiseStream stream({NoiseRng::TorchCpu, {}, false});
  Robustness robustness(&unet, base, behind, o, stream, 2, 0);
  const Buffer x = pictures("devices", 2, 8);
  const std::vector<int64_t> ids = {5, 8};
  Outcome result;
  result.records = robustness.attack({o.t[0], 3, o.eps[0], best ? Rand::Free : Rand::Fixed}, x.view(), {1, 4}, ids, nullptr, {});
  if (best) result.minima = robustness.minima(0.25, 1, x.view(), {1, 4}, ids);
  return result;
}

void check(Norm norm, bool best) {
  const Outcome cpu = attack_on(Device::Cpu, norm, best), emulated = attack_on(Device::Emulated, norm, best);
  bool differs = false;
  for (size_t n = 0; n < cpu.records.size(); ++n) {
    const AttackRecord &a = emulated.records[n], &b = cpu.records[n];
    EXPECT_EQ(a.status, "ok");
    EXPECT_EQ(a.pred_clean, b.pred_clean);
    EXPECT_EQ(a.pred_anchor, b.pred_anchor);
    EXPECT_EQ(a.pred_adv, b.pred_adv);
    EXPECT_EQ(a.robust, b.robust);
    EXPECT_EQ(a.grad_zero, b.grad_zero);
    EXPECT_NEAR(a.loss_start, b.loss_start, 1e-6 * b.loss_start);
    EXPECT_NEAR(a.loss_end, b.loss_end, 1e-6 * b.loss_end);
    EXPECT_NEAR(a.cr, b.cr, 1e-6 * b.cr);
    EXPECT_NEAR(a.cr_adv, b.cr_adv, 1e-6 * b.cr_adv);
    EXPECT_NEAR(a.l2, b.l2, 1e-6 * b.l2);
    EXPECT_NEAR(a.linf, b.linf, 1e-6 * b.linf);
    EXPECT_NEAR(a.l2_anchor, b.l2_anchor, 1e-6 * b.l2_anchor);
    differs = differs || a.loss_end != b.loss_end || a.cr != b.cr;
  }
  EXPECT_TRUE(differs) << "the CPU was compared with itself";
  ASSERT_EQ(emulated.minima.size(), cpu.minima.size());
  for (size_t n = 0; n < cpu.minima.size(); ++n) {
    EXPECT_EQ(emulated.minima[n].budget, cpu.minima[n].budget);
    EXPECT_EQ(emulated.minima[n].probes.size(), cpu.minima[n].probes.size());
  }
}

}  // namespace

TEST(Devices, AttackInLinf) {
  PURESCOPE_NEEDS_DOUBLE();
  check(Norm::Linf, false);
}

TEST(Devices, AttackInL2WithRestartsAndBestIterate) {
  PURESCOPE_NEEDS_DOUBLE();
  check(Norm::L2, true);
}

// Noise that the device draws itself: the same numbers within rounding, and the same entries in the ledger.
TEST(Devices, NoiseIsTheSameWithinRounding) {
  for (NoiseRng rng : {NoiseRng::TorchCuda, NoiseRng::Native, NoiseRng::TorchCpu}) {
    NoiseLedger ledger;
    const NoiseStream stream({rng, {}, false}, &ledger);
    KeyedNoise noise(stream, 7, {3, 90}, 2);
    std::vector<real> values[2];
    for (Device device : {Device::Cpu, Device::Emulated}) {
      const size_t before = ledger.lines().size();
      const Buffer z(2, 3, 8, 8, device);
      noise.reverse(0, 17, z.view());
      values[device == Device::Emulated] = values_of(z);
      EXPECT_EQ(ledger.lines().size(), before + 2);
    }
    const Comparison same = compare(values[1], values[0], 5e-6, 1);   // the bar of noise_fill
    EXPECT_TRUE(same) << same.message;
  }
}

// Random starts and the perturbations of the compression rate are drawn where the images are: l-inf starts and perturbations, uniform
// draws, are the same bits, l2 starts within the bar of normal draws; so are the entries in the ledger.
TEST(Devices, StartsAndPerturbationsAreDrawnThere) {
  for (NoiseRng rng : {NoiseRng::TorchCuda, NoiseRng::Native, NoiseRng::TorchCpu}) {
    std::vector<real> linf[2], l2[2], eta[2];
    std::vector<std::string> lines[2];
    for (Device device : {Device::Cpu, Device::Emulated}) {
      const OnDevice on(device);
      const int k = device == Device::Emulated;
      NoiseLedger ledger;
      const NoiseStream stream({rng, {}, false}, &ledger);
      const Buffer x0 = pictures("starts", 3, 8), x(3, 3, 8, 8);
      const size_t kernels = emulator::counts().kernels;
      random_points(Norm::Linf, x0.view(), {0.1, 0.2, 0.3}, stream, 5, {4, 9, 2}, 1, x.view());
      linf[k] = values_of(x);
      random_points(Norm::L2, x0.view(), {1, 2, 3}, stream, 5, {4, 9, 2}, 1, x.view());
      l2[k] = values_of(x);
      fill_draws(stream, Purpose::CrUniform, [](int n) { return NoiseKey{5, n, 7, Phase::Forward, 0}; }, x.view());
      signed_uniform_forward(0.1, x.view(), x.view());
      eta[k] = values_of(x);
      lines[k] = ledger.lines();
      // Three draws, two starts, one perturbation; torch-cpu draws on the host.
      const size_t drawn_there = rng == NoiseRng::TorchCpu ? 0 : 3;
      EXPECT_EQ(emulator::counts().kernels - kernels, k ? 3 + drawn_there : 0);
    }
    EXPECT_TRUE(compare_bits(linf[1], linf[0]).ok);
    EXPECT_TRUE(compare_bits(eta[1], eta[0]).ok);
    const Comparison same = compare(l2[1], l2[0], 1e-5, 1);
    EXPECT_TRUE(same) << same.message;
    EXPECT_EQ(lines[1], lines[0]);
    EXPECT_EQ(lines[0].size(), 9u);
    EXPECT_FALSE(compare_bits(linf[1], l2[1]).ok);  // negative control
  }
}

// One step of Adam and of the average, on both devices.
TEST(Devices, OptimizerStep) {
  const Model model = make_model("cifar-resnet:depth=8,size=8,classes=4,width=4", true);
  std::vector<std::vector<real>> after[2];
  double norms[2];
  for (Device device : {Device::Cpu, Device::Emulated}) {
    const OnDevice on(device);
    Params p(model), g(model), m(model), v(model), average(model);
    initialise(model, 3, p);
    for (int i = 0; i < g.count(); ++i) store(direction(model.params[i].key, g.view(i).size()), g.view(i));
    norms[device == Device::Emulated] = adam_step({.weight_decay = 0.1}, model, 1, 0.01, g, m, v, p);
    ema_step(0.5, model, p, average);
    for (const Params* params : {&p, &average, &m, &v})
      for (int i = 0; i < params->count(); ++i) after[device == Device::Emulated].push_back(values_of(params->view(i)));
  }
  EXPECT_GT(norms[0], 1);
  EXPECT_NEAR(norms[1], norms[0], 1e-12 * norms[0]);
  for (size_t i = 0; i < after[0].size(); ++i) {
    const Comparison same = compare(after[1][i], after[0][i], kDouble ? 1e-13 : 1e-5, 1);
    EXPECT_TRUE(same || same.bad == 0) << i << ": " << same.message;
  }
}
