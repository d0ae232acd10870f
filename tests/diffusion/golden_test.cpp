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
  const std::vector<double> x = tensor(golden.find("x") ? golden : inputs, "x");
  const double loss = chain.forward({x.begin(), x.end()}, integers(tensor(inputs, "label")), noise);
  std::vector<real> dx = chain.backward();
  const View like = classifier.input(), rows = classifier.output();
  const Comparison purified = against(shaped(chain.purified, like), golden, "purified", kOutError);
  EXPECT_TRUE(purified) << name << ", " << purified.message;
  const Comparison logits = against(shaped(chain.logits, rows), golden, "logits", kOutError);
  EXPECT_TRUE(logits) << name << ", " << logits.message;
  const double expected = tensor(golden, "loss.f64")[0], loss_error = std::abs(loss - expected) / expected;
  EXPECT_TRUE(loss_error <= bar(kOutError)) << name << ", loss " << loss << ", expected " << expected;
  // Float: the classifier behind the purifier has ReLUs, and the purifier clips.
  const Comparison gradient = against(shaped(dx, like), golden, "grad_x", kReluGradError);
  EXPECT_TRUE(gradient) << name << ", " << gradient.message;
  for (const char* key : {"trajectory.f64", "trajectory.f64_as_f32"}) {
    if (!golden.find(key)) continue;
    const std::vector<double> trajectory = tensor(golden, key);
    const double rounding = std::string(key).ends_with("f32") ? 1e-7 : 0;  // float32 halves of 2^-23
    for (int m = 0; m <= chain.purifier().trail().steps(); ++m) {
      const View state = chain.purifier().trail().x(m);
      const Comparison r = compare_l2(values_of(state).data(), trajectory.data() + m * state.size(), state.size(), bar(kOutError) + rounding);
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
  std::vector<real> eps_values = values_of(unet.output());
  const Mirror mx(shaped(x, like), like.device), mz(shaped(z, like), like.device), md(shaped(dy, like), like.device),
      my(shaped(y, like), like.device), mdirect(shaped(direct, like), like.device), meps(shaped(eps_values, like), like.device);
  const View X = mx.view(), Z = mz.view(), D = md.view(), Y = my.view(), direct_view = mdirect.view();
  for (int n = 0; n < 2; ++n) {
    const ReverseStep s = step_at(options, static_cast<int>(t[n]));
    EXPECT_EQ(s.label, t[n]);
    reverse_step_forward(s, X.images(n, 1), unet.output().images(n, 1), s.s != 0 ? Z.images(n, 1) : View{},
                         Y.images(n, 1));
    reverse_step_backward(s, X.images(n, 1), meps.view().images(n, 1), D.images(n, 1),
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

// Samplers of continuous time, learned variance, images of another size.
TEST(ChainGolden, OtherSamplers) {
  Net unet = formula_net(kSmallUnet), classifier = formula_net(kSmallWrn), larger = formula_net("wrn:depth=10,widen=1,size=20"),
      adm = formula_net("adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown");
  const auto run = [&](const std::string& name, Net& net, Net& g, const PurifyOptions& o) {
    print(name, check_chain(name, net, g, o, kInputs, golden_path("chain_" + name)));
  };
  run("sde", unet, classifier, make("vpsde"));
  run("ode", unet, classifier, make("vpode"));
  PurifyOptions o = make("ddpm");
  o.variance = Variance::Learned;
  run("adm_learned", adm, classifier, o);
  o.clip = Clip::None;
  run("adm_learned_noclip", adm, classifier, o);
  o = make("ddpm", 5);
  o.image_size = 20;
  run("resized", unet, larger, o);
  for (const char* family : {"dpm", "dpmpp"})
    for (const char* kind : {"1_multi", "2_multi", "3_multi", "2_single", "3_single"}) {
      const std::string order(1, kind[0]), name = std::string(family) + "_" + kind;
      const std::string sampler = std::string(name.starts_with("dpmpp") ? "dpmsolver++" : "dpmsolver") + ":order=" + order +
                                  (name.ends_with("single") ? ",method=singlestep" : "") +
                                  (name.starts_with("dpmpp_3") ? ",grid=logsnr" : "") + ",steps=1" + order;
      o = make(sampler, 100);
      parse_sampler(sampler, o);
      run(name, unet, classifier, o);
    }
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

namespace {

const char* kRecordedAdm = "adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,learn-sigma,scale-shift,resblock-updown,size=";

// The two halves of a network's output [eps, v], and one array from two halves.
struct Halves { std::vector<real> first, second; };
Halves halves(View out) {
  Halves h{std::vector<real>(out.size() / 2), std::vector<real>(out.size() / 2)};
  const View like{nullptr, out.n, out.c / 2, out.h, out.w};
  concat_backward(out, shaped(h.first, like), shaped(h.second, like));
  return h;
}

Net recorded_adm(int size) {
  const Model model = make_model(kRecordedAdm + std::to_string(size));
  return Net(model, Params::load(model, reference_path("tiny/tiny_adm.weights.safetensors")));
}

// tiny_resnet for images of this size; its file carries the prefix of a wrapper.
Net recorded_resnet(int size, const ScratchFolder& folder) {
  const Model model = make_model("resnet:stem=16,planes=8-16-24-32,layers=2-1-1-1,classes=10,size=" + std::to_string(size));
  const Safetensors file(reference_path("tiny/tiny_resnet.weights.safetensors"));
  std::vector<TensorOut> tensors;
  for (const TensorInfo& t : file.tensors())
    tensors.push_back({t.name.starts_with("model.") ? t.name.substr(6) : t.name, t.dtype, t.shape, file.data(t)});
  const std::string path = folder / "resnet.safetensors";
  write_safetensors(path, tensors, {});
  return Net(model, Params::load(model, path));
}

PurifyOptions learned(int t) {
  PurifyOptions o = make("ddpm", t);
  o.variance = Variance::Learned;
  return o;
}

}  // namespace

TEST(ChainReference, LearnedVariance) {
  PURESCOPE_NEEDS_REFERENCE();
  const ScratchFolder folder;
  Net unet = recorded_adm(32), classifier = recorded_resnet(32, folder);
  print("adm_psample_learned_3", check_chain("adm_psample_learned_3", unet, classifier, learned(3), reference_path("chain/chain_inputs.safetensors"),
                                             reference_path("chain/adm_psample_learned_3.safetensors")));
}

TEST(ChainReference, ImagesOfAnotherSize) {
  PURESCOPE_NEEDS_REFERENCE();
  const ScratchFolder folder;
  Net unet = recorded_adm(32), classifier = recorded_resnet(28, folder);
  const Safetensors golden(reference_path("chain/adm_eta1_resize_3.safetensors")), inputs(reference_path("chain/chain_inputs28.safetensors"));
  PurifyOptions o = make("eta:1", 3);
  o.image_size = 28;
  Chain chain(unet, classifier, o, 2);
  FileNoise noise(reference_path("chain/chain_inputs.safetensors"));
  const std::vector<double> x = tensor(inputs, "x");
  const double loss = chain.forward({x.begin(), x.end()}, integers(tensor(inputs, "label")), noise);
  std::vector<real> dx = chain.backward(), seen = chain.purified;
  for (real& v : seen) v = v / 2 + real(0.5);
  const Comparison purified = against(chain.purifier().trail().x(3), golden, "purified", kOutError),
                   resampled = against(shaped(seen, classifier.input()), golden, "x_clf", kOutError),
                   logits = against(shaped(chain.logits, classifier.output()), golden, "logits", kOutError),
                   gradient = against(shaped(dx, classifier.input()), golden, "grad_x", kReluGradError);
  for (const Comparison* r : {&purified, &resampled, &logits, &gradient}) EXPECT_TRUE(*r) << r->message;
  const double expected = tensor(golden, "loss.f64")[0];
  EXPECT_TRUE(std::abs(loss - expected) <= bar(kOutError) * expected) << loss << ", expected " << expected;
  std::printf("%-32s purified %.1e, logits %.1e, gradient %.1e\n", "adm_eta1_resize_3", purified.worst, logits.worst, gradient.worst);
}

// Mean, log-variance and predicted x0 of single steps.
TEST(StepReference, MeanAndLearnedVariance) {
  PURESCOPE_NEEDS_REFERENCE();
  Net unet = recorded_adm(32);
  const Safetensors golden(reference_path("chain/adm_p_mean_variance.safetensors"));
  const std::vector<double> t = tensor(golden, "t");
  unet.plan(2, Mode::Forward);
  store(tensor(golden, "x_t"), unet.input());
  const std::vector<real> x_t = values_of(unet.input());
  store(t, unet.time());
  unet.forward();
  Halves out = halves(unet.output());
  std::vector<real> x = x_t, mean(x.size()), variance(x.size()), x0(x.size()), zero(x.size(), 0), one(x.size(), 1);
  const View like{nullptr, 2, 3, 32, 32};
  for (int n = 0; n < 2; ++n) {
    ReverseStep s = step_at(learned(0), static_cast<int>(t[n]));
    auto at = [&](std::vector<real>& v) { return shaped(v, like).images(n, 1); };
    reverse_step_forward(s, at(x), at(out.first), {}, at(mean));
    learned_noise_forward(s, at(zero), at(out.second), at(one), at(variance));
    s.p = 1;
    s.q = 0;
    reverse_step_forward(s, at(x), at(out.first), {}, at(x0));
  }
  for (real& v : variance) v = 2 * std::log(v);
  const Comparison a = against(shaped(mean, like), golden, "mean", kOutError), b = against(shaped(variance, like), golden, "log_variance", kOutError),
                   c = against(shaped(x0, like), golden, "pred_xstart", kOutError);
  for (const Comparison* r : {&a, &b, &c}) EXPECT_TRUE(*r) << r->message;
  std::printf("%-32s mean %.1e, log-variance %.1e, x0 %.1e\n", "adm_p_mean_variance", a.worst, b.worst, c.worst);
}

// One step with learned variance and its gradient through the network, sigma included.
TEST(StepReference, LearnedVariance) {
  PURESCOPE_NEEDS_REFERENCE();
  Net unet = recorded_adm(16);
  const Safetensors golden(reference_path("chain/step_adm_psample_learned.safetensors"));
  auto load = [&](const std::string& key) { const auto v = tensor(golden, key); return std::vector<real>(v.begin(), v.end()); };
  std::vector<real> x = load("x_t"), z = load("noise"), dy = load("cotangent"), y(x.size()), direct(x.size()), deps(x.size()), dv(x.size());
  const std::vector<double> t = tensor(golden, "t");
  unet.plan(2, Mode::InputGrad);
  store(x, unet.input());
  store(t, unet.time());
  unet.forward();
  Halves out = halves(unet.output());
  const View like = unet.input();
  for (int n = 0; n < 2; ++n) {
    const ReverseStep s = step_at(learned(0), static_cast<int>(t[n]));
    auto at = [&](std::vector<real>& v) { return shaped(v, like).images(n, 1); };
    reverse_step_forward(s, at(x), at(out.first), {}, at(y));
    learned_noise_forward(s, at(y), at(out.second), at(z), at(y));
    reverse_step_backward(s, at(x), at(out.first), at(dy), at(direct), at(deps));
    learned_noise_backward(s, at(out.second), at(z), at(dy), at(dv));
  }
  concat_forward(shaped(deps, like), shaped(dv, like), unet.output_grad());
  unet.backward();
  add_forward(shaped(direct, like), unet.input_grad(), shaped(direct, like));
  const Comparison sample = against(shaped(y, like), golden, "sample", kOutError), gradient = against(shaped(direct, like), golden, "grad_x_t", kInputGradError);
  EXPECT_TRUE(sample) << sample.message;
  EXPECT_TRUE(gradient) << gradient.message;
  std::printf("%-32s sample %.1e, gradient %.1e\n", "step_adm_psample_learned", sample.worst, gradient.worst);
}
