// The networks against PyTorch: outputs, input gradients and every parameter gradient of tests/golden (weights by
// formula).
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <sstream>

#include "golden_file.h"

using namespace purescope;

namespace {

struct Case { const char *name, *arch; bool relu; };
const Case kSmall[] = {
    {"ddpm_small", "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", false},
    {"ddpm_small_3_levels", "ddpm-unet:ch=32,mult=1-2-2,blocks=2,attn=8-4,size=16", false},
    {"ddpm_small_16_groups", "ddpm-unet:ch=48,mult=1-2,blocks=1,attn=8,size=16,groups=16", false},
    {"wrn_small", "wrn:depth=10,widen=1", true},
    {"cifar_resnet_20", "cifar-resnet-20", true},
    {"adm_small", "adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown", false},
    {"adm_small_plain", "adm:ch=16,mult=1-2,blocks=1,attn=1-2,head=8,size=8,groups=8", false},
    {"ddpmpp_small", "ddpmpp:nf=16,mult=1-2,blocks=2,attn=8,size=16", false},
    {"resnet_small", "resnet:stem=16,planes=8-16-24-32,layers=2-1-1-1,classes=10,size=33", true},
};

// A ResNet for 17 x 17 images: the architecture strings stop at multiples of 4, the steps do not. Sizes 20, 10, 5
// become 17, 9, 5.
Model odd_resnet() {
  Model model = make_model("cifar-resnet:depth=8,size=20");
  for (ValueInfo& v : model.values) {
    if (v.h == 20) v.h = v.w = 17;
    if (v.h == 10) v.h = v.w = 9;
  }
  return model;
}

std::set<std::string> zero_keys(const Safetensors& golden) {
  std::istringstream words(golden.metadata().at("zero_gradients"));
  std::set<std::string> keys;
  for (std::string key; words >> key;) keys.insert(key);
  return keys;
}

// sum, sum of magnitudes, sum of squares, sum of g_i v("probe." + key, i).
std::vector<double> summary(const std::string& key, const std::vector<real>& g) {
  std::vector<double> s(4, 0);
  for (size_t i = 0; i < g.size(); ++i) {
    const double v = g[i];
    s[0] += v;
    s[1] += std::abs(v);
    s[2] += v * v;
    s[3] += v * formula_value("probe." + key, i, 0, 1);
  }
  return s;
}

// Head values and sums, each relative to the size of the whole gradient. Returns the worst error.
double check_param_gradient(const Safetensors& golden, const std::string& key, const std::vector<real>& g) {
  const double tolerance =
      bar(kParamGradError) * (kDouble ? 1 : 3);  // float: single elements scatter around the l2 error
  const std::vector<double> head = tensor(golden, "grad_head.f64." + key),
                            sums = tensor(golden, "grad_summary.f64." + key);
  const double rms = std::sqrt(sums[2] / g.size());
  double largest = rms;
  for (double v : head) largest = std::max(largest, std::abs(v));
  const Comparison first = compare(g.data(), head.data(), head.size(), tolerance, largest);
  // A filter behind a ReLU that never opens has a gradient of zeros: then the head must be zeros, and the sums count.
  EXPECT_TRUE(first || (norm(head) == 0 && first.bad == 0)) << key << ": " << first.message;
  std::vector<double> got = summary(key, g), expected = sums;
  // Sums cancel: their error is a share of the sum of magnitudes.
  const double scale[4] = {sums[1], sums[1], sums[2], sums[1]};
  for (int i = 0; i < 4; ++i) { got[i] /= scale[i]; expected[i] /= scale[i]; }
  const Comparison total = compare(got, expected, tolerance, 1);
  EXPECT_TRUE(total) << key << ": " << total.message;
  return std::max(first.worst, total.worst);
}

void check_small(const std::string& name, const Model& model, bool relu) {
  const Safetensors golden(golden_path(name));
  Net net = formula_net(model);
  net.plan(static_cast<int>(golden.find("input.x")->shape[0]), Mode::Training);
  store(tensor(golden, "input.x"), net.input());
  if (model.time >= 0) store(tensor(golden, "input.t"), net.time());
  net.forward();
  const Comparison out = against(net.output(), golden, "out", kOutError);
  EXPECT_TRUE(out) << out.message;
  store(tensor(golden, "cotangent"), net.output_grad());
  net.backward();
  const Comparison dx = against(net.input_grad(), golden, "grad_x", relu ? kReluGradError : kInputGradError);
  EXPECT_TRUE(dx) << dx.message;

  const std::set<std::string> zero = zero_keys(golden);
  double worst = 0, worst_zero = 0, largest = 0;
  size_t compared = 0, zeros = 0;
  for (size_t p = 0; p < model.params.size(); ++p) {
    const ParamInfo& info = model.params[p];
    if (!info.trainable) continue;
    const std::vector<real> g = values_of(net.grads().view(static_cast<int>(p)));
    for (real v : g) {
      largest = std::max<double>(largest, std::abs(v));
      if (zero.count(info.key) && !(std::abs(v) <= worst_zero)) worst_zero = std::abs(v);
    }
    if (zero.count(info.key)) ++zeros;
    else { worst = std::max(worst, check_param_gradient(golden, info.key, g)); ++compared; }
  }
  EXPECT_EQ(zeros, zero.size());
  EXPECT_GT(compared, 10u);
  // Zero in theory: rounding of sums whose terms are of the size of the other gradients.
  EXPECT_TRUE(worst_zero <= (kDouble ? 1e-13 : 1e-5) * largest) << worst_zero << " where gradients reach " << largest;
  std::printf(
      "%s: output %.2e, input gradient %.2e, worst of %zu parameter gradients %.2e, %zu zero ones %.1e of %.1e\n",
      name.c_str(), out.worst, dx.worst, compared, worst, zeros, worst_zero, largest);
}

// Full size: output and input gradient.
void check_full(const std::string& name, const std::string& arch, bool relu) {
  const Safetensors golden(golden_path(name));
  Net net = formula_net(arch);
  net.plan(2, Mode::InputGrad);
  store(tensor(golden, "input.x"), net.input());
  if (net.model().time >= 0) store(tensor(golden, "input.t"), net.time());
  net.forward();
  const Comparison out = against(net.output(), golden, "out", kOutError);
  EXPECT_TRUE(out) << out.message;
  store(tensor(golden, "cotangent"), net.output_grad());
  net.backward();
  const Comparison dx = against(net.input_grad(), golden, "grad_x", relu ? kReluGradError : kInputGradError);
  EXPECT_TRUE(dx) << dx.message;
  std::printf("%s: output %.2e, input gradient %.2e\n", name.c_str(), out.worst, dx.worst);
}

// Full size and 150,528 pixels: all logits, every 16th value of the input gradient and its sums. Input and cotangent by the formula.
void check_resnet50() {
  const Safetensors golden(golden_path("resnet50"));
  Net net = formula_net("resnet50");
  net.set_lean(true);
  net.plan(1, Mode::InputGrad);
  store(direction("input", net.input().size(), 0.5, 0.5), net.input());
  net.forward();
  const Comparison out = against(net.output(), golden, "out", kOutError);
  EXPECT_TRUE(out) << out.message;
  store(direction("cotangent", net.output_grad().size()), net.output_grad());
  net.backward();
  const std::vector<real> dx = values_of(net.input_grad());
  const std::vector<double> expected = tensor(golden, "grad_x_sampled.f64"), sums = tensor(golden, "grad_x_summary.f64");
  std::vector<real> sampled;
  for (size_t i = 0; i < dx.size(); i += 16) sampled.push_back(dx[i]);
  const Comparison values = compare_l2(sampled.data(), expected.data(), expected.size(), bar(kReluGradError));
  EXPECT_TRUE(values) << values.message;
  const std::vector<double> got = summary("input", dx);
  for (int i = 0; i < 4; ++i)   // sums cancel: their error is a share of the sum of magnitudes, or of squares
    EXPECT_NEAR(got[i], sums[i], 10 * bar(kReluGradError) * (i == 2 ? sums[2] : sums[1])) << "sum " << i;
  std::printf("resnet50: output %.2e, input gradient %.2e\n", out.worst, values.worst);
}

}  // namespace

