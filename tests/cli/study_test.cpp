// purify with its side outputs, gradient with --memory, explain, compare and selftest, on small networks with formula
// weights.
#include <algorithm>

#include "cli/program.h"
#include "io/image.h"

using namespace purescope;

namespace {

std::vector<std::string> purify(const std::string& output, std::vector<std::string> more = {}) {
  std::vector<std::string> args = {"purify",   "-q",  "-p", "formula", "--purifier-arch",
                                   kDdpm,      "--t", "4",  "--input", golden("chain_inputs") + ":x",
                                   "--output", output};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}
std::vector<std::string> gradient(const std::string& output, std::vector<std::string> more = {}) {
  std::vector<std::string> args = {
      "gradient",          "-q",  "-p",  "formula", "--purifier-arch", kDdpm, "-c",      "formula",
      "--classifier-arch", kWrn,  "--t", "4",       "--labels",        "3,5", "--input", golden("chain_inputs") + ":x",
      "--output",          output};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

}  // namespace

TEST(CliPurify, ExportedNoiseReplaysToTheSameBytes) {
  const ScratchFolder folder;
  for (const std::string batch : {"1", "8"}) {
    expect_success(purify(folder / "y.npy", {"--seed", "7", "--export-noise", folder / "noise.safetensors", "--batch",
                                             batch, "--forward", "steps"}));
    expect_success(purify(folder / "z.npy", {"--noise", folder / "noise.safetensors", "--forward", "steps"}));
    EXPECT_EQ(slurp(folder / "y.npy"), slurp(folder / "z.npy"));
    const Safetensors noise(folder / "noise.safetensors");
    EXPECT_EQ(noise.find("noise.forward")->shape, (std::vector<int64_t>{4, 2, 3, 16, 16}));
    EXPECT_EQ(noise.find("noise.reverse")->shape, (std::vector<int64_t>{4, 2, 3, 16, 16}));  // the last one too, times 0
    const std::vector<double> z = tensor_values(folder / "noise.safetensors", "noise.reverse");
    for (int step = 0; step < 4; ++step) EXPECT_NE(z[step * 1536], z[(step + 1) % 4 * 1536]) << step;
  }
  expect_success(purify(folder / "z.npy", {"--seed", "8", "--forward", "steps"}));
  EXPECT_NE(slurp(folder / "y.npy"), slurp(folder / "z.npy"));
  expect_failure(purify(folder / "w.npy", {"--noise", golden("ddpm_small")}), 65, "noise.forward");
  expect_failure(purify(folder / "w.npy",
                        {"--noise", folder / "noise.safetensors", "--variance", "fixedlarge", "--forward", "jump"}),
                 65, "noise.forward");
}

// Image 1 has noise of its own index, whatever array it stands in and however many are purified together.
TEST(CliPurify, NoiseBelongsToTheImage) {
  const ScratchFolder folder;
  expect_success(purify(folder / "both.npy", {"--batch", "2"}));
  expect_success(purify(folder / "one_by_one.npy", {"--batch", "1", "--threads", "1"}));
  EXPECT_EQ(slurp(folder / "both.npy"), slurp(folder / "one_by_one.npy"));
  const std::vector<double> x = tensor_values(golden("chain_inputs"), "x"), both = npy_values(folder / "both.npy");
  write_npy(folder / "x1.npy", {1, 3, 16, 16}, x.data() + 768);
  std::vector<std::string> args = purify(folder / "alone.npy", {"--first-index", "1"});
  args[std::find(args.begin(), args.end(), "--input") - args.begin() + 1] = folder / "x1.npy";
  expect_success(args);
  EXPECT_EQ(npy_values(folder / "alone.npy"), std::vector<double>(both.begin() + 768, both.end()));
  args.back() = "0";
  expect_success(args);
  EXPECT_NE(npy_values(folder / "alone.npy"), std::vector<double>(both.begin() + 768, both.end()));
  // What would be ignored is refused: a file holds noise without an index, and only ddpm chooses a variance.
  expect_failure(purify(folder / "w.npy", {"--noise", golden("chain_inputs"), "--first-index", "1"}), 2, "no image index");
  expect_failure(purify(folder / "w.npy", {"--sampler", "ddim", "--variance", "fixedsmall"}), 2, "no variance to choose");
}

TEST(CliPurify, TrailHoldsEveryState) {
  const ScratchFolder folder;
  expect_success(purify(folder / "y.npy", {"--trail", folder / "trail", "--batch", "1"}));
  EXPECT_TRUE(std::filesystem::exists(folder / "trail/state_0000.npy"));
  EXPECT_FALSE(std::filesystem::exists(folder / "trail/state_0005.npy"));
  EXPECT_EQ(slurp(folder / "trail/state_0004.npy"), slurp(folder / "y.npy"));
  const Image strip = read_image(folder / "trail/strip.png");
  EXPECT_GT(strip.width, 5 * 16);
  EXPECT_GT(strip.height, 2 * 16);
  expect_failure(purify(folder / "y.npy", {"--trail", folder / "trail"}), 73, "not empty");
  expect_success(purify(folder / "y.npy", {"--trail", folder / "trail", "--force"}));
}

// The states of the trail, in [0, 1] units, against the recorded trajectory in [-1, 1].
TEST(CliPurify, TrajectoryMatchesTheGolden) {
  const ScratchFolder folder;
  expect_success({"purify", "-p", "formula", "--purifier-arch", kDdpm, "--t", "10", "--input",
                  golden("chain_inputs") + ":x", "--output", folder / "y.npy", "--trail", folder / "trail", "--noise",
                  golden("chain_inputs"), "--real", "f64"});
  const std::vector<double> all = tensor_values(golden("chain_ddpm_clip_fixedlarge"), "trajectory.f64");
  for (int k = 0; k <= 10; ++k) {
    char name[32];
    std::snprintf(name, sizeof name, "trail/state_%04d.npy", k);
    std::vector<double> state = npy_values(folder / name);
    for (double& v : state) v = 2 * v - 1;
    const double error = relative_l2(state, std::vector<double>(all.begin() + k * 1536, all.begin() + (k + 1) * 1536));
    EXPECT_TRUE(error <= 1e-9) << k << " " << error;
  }
}

TEST(CliPurify, PicturesInAndOut) {
  const ScratchFolder folder;
  Image image{16, 16, std::vector<unsigned char>(768)};
  for (size_t i = 0; i < 768; ++i) image.rgb[i] = static_cast<unsigned char>(i % 251);
  write_png(folder / "x.png", image);
  auto args = [&](const std::string& input, const std::string& output, const std::string& size) {
    return std::vector<std::string>{"purify",
                                    "-q",
                                    "-p",
                                    "formula",
                                    "--purifier-arch",
                                    "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=" + std::to_string(std::stoi(size) / 2) + ",size=" + size,
                                    "--t",
                                    "2",
                                    "--input",
                                    input,
                                    "--output",
                                    output};
  };
  expect_success(args(folder / "x.png", folder / "y.png", "16"));
  expect_success(args(folder / "x.png", folder / "y.npy", "16"));
  const Image y = read_image(folder / "y.png");
  const std::vector<double> values = npy_values(folder / "y.npy");
  for (size_t c = 0; c < 3; ++c)
    for (size_t i = 0; i < 256; ++i) {
      const double clamped = std::min(1.0, std::max(0.0, values[c * 256 + i]));
      EXPECT_EQ(int(y.rgb[3 * i + c]), int(std::floor(255 * clamped + 0.5)));
    }
  expect_failure(args(folder / "x.png", folder / "z.png", "32"), 65, "16 x 16", "32 x 32");
  expect_failure(args(golden("chain_inputs") + ":x", folder / "z.png", "16"), 2, "one image");
  EXPECT_FALSE(std::filesystem::exists(folder / "z.png"));
}

TEST(CliGradient, MemoryAndBatchDoNotMoveABit) {
  const ScratchFolder folder;
  const std::string loss = expect_success(gradient(folder / "a.npy")).out;
  const std::vector<std::vector<std::string>> ways = {
      {"--memory", "max"}, {"--memory", "8M"}, {"--batch", "1", "--threads", "1"}};
  for (const auto& way : ways) {
    EXPECT_EQ(expect_success(gradient(folder / "b.npy", way)).out, loss);
    EXPECT_EQ(slurp(folder / "a.npy"), slurp(folder / "b.npy"));
  }
  expect_success(gradient(folder / "b.npy", {"--seed", "1"}));
  EXPECT_NE(slurp(folder / "a.npy"), slurp(folder / "b.npy"));
  expect_failure(gradient(folder / "c.npy", {"--memory", "lots"}), 2, "lots", "--memory");
}

// Without a purifier the gradient is the classifier's own: vjp with the cotangent softmax - onehot.
TEST(CliGradient, OfTheClassifierAlone) {
  const ScratchFolder folder;
  const std::string x = golden("chain_inputs") + ":x";
  const std::string out =
      expect_success({"gradient", "-p", "none", "-c", "formula", "--classifier-arch", kWrn, "--labels", "3,5",
                      "--input", x, "--output", folder / "g.npy", "--real", "f64", "--json"})
          .out;
  expect_success(
      {"forward", "--weights", "formula", "--arch", kWrn, "--input", x, "--output", folder / "z.npy", "--real", "f64"});
  std::vector<double> z = npy_values(folder / "z.npy");
  double loss = 0;
  for (int n = 0; n < 2; ++n) {
    double sum = 0;
    const double own = z[10 * n + (n ? 5 : 3)];
    for (int k = 0; k < 10; ++k) sum += std::exp(z[10 * n + k]);
    loss += std::log(sum) - own;
    for (int k = 0; k < 10; ++k) z[10 * n + k] = std::exp(z[10 * n + k]) / sum - (k == (n ? 5 : 3));
  }
  write_npy(folder / "c.npy", {2, 10}, z.data());
  expect_success({"vjp", "--weights", "formula", "--arch", kWrn, "--input", x, "--cotangent", folder / "c.npy",
                  "--output", folder / "dx.npy", "--real", "f64"});
  EXPECT_TRUE(relative_l2(npy_values(folder / "g.npy"), npy_values(folder / "dx.npy")) <= 1e-12);
  ASSERT_EQ(out.rfind("{\"loss\":", 0), 0u) << out;
  EXPECT_TRUE(std::abs(std::stod(out.substr(8)) - loss) <= 1e-12 * loss) << out << loss;
}

TEST(CliExplain, ListsStepsFanInAndMemory) {
  const std::string text = expect_success({"explain", "--arch", kDdpm}).out;
  for (const char* part : {"down.0.block.0.conv1", "src/models/ddpm_unet.cpp:", "702499 trainable parameters",
                           "+= scratch", "arena", "biggest slots"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  const std::string full = expect_success({"explain", "--arch", "ddpm-cifar10"}).out;
  EXPECT_NE(full.find("35746307 trainable parameters"), std::string::npos);
  EXPECT_EQ(expect_success({"explain", "--arch", kWrn, "--mode", "forward"}).out.find("backward of"),
            std::string::npos);
  const std::string json = expect_success({"explain", "--arch", kWrn, "--json"}).out;
  EXPECT_EQ(json.rfind("{\"step\":0,", 0), 0u) << json.substr(0, 80);
}

TEST(CliCompare, FloatDoubleAndFiles) {
  const ScratchFolder folder;
  expect_success({"compare", "f32", "f64", "--arch", kDdpm});
  expect_success({"compare", "exact", "f32", "--arch", kDdpm});  // bar 0
  const ProgramRun tight = run_program({"compare", "f32", "f64", "--arch", kDdpm, "--tol", "1e-12"});
  EXPECT_EQ(tight.code, 1);
  EXPECT_NE(tight.out.find("first step beyond the bar"), std::string::npos) << tight.out;
  EXPECT_NE(tight.out.find("src/models/ddpm_unet.cpp:"), std::string::npos) << tight.out;
  const std::vector<std::string> network = {
      "--arch", kDdpm, "--weights", "formula", "--input", golden("ddpm_small") + ":input.x", "--t", "3,867"};
  auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), network.begin(), network.end());
    return args;
  };
  expect_success(with({"forward", "--output", folder / "y.npy", "--dump", folder / "d.safetensors", "--real", "f64"}));
  expect_success(with({"compare", "f64", folder / "d.safetensors"}));
  expect_success(with({"compare", "f32", folder / "d.safetensors"}));
  EXPECT_EQ(run_program(with({"compare", "f32", folder / "d.safetensors", "--tol", "1e-9"})).code, 1);
  expect_failure({"compare", "f64", folder / "d.safetensors", "--arch", kWrn}, 65, "do not have the same steps");
  expect_failure({"compare", "f64", golden("ddpm_small"), "--arch", kDdpm}, 65, "does not name a step");
}

