// The networks against recorded runs of the original model code: outputs, input gradients and every parameter gradient
// of the files in the folder PURESCOPE_REFERENCE_DIR (skipped where it is not set; tests/models/golden_test.cpp runs
// everywhere).
#include <gtest/gtest.h>

#include <fstream>

#include "data/dataset.h"
#include "golden_file.h"
#include "io/checkpoint_keys.h"
#include "io/scratch_folder.h"

using namespace purescope;

namespace {

// The safetensors file `from` with clean keys (as `purescope convert` writes them), in a folder of its own.
std::string cleaned(const std::string& from, const ScratchFolder& folder) {
  std::map<std::string, std::string> ignored;
  Checkpoint c = read_checkpoint(from, ignored);
  clean_keys(c, "auto");
  std::vector<TensorOut> tensors;
  for (const CheckpointTensor& t : c.tensors) tensors.push_back({t.name, t.dtype, t.shape, nullptr, [&t] { return t.bytes(); }});
  const std::string path = folder / "clean.safetensors";
  write_safetensors(path, tensors, {});
  return path;
}

// `prefix`: what the golden's keys have in front of the model's.
void check_tiny(const std::string& name, const std::string& arch, bool relu, const std::string& prefix = "") {
  PURESCOPE_NEEDS_REFERENCE();
  const ScratchFolder folder;
  const Safetensors golden(reference_path("tiny/" + name + ".golden.safetensors"));
  const Model model = make_model(arch);
  Net net(model, Params::load(model, cleaned(reference_path("tiny/" + name + ".weights.safetensors"), folder)));
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
    const std::vector<double> expected = tensor(golden, "grad.f64." + prefix + info.key);
    const std::vector<real> got = values_of(net.grads().view(static_cast<int>(p)));
    ASSERT_EQ(got.size(), expected.size());
    if (norm(expected) < 1e-10) {  // zero in theory: rounding alone
      const Comparison zero = compare(got.data(), expected.data(), expected.size(), kDouble ? 1e-11 : 1e-3, 1);
      EXPECT_EQ(zero.bad, 0u) << info.key << ": " << zero.message;
      continue;
    }
    const Comparison r =
        compare_l2(got.data(), expected.data(), expected.size(), bar(relu ? kReluGradError : kParamGradError));
    EXPECT_TRUE(r) << info.key << ": " << r.message;
    worst = std::max(worst, r.worst);
  }
  std::printf("%s: output %.2e, input gradient %.2e, worst parameter gradient %.2e\n", name.c_str(), out.worst,
              dx.worst, worst);
}

// The keys and shapes of the original class, [["KEY", [2, 3], "float32"], ...] in section "NAME" of a JSON file, against the model's.
void check_keys(const std::string& file, const std::string& section, const std::string& arch, size_t buffers) {
  PURESCOPE_NEEDS_REFERENCE();
  std::ifstream in(reference_path(file));
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  const size_t begin = all.find("\"" + section + "\": [["), end = all.find("]]", begin);
  ASSERT_NE(begin, all.npos);
  const std::string text = all.substr(begin, end - begin);
  const Model model = make_model(arch);
  size_t listed = 0;
  for (size_t at = text.find("[\""); at != text.npos; at = text.find("[\"", at + 1)) ++listed;
  EXPECT_EQ(listed, model.params.size() + buffers);
  size_t last = 0;
  for (const ParamInfo& p : model.params) {
    std::string shape;
    for (int64_t s : p.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(s);
    const size_t at = text.find("[\"" + p.key + "\", [" + shape + "]");
    EXPECT_NE(at, text.npos) << p.key << " [" << shape << "]";
    if (section.starts_with("ncsnpp")) { EXPECT_GT(at, last) << p.key << " is out of order: the averaged weights have no names"; }
    last = at;
  }
}

// One line of a recorded trace, ["MODULE", "TYPE", [SHAPE], MEAN, RMS, PROBE]: the output of a module of the original code, as its mean, root
// mean square and inner product with the direction "probe.MODULE".
struct TraceRow { double mean, rms, probe; };

std::map<std::string, TraceRow> trace_rows(const std::string& path) {
  std::ifstream in(path);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  std::map<std::string, TraceRow> rows;
  for (size_t at = all.find("[\"", all.find("\"rows\"")); at != all.npos; at = all.find("[\"", at + 1)) {
    TraceRow r;
    const size_t numbers = all.find("],", at);
    if (numbers == all.npos || std::sscanf(all.c_str() + numbers, "], %lf, %lf, %lf]", &r.mean, &r.rms, &r.probe) != 3) return {};
    rows[all.substr(at + 2, all.find('"', at + 2) - at - 2)] = r;
  }
  return rows;
}

// Compares every step of a pass that has a module of the same name, or that is the sum at the end of one, with the trace.
class TraceCheck {
 public:
  explicit TraceCheck(const std::string& path) : rows_(trace_rows(path)) {}
  void step(const Net& net, const Step& s) {
    const std::string module = s.name.ends_with(".add") ? s.name.substr(0, s.name.size() - 4) : s.name;
    const auto row = rows_.find(module);
    if (row == rows_.end()) return;
    if (s.op == Op::GroupNorm && s.group_norm.silu) { ++fused_; return; }   // the step gives silu of what the module gave
    const std::vector<real> y = values_of(net.value(s.out));
    const std::vector<double> v = direction("probe." + module, y.size());
    double sum = 0, squares = 0, probe = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i], squares += double(y[i]) * y[i], probe += y[i] * v[i];
    // Independent errors of the size of the bar move a sum of count values by bar * rms * sqrt(count); 4 of these.
    const double rms = row->second.rms, count = static_cast<double>(y.size()), error = 4 * bar(kOutError) * rms;
    EXPECT_NEAR(sum / count, row->second.mean, error / std::sqrt(count)) << module;
    EXPECT_NEAR(std::sqrt(squares / count), rms, error) << module;
    EXPECT_NEAR(probe, row->second.probe, error * std::sqrt(count)) << module;
    ++seen_;
  }
  int seen() const { return seen_; }
  int fused() const { return fused_; }
  int rows() const { return static_cast<int>(rows_.size()); }

 private:
  std::map<std::string, TraceRow> rows_;
  int seen_ = 0, fused_ = 0;
};