class SmallNetwork : public testing::TestWithParam<Case> {};
TEST_P(SmallNetwork, AgreesWithPyTorch) { check_small(GetParam().name, make_model(GetParam().arch), GetParam().relu); }
INSTANTIATE_TEST_SUITE_P(Golden, SmallNetwork, testing::ValuesIn(kSmall),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Golden, OddImages) { check_small("cifar_resnet_8_odd", odd_resnet(), true); }
TEST(Golden, DdpmCifar10) { check_full("ddpm_cifar10", "ddpm-cifar10", false); }
TEST(Golden, Wrn28x10) { check_full("wrn_28_10", "wrn-28-10", true); }
TEST(Golden, Resnet50) { check_resnet50(); }

// Negative controls: what a wrong network or a wrong golden value looks like to the comparisons above.
TEST(Golden, WrongValuesAreSeen) {
  const Safetensors golden(golden_path("ddpm_small"));
  Net net = formula_net(kSmall[0].arch);
  net.plan(2, Mode::Training);
  int later = 0;
  auto output = [&] {
    store(tensor(golden, "input.x"), net.input());
    store(tensor(golden, "input.t"), net.time());
    set_value(net.time(), 1, value_at(net.time(), 1) + later);
    net.forward();
    return against(net.output(), golden, "out", kOutError);
  };
  EXPECT_TRUE(output());
  const double share = kDouble ? 1e-6 : 1e-2;
  set_value(net.output(), 100, value_at(net.output(), 100) * (1 + 100 * share));
  EXPECT_FALSE(against(net.output(), golden, "out", kOutError)) << "a changed value";
  set_value(net.output(), 100, std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(against(net.output(), golden, "out", kOutError)) << "NaN";
  for (View part : {net.params().view(0), net.params().view(net.params().count() / 2)}) {
    const real kept = value_at(part, 1);
    set_value(part, 1, kept + share);
    EXPECT_FALSE(output()) << "a changed weight";
    set_value(part, 1, kept);
  }
  EXPECT_TRUE(output());
  later = 1;
  EXPECT_FALSE(output()) << "another time";
}

TEST(Golden, WrongParameterGradientsAreSeen) {
  const Safetensors golden(golden_path("wrn_small"));
  Net net = formula_net("wrn:depth=10,widen=1");
  net.plan(2, Mode::Training);
  store(tensor(golden, "input.x"), net.input());
  net.forward();
  store(tensor(golden, "cotangent"), net.output_grad());
  net.backward();
  const Model& model = net.model();
  int index = 0;
  while (model.params[index].key != "block2.layer.0.conv2.weight") ++index;
  std::vector<real> g = values_of(net.grads().view(index));
  const std::vector<double> before = summary(model.params[index].key, g);
  // Values behind the head in another order: the sums stay, the probe does not.
  std::rotate(g.begin() + 16, g.begin() + 17, g.end());
  const std::vector<double> after = summary(model.params[index].key, g),
                            expected = tensor(golden, "grad_summary.f64." + model.params[index].key);
  EXPECT_NEAR(before[0], after[0], 1e-12 * expected[1]);
  EXPECT_GT(std::abs(after[3] - expected[3]), 10 * bar(kParamGradError) * expected[1]);
}
