// The networks against recorded runs of the original model code: outputs, input gradients and every parameter gradient
// of the files in the folder PURESCOPE_REFERENCE_DIR (skipped where it is not set; tests/models/golden_test.cpp runs
// everywhere).
#include <gtest/gtest.h>

#include "golden_file.h"

using namespace purescope;

namespace {

void check_tiny(const std::string& name, const std::string& arch, bool relu) {
  PURESCOPE_NEEDS_REFERENCE();
  const Safetensors golden(reference_path("tiny/" + name + ".golden.safetensors"));
  const Model model = make_model(arch);
  Net net(model, Params::load(model, reference_path("tiny/" + name + ".weights.safetensors")));
  net.plan(2, Mode::Training);
  store(tensor(golden, "input.x"), net.input());
  if (model.time >= 0) store(tensor(golden, "input.t"), net.time());
  net.forward();
  const Comparison out = against(net.output(), golden, "out", kOutError);
  EXPECT_TRUE(out) << out.message;
  store(tensor(golden, "cotangent"), net.output_grad());
  net.backward();
  const Comparison dx = against(net.input_grad(), golden, "grad_x", relu ? kReluGradError : kInputGradError);
  EXPECT_TRUE(dx) << dx.message;
  double worst = 0;
  for (size_t p = 0; p < model.params.size(); ++p) {
    const ParamInfo& info = model.params[p];
    if (!info.trainable) continue;
    const std::vector<double> expected = tensor(golden, "grad.f64." + info.key);
    const View got = net.grads().view(static_cast<int>(p));
    ASSERT_EQ(got.size(), expected.size());
    if (norm(expected) < 1e-10) {  // zero in theory: rounding alone
      const Comparison zero = compare(got.data, expected.data(), expected.size(), kDouble ? 1e-11 : 1e-3, 1);
      EXPECT_EQ(zero.bad, 0u) << info.key << ": " << zero.message;
      continue;
    }
    const Comparison r =
        compare_l2(got.data, expected.data(), expected.size(), bar(relu ? kReluGradError : kParamGradError));
    EXPECT_TRUE(r) << info.key << ": " << r.message;
    worst = std::max(worst, r.worst);
  }
  std::printf("%s: output %.2e, input gradient %.2e, worst parameter gradient %.2e\n", name.c_str(), out.worst,
              dx.worst, worst);
}

// Weights, input and cotangent by formula; PyTorch recorded output and input gradient.
void check_full(const std::string& name, const std::string& arch, std::vector<double> t, double shift, double scale,
                bool relu) {
  PURESCOPE_NEEDS_REFERENCE();
  const Safetensors golden(reference_path("full/" + name + ".golden.safetensors"));
  Net net = formula_net(arch);
  net.plan(2, Mode::InputGrad);
  store(direction("input", net.input().size(), shift, scale), net.input());
  if (net.model().time >= 0) store(t, net.time());
  net.forward();
  const Comparison out = against(net.output(), golden, "out", kOutError);
  store(direction("cotangent", net.output().size()), net.output_grad());
  net.backward();
  const Comparison dx = against(net.input_grad(), golden, "grad_x", relu ? kReluGradError : kInputGradError);
  EXPECT_TRUE(out) << out.message;
  EXPECT_TRUE(dx) << dx.message;
  std::printf("%s: output %.2e, input gradient %.2e\n", name.c_str(), out.worst, dx.worst);
}

}  // namespace

TEST(Reference, TinyDdpm) { check_tiny("tiny_ddpm", "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", false); }
TEST(Reference, TinyWrn) { check_tiny("tiny_wrn", "wrn:depth=10,widen=1", true); }
TEST(Reference, FullDdpm) { check_full("ddpm_cifar10", "ddpm-cifar10", {37, 640}, 0, std::sqrt(3.0), false); }
TEST(Reference, FullWrn) { check_full("wrn_28_10", "wrn-28-10", {}, 0.5, 0.5, true); }