// Weights, input and cotangent by formula; PyTorch recorded output and input gradient, and what every module put out. `wrappers`: modules
// of the original code that only hand on what their last part gives.
void check_full(const std::string& name, const std::string& arch, std::vector<double> t, double shift, double scale,
                bool relu, int wrappers) {
  PURESCOPE_NEEDS_REFERENCE();
  const Safetensors golden(reference_path("full/" + name + ".golden.safetensors"));
  TraceCheck trace(reference_path("full/" + name + ".trace.json"));
  Net net = formula_net(arch);
  net.plan(2, Mode::InputGrad);
  store(direction("input", net.input().size(), shift, scale), net.input());
  if (net.model().time >= 0) store(t, net.time());
  net.on_step = [&](int i) { trace.step(net, net.model().steps[i]); };
  net.forward();
  EXPECT_EQ(trace.seen() + trace.fused(), trace.rows() - wrappers);
  EXPECT_GT(trace.seen(), trace.fused());
  const Comparison out = against(net.output(), golden, "out", kOutError);
  store(direction("cotangent", net.output().size()), net.output_grad());
  net.backward();
  const Comparison dx = against(net.input_grad(), golden, "grad_x", relu ? kReluGradError : kInputGradError);
  EXPECT_TRUE(out) << out.message;
  EXPECT_TRUE(dx) << dx.message;
  std::printf("%s: output %.2e, input gradient %.2e, %d modules\n", name.c_str(), out.worst, dx.worst, trace.seen());
}

}  // namespace

TEST(Reference, TinyDdpm) { check_tiny("tiny_ddpm", "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", false); }
TEST(Reference, TinyWrn) { check_tiny("tiny_wrn", "wrn:depth=10,widen=1", true); }
TEST(Reference, FullDdpm) { check_full("ddpm_cifar10", "ddpm-cifar10", {37, 640}, 0, std::sqrt(3.0), false, 6); }
TEST(Reference, FullWrn) { check_full("wrn_28_10", "wrn-28-10", {}, 0.5, 0.5, true, 6); }
TEST(Reference, TinyAdm) {
  check_tiny("tiny_adm", "adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown", false);
}
TEST(Reference, TinyResnet) { check_tiny("tiny_resnet", "resnet:stem=16,planes=8-16-24-32,layers=2-1-1-1,classes=10,size=56", true, "model."); }
TEST(Reference, KeysOfDdpmCifar10) { check_keys("keys.json", "ddpm_cifar10", "ddpm-cifar10", 0); }
TEST(Reference, KeysOfWrn28x10) { check_keys("keys.json", "wrn_28_10", "wrn-28-10", 25); }  // the counters of 25 batch norms
TEST(Reference, KeysOfAdm256) { check_keys("keys.json", "adm_256", "adm-256", 0); }
TEST(Reference, KeysOfResnet50) { check_keys("keys.json", "resnet50", "resnet50", 53); }  // the counters of 53 batch norms
TEST(Reference, KeysOfDdpmpp) { check_keys("keys_extra.json", "ncsnpp_cifar10_deep_vp", "ddpmpp-cifar10", 1); }  // sigmas

// A published ResNet-20 for CIFAR-10 in the legacy container (91.67 % of the whole test set by its authors) on real images.
TEST(Reference, PublishedResNet20ClassifiesRealImages) {
  PURESCOPE_NEEDS_REFERENCE();
  const std::string file = reference_path("../data/checkpoints/cifar10_resnet20_legacy.th"), images = reference_path("../data/cifar10/test_first_500.bin");
  if (!std::filesystem::exists(file) || !std::filesystem::exists(images)) GTEST_SKIP() << "no " << file << " or no " << images;
  const ScratchFolder folder;
  const Model model = make_model("cifar-resnet-20");
  Net net(model, Params::load(model, cleaned(file, folder)));
  const Dataset data = load_dataset("cifar10:" + images, 0, 500);
  net.plan(20, Mode::Forward);
  int correct = 0, shifted = 0;
  for (int first = 0; first < 500; first += 20) {
    store(std::vector<double>(data.image(first), data.image(first) + 20 * data.image_size()), net.input());
    net.forward();
    const std::vector<real> z = values_of(net.output());
    for (int n = 0; n < 20; ++n) {
      const auto row = z.begin() + n * 10;
      const int label = static_cast<int>(std::max_element(row, row + 10) - row);
      correct += label == data.labels[first + n];
      shifted += label == data.labels[(first + n + 1) % 500];
    }
  }
  EXPECT_EQ(correct, 455);
  EXPECT_LT(shifted, 100);  // control: the labels of other images
}
