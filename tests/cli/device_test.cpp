// --device: the same numbers on the CPU and on the emulated device, command by command, on the smallest networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "cli/program.h"
#include "io/json_text.h"

using namespace purescope;

namespace {

using Args = std::vector<std::string>;

const std::string kUnet = "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4";
const std::string kClassifier = "cifar-resnet:depth=8,size=8,classes=4,width=4";

Args with(Args base, const Args& more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

std::string make_images(const ScratchFolder& folder) {
  std::vector<float> x(2 * 192);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 101;
  write_npy(folder / "x.npy", {2, 3, 8, 8}, x.data());
  return folder / "x.npy";
}

// Runs `args` with --output on both devices and compares the arrays.
void check(const ScratchFolder& folder, const Args& args) {
  const std::string cpu = folder / "cpu.npy", emulated = folder / "emulated.npy";
  expect_success(with(args, {"--output", cpu, "--device", "cpu"}));
  expect_success(with(args, {"--output", emulated, "--device", "emulated"}));
  EXPECT_LE(relative_l2(npy_values(emulated), npy_values(cpu)), 1e-9) << args[0];
  EXPECT_NE(slurp(emulated), slurp(cpu)) << args[0] << ": the CPU was compared with itself";
}

// The bundled networks on the built-in images, as `make demo`, at a strength that a short attack shows.
const Args kDemo = {"attack", "-q", "--t", "10", "--steps-reverse", "2", "--rel-step", "1/4", "--draws", "1", "--noise-rng", "torch-cpu"};

// Compares the attack records of two runs, as many as it returns.
int compare_records(const std::string& cpu, const std::string& other) {
  std::vector<JsonObject> lines[2];
  for (int k : {0, 1}) {
    const std::string text = slurp((k ? other : cpu) + "/results.0000of0001.jsonl");
    for (size_t from = 0, to; (to = text.find('\n', from)) != std::string::npos; from = to + 1)
      lines[k].push_back(JsonObject::parse(text.substr(from, to - from), "test"));
  }
  EXPECT_EQ(lines[0].size(), lines[1].size());
  if (lines[0].size() != lines[1].size()) return -1;
  int compared = 0;
  for (size_t i = 0; i < lines[0].size(); ++i) {
    const JsonObject &a = lines[1][i], &b = lines[0][i];
    if (b.get_string("kind").rfind("attack:", 0) != 0) continue;
    EXPECT_EQ(a.get_int("pred_adv"), b.get_int("pred_adv"));
    EXPECT_EQ(a.get_int("pred_anchor"), b.get_int("pred_anchor"));
    EXPECT_EQ(a.get_int("pred_clean"), b.get_int("pred_clean"));
    EXPECT_NEAR(a.get_double("loss"), b.get_double("loss"), 1e-6 * b.get_double("loss"));
    EXPECT_NEAR(a.get_double("cr_rand"), b.get_double("cr_rand"), 1e-6 * b.get_double("cr_rand"));
    ++compared;
  }
  return compared;
}

}  // namespace

TEST(CliDevice, ArraysAgree) {
  const ScratchFolder folder(true);
  const std::string x = make_images(folder);
  const Args chain = {"-q", "--real", "f64", "--input", x, "-p", "formula", "--purifier-arch", kUnet, "--t", "2", "--noise-rng", "torch-cpu"};
  check(folder, with({"purify"}, chain));
  check(folder, with(with({"gradient"}, chain), {"-c", "formula", "--classifier-arch", kClassifier, "--labels", "3,1"}));
  check(folder, {"forward", "--real", "f64", "--weights", "formula", "--arch", kUnet, "--input", x, "--t", "5,700"});
  check(folder, {"vjp", "--real", "f64", "--weights", "formula", "--arch", kUnet, "--input", x, "--t", "5", "--cotangent", x, "--dparams",
                 folder / "g.safetensors"});
}

TEST(CliDevice, CompareAndVersion) {
  const Args net = {"--arch", kClassifier, "--real", "f64"};
  EXPECT_EQ(run_program(with({"compare", "cpu", "emulated"}, net)).code, 0);
  EXPECT_EQ(run_program(with({"compare", "cpu", "emulated", "--tol", "0"}, net)).code, 1) << "control: the bits differ";
  EXPECT_EQ(run_program(with({"compare", "emulated", "emulated"}, net)).code, 0);
  EXPECT_NE(expect_success({"version"}).out.find("emulated"), std::string::npos);
}

// Verdicts and losses of records; another device is another run and does not mix with the first.
TEST(CliDevice, AttackAgrees) {
  const ScratchFolder folder(true);
  auto args = [&](const std::string& device, const std::string& out) {
    return Args{"attack", "-q", "-p", "formula", "--purifier-arch", "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4", "-c", "formula",
                "--classifier-arch", "cifar-resnet:depth=8,size=16,classes=4,width=4", "--data", "shapes", "-n", "2", "--t", "2", "--draws", "2",
                "--steps", "2", "--real", "f64", "--noise-rng", "torch-cpu", "--out", out, "--device", device};
  };
  for (const std::string device : {"cpu", "emulated"}) expect_success(args(device, folder / device));
  EXPECT_GT(compare_records(folder / "cpu", folder / "emulated"), 1);
  const ProgramRun mixed = run_program(with(args("emulated", folder / "cpu"), {"--resume"}));
  EXPECT_EQ(mixed.code, 78) << mixed.err;
}

// Passes on the device, what is measured on the host: the gradient that is judged, every verdict, a planted mistake, and all arrays of a trace.
TEST(CliDevice, AuditAndTraceAgree) {
  const ScratchFolder folder(true);
  const std::string x = make_images(folder), labels = folder / "labels.npy";
  const int64_t label[] = {3, 1};
  write_npy(labels, {2}, label);
  const Args target = {"-p", "formula", "--purifier-arch", kUnet, "-c", "formula", "--classifier-arch", kClassifier, "--data", "npy:" + x + "," + labels,
                       "--t", "2", "--noise-rng", "torch-cpu", "--real", "f64"};
  const Args audit = with(target, {"-q", "-n", "2", "--steps", "2", "--directions", "1", "--proof-images", "1"});
  std::vector<std::string> verdicts[2];
  for (const std::string device : {"cpu", "emulated"}) {
    const ProgramRun run = run_program(with(with({"audit", "--checks", "1,2,4,5,6,16", "--out", folder / device, "--device", device}, audit), {}));
    EXPECT_TRUE(run.code == 0 || run.code == 1) << run.err;
    for (size_t at = 0; at < run.out.size(); at = run.out.find('\n', at) + 1)
      if (run.out[at] != ' ') verdicts[device == "emulated"].push_back(run.out.substr(at, 28));
    expect_success(with(with({"trace", "-q", "--image", "1", "--out", folder / device + ".trace", "--device", device}, target), {}));
  }
  EXPECT_GE(verdicts[0].size(), 6u);
  EXPECT_EQ(verdicts[0], verdicts[1]);
  const auto agree = [&](const std::string& a, const std::string& b) {
    const std::vector<double> x = npy_values(a), y = npy_values(b);
    const bool zero = std::count(x.begin(), x.end(), 0) == static_cast<int64_t>(x.size());  // a mask of nothing
    EXPECT_TRUE(zero ? x == y : relative_l2(y, x) <= 1e-9) << a;
  };
  const std::string gradient = "/arrays/margin_gradient.s0.npy";
  agree(folder / "cpu" + gradient, folder / "emulated" + gradient);
  EXPECT_NE(slurp(folder / "cpu" + gradient), slurp(folder / "emulated" + gradient)) << "the CPU was compared with itself";
  int arrays = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder / "cpu.trace"))
    if (file.path().extension() == ".npy" && ++arrays) agree(file.path(), folder / "emulated.trace/" + file.path().filename().string());
  EXPECT_EQ(arrays, 22);
  const ProgramRun spoiled = run_program(with(with({"audit", "--out", folder / "spoiled", "--checks", "2", "--device", "emulated", "--plant", "wrong-timestep"}, audit), {}));
  EXPECT_EQ(spoiled.code, 1) << spoiled.out;
}