// A changed value in the middle of a dump is found at its step, by name and model line.
TEST(CliCompare, NamesTheFirstStepThatDiffers) {
  const ScratchFolder folder;
  expect_success({"forward", "--arch", kWrn, "--weights", "formula", "--input", golden("chain_inputs") + ":x",
                  "--output", folder / "y.npy", "--dump", folder / "d.safetensors"});
  std::vector<TensorOut> tensors;
  std::vector<std::vector<float>> values;
  const Safetensors file(folder / "d.safetensors");
  for (const TensorInfo& t : file.tensors()) {
    values.emplace_back(t.count());
    file.read(t, values.back().data());
    if (t.name.rfind("0012 ", 0) == 0) values.back()[5] = NAN;
  }
  std::string name;
  for (size_t i = 0; i < values.size(); ++i) {
    const TensorInfo& t = file.tensors()[i];
    if (t.name.rfind("0012 ", 0) == 0) name = t.name.substr(5);
    tensors.push_back({t.name, t.dtype, t.shape, values[i].data()});
  }
  write_safetensors(folder / "bad.safetensors", tensors, {});
  const ProgramRun run = run_program(
      {"compare", "f32", folder / "bad.safetensors", "--arch", kWrn, "--input", golden("chain_inputs") + ":x"});
  EXPECT_EQ(run.code, 1) << run.err;
  EXPECT_NE(run.out.find("first step beyond the bar: 12, " + name), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("src/models/wide_resnet.cpp:"), std::string::npos) << run.out;
}

