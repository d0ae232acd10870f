// The networks against PyTorch's original model code: outputs, input gradients and every parameter gradient of the reference files
// in the folder PURESCOPE_REFERENCE_DIR (skipped where it is not set; tests/models/golden_test.cpp runs everywhere).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "core/check.h"
#include "io/safetensors.h"
#include "models/zoo.h"
#include "net/net.h"

using namespace purescope;

namespace {

constexpr bool kDouble = sizeof(real) == 8;

std::string reference(const std::string& name) {
  const char* dir = std::getenv("PURESCOPE_REFERENCE_DIR");
  return dir ? std::string(dir) + "/" + name : "";
}

std::vector<double> read(const Safetensors& file, const std::string& name) {
  const TensorInfo* info = file.find(name);
  PURESCOPE_REQUIRE(info);
  std::vector<double> values(info->count());
  file.read(*info, values.data());
  return values;
}

// ||a - b|| / ||b||; NaN anywhere gives NaN.
double relative_l2(View a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a.data[i] - b[i]) * (a.data[i] - b[i]);
    norm += b[i] * b[i];
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

double absolute(View a, const std::vector<double>& b) {
  double worst = 0;
  for (size_t i = 0; i < b.size(); ++i) worst = std::max(worst, std::abs(a.data[i] - b[i]));
  return worst;
}

void load(View v, const std::vector<double>& values) {
  PURESCOPE_REQUIRE(v.size() == values.size());
  for (size_t i = 0; i < values.size(); ++i) v.data[i] = static_cast<real>(values[i]);
}

// bars: output, input gradient, parameter gradient (float: 5 times what PyTorch's own float32 shows against float64).
void check_tiny(const std::string& name, const std::string& arch, double out_bar, double dx_bar, double dparam_bar) {
  if (reference("").empty()) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set";
  Safetensors golden(reference("tiny/" + name + ".golden.safetensors"));
  Model model = make_model(arch);
  Net net(model, Params::load(model, reference("tiny/" + name + ".weights.safetensors")));
  net.plan(2, Mode::Training);
  load(net.input(), read(golden, "input.x"));
  if (model.time >= 0) load(net.time(), read(golden, "input.t"));
  net.forward();
  const double out = relative_l2(net.output(), read(golden, "out.f64"));
  EXPECT_TRUE(out <= out_bar) << out;
  load(net.output_grad(), read(golden, "cotangent"));
  net.backward();
  const double dx = relative_l2(net.input_grad(), read(golden, "grad_x.f64"));
  EXPECT_TRUE(dx <= dx_bar) << dx;
  double worst = 0;
  for (size_t p = 0; p < model.params.size(); ++p) {
    if (!model.params[p].trainable) continue;
    const std::vector<double> expected = read(golden, "grad.f64." + model.params[p].key);
    double norm = 0;
    for (double v : expected) norm += v * v;
    const View got = net.grads().view(static_cast<int>(p));
    if (norm < 1e-20) { EXPECT_TRUE(absolute(got, expected) <= (kDouble ? 1e-11 : 1e-3)) << model.params[p].key; continue; }
    const double error = relative_l2(got, expected);
    EXPECT_TRUE(error <= dparam_bar) << model.params[p].key << " " << error;
    worst = std::max(worst, error);
  }
  printf("%s: output %.2e, input gradient %.2e, worst parameter gradient %.2e\n", name.c_str(), out, dx, worst);
}

void check_full(const std::string& name, const std::string& arch, double t0, double t1, double input_shift, double input_scale, double out_bar, double dx_bar) {
  if (reference("").empty()) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set";
  Safetensors golden(reference("full/" + name + ".golden.safetensors"));
  Model model = make_model(arch);
  auto params = std::make_shared<Params>(model);
  fill_by_formula(*params, model);
  Net net(model, params);
  net.plan(2, Mode::InputGrad);
  for (size_t i = 0; i < net.input().size(); ++i) net.input().data[i] = formula_value("input", i, input_shift, input_scale);
  if (model.time >= 0) { net.time().data[0] = static_cast<real>(t0); net.time().data[1] = static_cast<real>(t1); }
  net.forward();
  const double out = relative_l2(net.output(), read(golden, "out.f64"));
  for (size_t i = 0; i < net.output().size(); ++i) net.output_grad().data[i] = formula_value("cotangent", i, 0, 1);
  net.backward();
  const double dx = relative_l2(net.input_grad(), read(golden, "grad_x.f64"));
  EXPECT_TRUE(out <= out_bar) << out;
  EXPECT_TRUE(dx <= dx_bar) << dx;
  printf("%s: output %.2e, input gradient %.2e\n", name.c_str(), out, dx);
}

}  // namespace

TEST(Reference, ParameterCounts) {
  EXPECT_EQ(make_model("ddpm-cifar10").parameter_count(), 35746307);
  EXPECT_EQ(make_model("wrn-28-10").parameter_count(), 36479194);
  EXPECT_EQ(make_model("cifar-resnet-20").parameter_count(), 269722);
  EXPECT_EQ(make_model("ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16").parameter_count(), 702499);
  EXPECT_EQ(make_model("wrn:depth=10,widen=1").parameter_count(), 77850);
}
TEST(Reference, TinyDdpm) {
  check_tiny("tiny_ddpm", "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", kDouble ? 1e-9 : 5e-6, kDouble ? 1e-9 : 1e-5, kDouble ? 1e-9 : 3e-5);
}
TEST(Reference, TinyWrn) { check_tiny("tiny_wrn", "wrn:depth=10,widen=1", kDouble ? 1e-9 : 5e-6, kDouble ? 1e-9 : 7e-4, kDouble ? 1e-9 : 7e-4); }
TEST(Reference, FullDdpm) { check_full("ddpm_cifar10", "ddpm-cifar10", 37, 640, 0, std::sqrt(3.0), kDouble ? 1e-9 : 8e-6, kDouble ? 1e-9 : 1e-5); }
TEST(Reference, FullWrn) { check_full("wrn_28_10", "wrn-28-10", 0, 0, 0.5, 0.5, kDouble ? 1e-9 : 5e-6, kDouble ? 1e-9 : 7e-4); }
