// Chains and single steps against PyTorch: purified images, logits, loss and the gradient through everything,
// tests/golden and, where PURESCOPE_REFERENCE_DIR is set, recorded runs of the original code.
#include <gtest/gtest.h>

#include "diffusion/chain.h"
#include "io/scratch_folder.h"

using namespace purescope;

namespace {

PurifyOptions make(const std::string& sampler, int t = 10, int steps = 0) {
  PurifyOptions o;
  o.t = t;
  o.steps_reverse = steps;
  parse_sampler(sampler, o);
  return o;
}
template <typename Change>
PurifyOptions make(const std::string& sampler, Change change) { PurifyOptions o = make(sampler); change(o); return o; }

struct Case { std::string name; PurifyOptions options; };
std::vector<Case> cases() {
  auto strided = [](PurifyOptions o, Clip clip) { o.t = 100; o.steps_reverse = 10; o.clip = clip; return o; };
  return {
      {"ddpm_clip_fixedlarge", make("ddpm")},
      {"ddpm_clip_fixedsmall", make("ddpm", [](auto& o) { o.variance = Variance::FixedSmall; })},
      {"ddpm_noclip_x0_form", make("ddpm", [](auto& o) { o.clip = Clip::None; })},
      {"ddpm_noclip_eps_form", make("ddpm", [](auto& o) { o.clip = Clip::None; })},
      {"ddpm_straight_through", make("ddpm", [](auto& o) { o.clip = Clip::StraightThrough; })},
      {"ddpm_multi_step_forward", make("ddpm", [](auto& o) { o.forward = ForwardKind::Steps; })},
      {"ddpm_respaced_10_of_100", strided(make("ddpm"), Clip::X0)},
      {"ddpm_respaced_10_of_100_noclip", strided(make("ddpm"), Clip::None)},
      {"reverse_only", make("reverse")},
      {"reverse_only_scaled", make("reverse", [](auto& o) { o.scale = InputScale::SqrtAbar; })},
      {"ddim_clip", make("ddim", [](auto& o) { o.clip = Clip::X0; })},
      {"ddim_straight_through", make("ddim", [](auto& o) { o.clip = Clip::StraightThrough; })},
      {"ddim_noclip", make("ddim")},
      {"ddim_strided_clip", strided(make("ddim"), Clip::X0)},
      {"ddim_strided_noclip", strided(make("ddim"), Clip::None)},
      {"eta1_noclip", make("eta:1")},
      {"eta1_strided_noclip", strided(make("eta:1"), Clip::None)},
  };
}

// The noise file of a case: the common one, with tensors of the case file instead of those of the same name.
std::string noise_file(const std::string& inputs, const Safetensors& golden, const ScratchFolder& folder) {
  if (!golden.find("noise.forward")) return inputs;
  const Safetensors common(inputs);
  const TensorInfo *forward = golden.find("noise.forward"), *reverse = common.find("noise.reverse");
  const std::string path = folder / "noise.safetensors";
  write_safetensors(path, {{"noise.forward", forward->dtype, forward->shape, golden.data(*forward)},
                           {"noise.reverse", reverse->dtype, reverse->shape, common.data(*reverse)}}, {});
  return path;
}

struct Errors { double purified, logits, loss, gradient; };

// One chain on the inputs of `inputs_path` against the file `golden_path`.
Errors check_chain(const std::string& name, Net& unet, Net& classifier, const PurifyOptions& options,
                   const std::string& inputs_path, const std::string& golden_file) {
  const ScratchFolder folder;
  const Safetensors inputs(inputs_path), golden(golden_file);
  Chain chain(unet, classifier, options, 2);
  FileNoise noise(noise_file(inputs_path, golden, folder));
  const std::vector<double> x = tensor(inputs, "x");
  const double loss = chain.forward({x.begin(), x.end()}, integers(tensor(inputs, "label")), noise);
  std::vector<real> dx = chain.backward();
  const View like = unet.input(), rows = classifier.output();
  const Comparison purified = against(shaped(chain.purified, like), golden, "purified", kOutError);
  EXPECT_TRUE(purified) << name << ", " << purified.message;
  const Comparison logits = against(shaped(chain.logits, rows), golden, "logits", kOutError);
  EXPECT_TRUE(logits) << name << ", " << logits.message;
  const double expected = tensor(golden, "loss.f64")[0], loss_error = std::abs(loss - expected) / expected;
  EXPECT_TRUE(loss_error <= bar(kOutError)) << name << ", loss " << loss << ", expected " << expected;
  // Float: the classifier behind the purifier has ReLUs, and the purifier clips.
  const Comparison gradient = against(shaped(dx, like), golden, "grad_x", kReluGradError);
  EXPECT_TRUE(gradient) << name << ", " << gradient.message;
  if (golden.find("trajectory.f64")) {
    const std::vector<double> trajectory = tensor(golden, "trajectory.f64");
    for (int m = 0; m <= chain.purifier().trail().steps(); ++m) {
      const View state = chain.purifier().trail().x(m);
      const Comparison r = compare_l2(state.data, trajectory.data() + m * state.size(), state.size(), bar(kOutError));
      EXPECT_TRUE(r) << name << ", before step " << m << ": " << r.message;
    }
  }
  return {purified.worst, logits.worst, loss_error, gradient.worst};
}

// Single steps: every image at its own index, through the network.
ReverseStep step_at(PurifyOptions options, int label) {
  options.t = 501;
  for (const ReverseStep& s : reverse_steps(options)) if (s.label == label) return s;
  fail(kInternal, "no such step", "test", "look at reverse_steps");
}

void check_step(const std::string& name, Net& unet, const PurifyOptions& options, const Safetensors& golden) {
  unet.plan(2, Mode::InputGrad);
  const View like = unet.input();
  auto load = [&](const std::string& key) {
    const auto v = tensor(golden, key);
    return std::vector<real>(v.begin(), v.end());
  };
  std::vector<real> x = load("x_t"), z = load("noise"), dy = load("cotangent"), y(x.size()), direct(x.size());
  const std::vector<double> t = tensor(golden, "t");
  store(x, unet.input());
  store(t, unet.time());
  unet.forward();
  if (golden.find("eps.f64")) {
    const Comparison r = against(unet.output(), golden, "eps", kOutError);
    EXPECT_TRUE(r) << name << ", " << r.message;
  }
  const View X = shaped(x, like), Z = shaped(z, like), D = shaped(dy, like), Y = shaped(y, like),
             direct_view = shaped(direct, like);
  std::vector<real> eps_values = values_of(unet.output());
  for (int n = 0; n < 2; ++n) {
    const ReverseStep s = step_at(options, static_cast<int>(t[n]));
    EXPECT_EQ(s.label, t[n]);
    reverse_step_forward(s, X.images(n, 1), unet.output().images(n, 1), s.s != 0 ? Z.images(n, 1) : View{},
                         Y.images(n, 1));
    reverse_step_backward(s, X.images(n, 1), shaped(eps_values, like).images(n, 1), D.images(n, 1),
                          direct_view.images(n, 1), unet.output_grad().images(n, 1));
  }
  const Comparison sample = against(Y, golden, "sample", kOutError);
  EXPECT_TRUE(sample) << name << ", " << sample.message;
  if (golden.find("grad_eps.f64")) {
    Comparison r = against(direct_view, golden, "grad_x_t_given_eps", kInputGradError);
    EXPECT_TRUE(r) << name << ", " << r.message;
    r = against(unet.output_grad(), golden, "grad_eps", kInputGradError);
    EXPECT_TRUE(r) << name << ", " << r.message;
  }
  unet.backward();
  add_forward(direct_view, unet.input_grad(), direct_view);
  const Comparison gradient = against(direct_view, golden, "grad_x_t", kInputGradError);
  EXPECT_TRUE(gradient) << name << ", " << gradient.message;
  std::printf("%-32s sample %.1e, gradient %.1e\n", name.c_str(), sample.worst, gradient.worst);
}

void print(const std::string& name, const Errors& e) {
  std::printf("%-32s purified %.1e, logits %.1e, loss %.1e, gradient %.1e\n", name.c_str(), e.purified, e.logits,
              e.loss, e.gradient);
}

const std::string kInputs = golden_path("chain_inputs");

}  // namespace