TEST(CliSelftest, PassesHere) {
  const ProgramRun run = expect_success({"selftest"});
  EXPECT_NE(run.out.find(" 0 failed"), std::string::npos) << run.out;
  EXPECT_EQ(run.out.find("FAIL "), std::string::npos) << run.out;
  EXPECT_GE(std::count(run.out.begin(), run.out.end(), '\n'), 30);
}

// Another kernel of OpenBLAS, as another CPU would choose it, moves bits first in a step that OpenBLAS computes: everything before it, our own
// loops and convolutions (at any vector width: TileKernel.*), is the same bit for bit.
TEST(CliCompare, TheBlasKernelIsTheOnlyThingThatMovesBits) {
  const ScratchFolder folder;
  int moved = 0;
  for (const std::string& arch : {kDdpm, kWrn}) {
    std::vector<std::string> network = {"--arch", arch, "--input", golden("chain_inputs") + ":x"};
    if (arch == kDdpm) network.insert(network.end(), {"--t", "3,867"});
    std::vector<std::string> forward = {"forward", "--weights", "formula", "--output", folder / "y.npy", "--dump", folder / "d.safetensors"};
    std::vector<std::string> compare = {"compare", "f32", folder / "d.safetensors", "--tol", "0"};
    forward.insert(forward.end(), network.begin(), network.end());
    compare.insert(compare.end(), network.begin(), network.end());
    const ProgramRun dumped = run_program(forward, {"OPENBLAS_CORETYPE=Prescott"});   // SSE3: every x86-64 CPU has it
    ASSERT_EQ(dumped.code, 0) << dumped.err;
    const ProgramRun run = run_program(compare);
    if (run.code == 0) continue;
    ++moved;
    const size_t at = run.out.find("first step beyond the bar");
    ASSERT_NE(at, std::string::npos) << run.out << run.err;
    const std::string step = run.out.substr(at, run.out.find('\n', at) - at);
    EXPECT_TRUE(step.find("(linear)") != std::string::npos || step.find("(attention)") != std::string::npos) << step;
  }
  if (!moved) GTEST_SKIP() << "this OpenBLAS has one kernel only";
}