// The demo's networks and data, a few images, in double: the same verdicts, losses to 1e-6. The noise is drawn on the host for both.
TEST(CliDevice, DemoAgrees) {
  const ScratchFolder folder(true);
  for (const std::string device : {"cpu", "emulated"})
    expect_success(with(kDemo, {"--real", "f64", "-n", "2", "--steps", "2", "--out", folder / device, "--device", device}));
  EXPECT_EQ(compare_records(folder / "cpu", folder / "emulated"), 4) << "two images, fixed and free";
}

// The same in float, where two attacks go different ways once a sign differs: at iterates of the CPU, step by step, the gradients of both
// devices have the same signs but for values near zero. Control: with factors rounded to bfloat16 signs of other values differ too.
TEST(CliDevice, SignsOfTheDemosGradientsAtTheIteratesOfTheCpu) {
  constexpr double kNear = 1e-4;  // of the largest value; the error of a float gradient is some 1e-6 of it
  const ScratchFolder folder(true);
  std::vector<double> rounded;
  size_t values = 0, differ = 0, near = 0, far = 0, far_in_control = 0;
  for (const std::string steps : {"1", "4"}) {
    const std::string run = folder / ("steps" + steps);
    expect_success(with(kDemo, {"-n", "2", "--steps", steps, "--fix-random", "--save-adv", "--no-predict", "--out", run}));
    std::vector<float> x;
    for (const char* name : {"000000", "000001"}) {
      const std::vector<float> image = read_npy(run + "/adv/" + name + ".s0.t10.e0.031373.fixed.npy").as_float();
      x.insert(x.end(), image.begin(), image.end());
    }
    write_npy(run + ".npy", {2, 3, 16, 16}, x.data());
    const auto gradient = [&](const std::string& name, const Args& more) {
      expect_success(with({"gradient", "-q", "--input", run + ".npy", "--labels", "0,1", "--t", "10", "--steps-reverse", "2", "--noise-rng",
                           "torch-cpu", "--output", run + name}, more));
      return npy_values(run + name);
    };
    const std::vector<double> cpu = gradient("cpu.npy", {"--device", "cpu"}), emulated = gradient("emulated.npy", {"--device", "emulated"});
    if (steps == "4") rounded = gradient("bf16.npy", {"--device", "emulated", "--math", "fast", "--precision", "bf16"});
    else rounded = cpu;
    ASSERT_EQ(cpu.size(), x.size());
    ASSERT_EQ(emulated.size(), x.size());
    EXPECT_NE(cpu, emulated) << "the CPU was compared with itself";
    const auto sign = [](double v) { return (v > 0) - (v < 0); };
    for (size_t n = 0; n < 2; ++n) {
      const size_t from = n * x.size() / 2, to = from + x.size() / 2;
      double largest = 0;
      for (size_t i = from; i < to; ++i) largest = std::max(largest, std::fabs(cpu[i]));
      ASSERT_GT(largest, 0);
      for (size_t i = from; i < to; ++i) {
        const bool small = std::fabs(cpu[i]) <= kNear * largest, other = !(sign(cpu[i]) == sign(emulated[i]));
        near += small;
        differ += other;
        far += other && !small;
        far_in_control += !small && sign(cpu[i]) != sign(rounded[i]);
      }
    }
    values += x.size();
  }
  std::printf("  signs of %zu gradient values at 2 iterates of 2 images: %zu differ, %zu of them away from zero; %zu values are within %g of the largest "
              "from zero\n  control, bf16: %zu differ away from zero\n", values, differ, far, near, kNear, far_in_control);
  EXPECT_EQ(values, 4u * 768);
  EXPECT_EQ(far, 0u);
  EXPECT_LE(differ, near);
  EXPECT_GT(far_in_control, 0u);
}

TEST(CliDevice, TrainingAgrees) {
  const ScratchFolder folder(true);
  for (const Args& kind : {Args{"ddpm", "--arch", "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4"},
                          Args{"classifier", "--arch", "cifar-resnet:depth=8,size=16,classes=4,width=4"}}) {
    for (const std::string device : {"cpu", "emulated"})
      expect_success(with(with({"train"}, kind), {"--data", "shapes:0", "-n", "12", "--batch", "3", "--steps", "2", "--real", "f64", "--out",
                                                  (folder / kind[0]) + device, "--device", device}));
    const Safetensors a((folder / kind[0]) + "emulated"), b((folder / kind[0]) + "cpu");
    ASSERT_EQ(a.tensors().size(), b.tensors().size());
    for (const TensorInfo& t : b.tensors()) {
      const std::vector<double> x = tensor_values(a.path(), t.name), y = tensor_values(b.path(), t.name);
      double largest = 0;
      for (size_t i = 0; i < y.size(); ++i) largest = std::max(largest, std::fabs(x[i] - y[i]));
      // Adam divides by the root of its second moment, so that a step is lr whatever the gradient: where that is rounding, so is the step.
      EXPECT_LE(largest, 1e-5) << kind[0] << " " << t.name;
    }
  }
}