TEST(ChainGolden, EveryCase) {
  Net unet = formula_net(kSmallUnet), classifier = formula_net(kSmallWrn);
  for (const Case& c : cases())
    print(c.name, check_chain(c.name, unet, classifier, c.options, kInputs, golden_path("chain_" + c.name)));
}

// Negative control: each of these differs from the case by one option, and by at least a hundred bars.
TEST(ChainGolden, OtherOptionsDisagree) {
  Net unet = formula_net(kSmallUnet), classifier = formula_net(kSmallWrn);
  const Safetensors inputs(kInputs), golden(golden_path("chain_ddpm_clip_fixedlarge"));
  const std::vector<double> x = tensor(inputs, "x");
  auto disagreement = [&](const PurifyOptions& o) {
    Chain chain(unet, classifier, o, 2);
    FileNoise noise(kInputs);
    chain.forward({x.begin(), x.end()}, integers(tensor(inputs, "label")), noise);
    std::vector<real> dx = chain.backward();
    const Comparison purified = against(shaped(chain.purified, unet.input()), golden, "purified", kOutError),
                     gradient = against(shaped(dx, unet.input()), golden, "grad_x", kReluGradError);
    return std::pair(purified.worst / bar(kOutError), gradient.worst / bar(kReluGradError));
  };
  const auto [same, same_gradient] = disagreement(make("ddpm"));
  EXPECT_LE(same, 1);
  EXPECT_LE(same_gradient, 1);
  for (const Case& c : cases()) {
    if (c.name == "ddpm_clip_fixedlarge" || c.name == "ddpm_multi_step_forward") continue;
    const auto [value, gradient] = disagreement(c.options);
    if (c.name == "ddpm_straight_through") { EXPECT_LE(value, 1); EXPECT_GT(gradient, 10); }
    else { EXPECT_GT(value, 100) << c.name; EXPECT_GT(gradient, 1) << c.name; }
  }
}

TEST(StepGolden, EveryCase) {
  Net unet = formula_net(kSmallUnet);
  const std::vector<Case> steps = {
      {"ddpm_clip_fixedlarge", make("ddpm")},
      {"ddpm_clip_fixedsmall", make("ddpm", [](auto& o) { o.variance = Variance::FixedSmall; })},
      {"ddpm_straight_through", make("ddpm", [](auto& o) { o.clip = Clip::StraightThrough; })},
      {"ddpm_noclip_eps_form", make("ddpm", [](auto& o) { o.clip = Clip::None; })},
      {"ddim_clip", make("ddim", [](auto& o) { o.clip = Clip::X0; })},
      {"eta1_noclip", make("eta:1")},
  };
  for (const Case& c : steps) check_step(c.name, unet, c.options, Safetensors(golden_path("step_" + c.name)));
}

TEST(ChainReference, RecordedRunsOfTheOriginals) {
  PURESCOPE_NEEDS_REFERENCE();
  const Model unet_model = make_model("ddpm-unet:ch=32,mult=1-2,blocks=1,attn=16,size=32"),
              wrn = make_model("wrn:depth=10,widen=1");
  Net unet(unet_model, Params::load(unet_model, reference_path("tiny/tiny_ddpm.weights.safetensors")));
  Net classifier(wrn, Params::load(wrn, reference_path("tiny/tiny_wrn.weights.safetensors")));
  const std::vector<Case> runs = {
      {"ddpm_clip_fixedlarge", make("ddpm")},
      {"ddpm_clip_fixedsmall", make("ddpm", [](auto& o) { o.variance = Variance::FixedSmall; })},
      {"ddpm_epsform_noclip_fixedlarge", make("ddpm", [](auto& o) { o.clip = Clip::None; })},
      {"ddpm_eta1_noclip", make("eta:1")},
      {"ddim_clip_10", make("ddim", [](auto& o) { o.clip = Clip::X0; })},
      {"ddim_noclip_10", make("ddim")},
      {"reverse_only_ddpm_clip_fixedlarge", make("reverse")},
  };
  for (const Case& c : runs)
    print(c.name, check_chain(c.name, unet, classifier, c.options, reference_path("chain/chain_inputs.safetensors"),
                              reference_path("chain/" + c.name + ".safetensors")));
}

TEST(ChainReference, RecordedStep) {
  PURESCOPE_NEEDS_REFERENCE();
  const Model model = make_model(kSmallUnet);
  Net unet(model, Params::load(model, reference_path("tiny/tiny_ddpm.weights.safetensors")));
  check_step("step_ddpm_fixedlarge_clip", unet, make("ddpm"),
             Safetensors(reference_path("chain/step_ddpm_fixedlarge_clip.safetensors")));
}
