// Weights, arrays and checkpoints that do not fit, and outputs that exist: the right exit code, three lines, nothing
// written.
#include <algorithm>

#include "cli/program.h"
#include "io/checkpoint_builder.h"

using namespace purescope;

namespace {

// A weights file of the small U-Net that tests can spoil. The values are those of its parameter gradients (any will
// do).
class Weights {
 public:
  Weights() {
    expect_success({"vjp", "--arch", kDdpm, "--weights", "formula", "--input", golden("ddpm_small") + ":input.x", "--t",
                    "3,867", "--cotangent", golden("ddpm_small") + ":cotangent", "--output", folder_ / "dx.npy",
                    "--dparams", folder_ / "g.safetensors"});
    const Safetensors file(folder_ / "g.safetensors");
    for (const TensorInfo& t : file.tensors()) {
      std::vector<float> values(t.count());
      file.read(t, values.data());
      tensors.push_back({t.name, t.shape, values});
    }
    metadata = file.metadata();
  }
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    std::vector<float> values;
    Dtype dtype = Dtype::F32;
  };
  Tensor& find(const std::string& name) {
    return *std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.name == name; });
  }
  std::string write(const std::string& name) {
    std::vector<TensorOut> out;
    std::vector<std::vector<unsigned char>> bytes;
    for (const Tensor& t : tensors)
      bytes.emplace_back(t.values.size() * dtype_bits(t.dtype) / 8);  // zeros for other types
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Tensor& t = tensors[i];
      out.push_back({t.name, t.dtype, t.shape,
                     t.dtype == Dtype::F32 ? static_cast<const void*>(t.values.data()) : bytes[i].data()});
    }
    write_safetensors(folder_ / name, out, metadata);
    return folder_ / name;
  }
  std::string operator/(const std::string& name) const { return folder_ / name; }

  std::vector<Tensor> tensors;
  std::map<std::string, std::string> metadata;

 private:
  ScratchFolder folder_;
};

std::vector<std::string> forward(const Weights& w, const std::string& weights,
                                 std::initializer_list<std::string> more = {}) {
  std::vector<std::string> args = {"forward", "--weights", weights,    "--input",  golden("ddpm_small") + ":input.x",
                                   "--t",     "3,867",     "--output", w / "y.npy"};
  args.insert(args.end(), more);
  return args;
}

std::vector<std::string> purify(const Weights& w, const std::string& weights, std::initializer_list<std::string> more) {
  std::vector<std::string> args = {"purify",   "-p",       weights, "--input", golden("chain_inputs") + ":x",
                                   "--output", w / "y.npy"};
  args.insert(args.end(), more);
  return args;
}

}  // namespace

TEST(CliFiles, ArchitectureFromTheFileOrRefused) {
  Weights w;
  EXPECT_EQ(w.metadata["arch"], kDdpm);
  expect_success(forward(w, w.write("named.safetensors")));
  w.metadata.clear();
  const std::string bare = w.write("bare.safetensors");
  std::filesystem::remove(w / "y.npy");
  expect_failure(forward(w, bare), 65, "do not name their architecture", "--arch");
  expect_failure(purify(w, bare, {}), 65, "do not name their architecture", "--purifier-arch");
  EXPECT_FALSE(std::filesystem::exists(w / "y.npy"));
  expect_success(forward(w, bare, {"--arch", kDdpm}));
}

// Case 25.
TEST(CliFiles, NonFiniteWeightsWarnAndStrictRefuses) {
  Weights w;
  w.find("conv_in.bias").values[3] = NAN;
  w.find("conv_in.bias").values[4] = INFINITY;
  const std::string file = w.write("nan.safetensors");
  const ProgramRun run = run_program(forward(w, file));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("warning: weights: conv_in.bias holds 2 NaN or infinite values"), std::string::npos)
      << run.err;
  std::filesystem::remove(w / "y.npy");
  expect_failure(forward(w, file, {"--strict"}), 65, "conv_in.bias holds 2 NaN");
  EXPECT_FALSE(std::filesystem::exists(w / "y.npy"));
}

// Cases 26 and 27: every problem is listed at once.
TEST(CliFiles, KeysAndShapesThatDoNotFit) {
  Weights w;
  expect_failure(forward(w, w.write("w.safetensors"), {"--arch", "ddpm-unet:ch=64,mult=1-2,blocks=1,attn=8,size=16"}),
                 65, "conv_in.weight has shape [32,3,3,3], expected [64,3,3,3]", "more");
  w.find("conv_in.bias").name = "conv_in.bais";
  w.find("conv_out.bias").shape = {3, 1};
  const std::string file = w.write("bad.safetensors");
  expect_failure(forward(w, file), 65, "missing conv_in.bias", "unexpected conv_in.bais");
  expect_failure(forward(w, file), 65, "3 problems", "conv_out.bias has shape [3,1], expected [3]");
}

// Case 28.
TEST(CliFiles, OtherElementTypes) {
  Weights w;
  w.find("conv_in.bias").dtype = Dtype::I64;
  expect_failure(forward(w, w.write("i64.safetensors")), 65, "conv_in.bias");
  w.find("conv_in.bias").dtype = Dtype::F64;
  const std::string file = w.write("f64.safetensors");
  expect_failure(forward(w, file), 65, "conv_in.bias has type F64 where F32 is expected", "--real f64");
  expect_success(forward(w, file, {"--real", "f64"}));
  expect_success({"convert", file, w / "narrow.safetensors", "--dtype", "f32", "--arch", kDdpm});
  expect_success(forward(w, w / "narrow.safetensors"));
}

TEST(CliFiles, PurifiersAreNotUsedBeyondTheirTraining) {
  Weights w;
  w.metadata["t_max"] = "8";
  const std::string file = w.write("w.safetensors");
  expect_success(purify(w, file, {"--t", "8", "--steps-reverse", "1"}));
  std::filesystem::remove(w / "y.npy");
  expect_failure(purify(w, file, {"--t", "9", "--steps-reverse", "1"}), 65, "t_max = 8", "--force");
  EXPECT_FALSE(std::filesystem::exists(w / "y.npy"));
  const ProgramRun run = run_program(purify(w, file, {"--t", "9", "--steps-reverse", "1", "--force"}));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.err.find("warning: t* = 9 is beyond"), std::string::npos) << run.err;
}

TEST(CliFiles, BundledWeightsAreFoundByName) {
  Weights w;
  w.write("small-unet.safetensors");
  const std::string folder = std::filesystem::path(w / "x").parent_path().string();
  const ProgramRun run = run_program(forward(w, "small-unet"), {"PURESCOPE_MODEL_DIR=" + folder});
  EXPECT_EQ(run.code, 0) << run.err;
  expect_failure(forward(w, "tiny-unet"), 66, "tiny-unet", "small-unet", {"PURESCOPE_MODEL_DIR=" + folder});
}

TEST(CliFiles, InputsThatDoNotFit) {
  const ScratchFolder folder;
  std::vector<double> values(2 * 3 * 16 * 16, 0.5);
  write_npy(folder / "ok.npy", {2, 3, 16, 16}, values.data());
  write_npy(folder / "flat.npy", {2, 768}, values.data());
  write_npy(folder / "int.npy", {2, 3, 16, 16}, std::vector<int64_t>(1536, 1).data());
  values[7] = NAN;
  write_npy(folder / "nan.npy", {2, 3, 16, 16}, values.data());
  auto run = [&](const std::string& input, std::initializer_list<std::string> more) {
    std::vector<std::string> args = {"forward", "--weights", "formula",  "--arch",        kDdpm,
                                     "--input", input,       "--output", folder / "y.npy"};
    args.insert(args.end(), more);
    return args;
  };
  expect_failure(run(folder / "flat.npy", {"--t", "3"}), 65, "has shape [2, 768], expected [n, 3, 16, 16]");
  expect_failure(run(folder / "int.npy", {"--t", "3"}), 65, "type I64");
  expect_failure(run(folder / "none.npy", {"--t", "3"}), 66, "none.npy");
  expect_failure(run(golden("chain_inputs") + ":y", {"--t", "3"}), 65, "y");
  expect_failure(run(folder / "nan.npy", {"--t", "3", "--strict"}), 65, "1 NaN or infinite value");
  expect_failure(run(folder / "ok.npy", {}), 2, "--t is missing");
  expect_failure(run(folder / "ok.npy", {"--t", "1,2,3"}), 2, "3 values of --t for 2 images");
  expect_failure(run(folder / "ok.npy", {"--t", "1000"}), 2, "1000", "--t");
  expect_failure({"forward", "--weights", "formula", "--arch", kWrn, "--input", folder / "ok.npy", "--output",
                  folder / "y.npy", "--t", "3"},
                 2, "no time input");
  expect_failure({"forward", "--weights", "formula", "--arch", kWrn, "--input", folder / "ok.npy", "--output",
                  folder / "none/y.npy"},
                 73, "y.npy");
  expect_failure({"forward", "--weights", "formula", "--arch", kWrn, "--input", folder / "ok.npy", "--output", folder / "y.png"}, 2, "an array, not a picture");
  EXPECT_FALSE(std::filesystem::exists(folder / "y.npy"));
  EXPECT_FALSE(std::filesystem::exists(folder / "y.png"));
  expect_success(run(folder / "ok.npy", {"--t", "3"}));
}

// Outputs that cannot be written are refused before the work and not after it: 1000 steps here would take minutes.
TEST(CliFiles, OutputsAreLookedAtFirst) {
  const ScratchFolder folder;
  const auto purify = [&](const std::string& output, std::initializer_list<std::string> more) {
    std::vector<std::string> args = {"purify", "-q", "-p", "formula", "--purifier-arch", "ddpm-cifar10", "--input", folder / "x.npy", "--t", "1000", "--output", output};
    args.insert(args.end(), more);
    return args;
  };
  write_npy(folder / "x.npy", {2, 3, 32, 32}, std::vector<float>(2 * 3072, 0.5f).data());
  expect_failure(purify(folder / "none/y.npy", {}), 73, "cannot create", "none/y.npy");
  expect_failure(purify(folder / "y.png", {}), 2, "only one image");
  expect_failure(purify(folder / "y.jpg", {}), 2, "only as PNG");
  expect_failure(purify(folder / "y.npy", {"--export-noise", folder / "none/n.safetensors"}), 73, "none/n.safetensors");
  expect_failure({"train", "ddpm", "--arch", kDdpm, "--data", "shapes", "--out", folder / "none/w.safetensors"}, 73, "none/w.safetensors");
}

TEST(CliFiles, LabelsAndNetworksThatDoNotFit) {
  const ScratchFolder folder;
  auto run = [&](const std::string& labels, std::initializer_list<std::string> more) {
    std::vector<std::string> args = {"gradient",
                                     "-p",
                                     "formula",
                                     "--purifier-arch",
                                     kDdpm,
                                     "-c",
                                     "formula",
                                     "--input",
                                     golden("chain_inputs") + ":x",
                                     "--t",
                                     "2",
                                     "--labels",
                                     labels,
                                     "--output",
                                     folder / "g.npy"};
    args.insert(args.end(), more);
    return args;
  };
  expect_failure(run("3", {"--classifier-arch", kWrn}), 65, "1 labels for 2 images");
  expect_failure(run("3,10", {"--classifier-arch", kWrn}), 2, "\"10\"", "--labels");
  expect_failure(run("3,x", {"--classifier-arch", kWrn}), 2, "\"x\"", "--labels");
  write_npy(folder / "labels.npy", {2}, std::vector<int64_t>{3, 11}.data());
  expect_failure(run(folder / "labels.npy", {"--classifier-arch", kWrn}), 65, "label 11");
  expect_failure(run("3,5", {"--classifier-arch", "wrn:depth=10,widen=1"}), 65, "32 x 32");
  expect_failure(run("3,5", {"--classifier-arch", kDdpm}), 2, "not a classifier");
  expect_failure({"purify", "-p", "formula", "--purifier-arch", kWrn, "--input", golden("chain_inputs") + ":x",
                  "--output", folder / "y.npy"},
                 2, "not a purifier");
  EXPECT_FALSE(std::filesystem::exists(folder / "g.npy"));
  write_npy(folder / "labels.npy", {2}, std::vector<int64_t>{3, 5}.data());
  const std::string list = expect_success(run("3,5", {"--classifier-arch", kWrn})).out;
  EXPECT_EQ(expect_success(run(folder / "labels.npy", {"--classifier-arch", kWrn})).out, list);
}

namespace {

// A checkpoint {"epoch": 3, "state_dict": {"module.a.weight": [2, 2], "module.b": [3]}} of half-precision and float
// values.
std::string small_checkpoint() {
  using namespace bytes;
  const std::string a = rebuild(storage("FloatStorage", "0", 4), 0, {2, 2}, {2, 1}),
                    b = rebuild(storage("HalfStorage", "1", 3), 0, {3}, {1});
  const std::string half = le(0x3c00, 2) + le(0xc000, 2) + le(0x3800, 2);  // 1, -2, 0.5
  return zip(zip_items(dict({{"epoch", integer(3)}, {"state_dict", dict({{"module.a.weight", a}, {"module.b", b}})}}),
                       {f32(1) + f32(2) + f32(3) + f32(4), half}));
}

}  // namespace

TEST(CliFiles, ConvertCleansKeysAndKeepsTypes) {
  const ScratchFolder folder;
  spit(folder / "c.pt", small_checkpoint());
  const ProgramRun run = expect_success({"convert", folder / "c.pt", folder / "c.safetensors"});
  EXPECT_NE(run.err.find("prefix module. removed from 2"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("types kept: 1 F16, 1 F32"), std::string::npos) << run.err;
  const Safetensors file(folder / "c.safetensors");
  ASSERT_NE(file.find("b"), nullptr);
  EXPECT_EQ(file.find("b")->dtype, Dtype::F16);
  EXPECT_EQ(tensor_values(folder / "c.safetensors", "b"), (std::vector<double>{1, -2, 0.5}));
  EXPECT_EQ(tensor_values(folder / "c.safetensors", "a.weight"), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(file.metadata().count("arch"), 0u);
  expect_success({"convert", folder / "c.pt", folder / "raw.safetensors", "--raw"});
  EXPECT_EQ(tensor_values(folder / "raw.safetensors", "state_dict.module.b"), (std::vector<double>{1, -2, 0.5}));
  EXPECT_NE(expect_success({"inspect", folder / "c.safetensors"}).out.find("a.weight"), std::string::npos);
  EXPECT_NE(expect_success({"inspect", folder / "c.pt"}).out.find("state_dict.module.a.weight"), std::string::npos);
}

// A moving average stored as a list: entry i is the i-th parameter. The values are those of parameter gradients (any will do).
TEST(CliFiles, ConvertNamesAveragedWeights) {
  const ScratchFolder folder;
  const std::string arch = "ddpmpp:nf=16,mult=1-2,blocks=2,attn=8,size=16", list = folder / "list.safetensors", out = folder / "out.safetensors";
  expect_success({"vjp", "--arch", arch, "--weights", "formula", "--input", golden("ddpmpp_small") + ":input.x", "--t", "3,867",
                  "--cotangent", golden("ddpmpp_small") + ":cotangent", "--output", folder / "dx.npy", "--dparams", folder / "g.safetensors"});
  const Safetensors file(folder / "g.safetensors");
  // The order of registration: by module, its layers as the original class makes them, weight before bias. The file has its own order.
  const auto place = [](const std::string& name) {
    const std::vector<std::string> layers = {"GroupNorm_0", "Conv_0", "Dense_0", "GroupNorm_1", "Conv_1", "Conv_2", "NIN_0", "NIN_1", "NIN_2", "NIN_3"};
    int layer = 0;
    for (size_t i = 0; i < layers.size(); ++i) if (name.find("." + layers[i] + ".") != std::string::npos) layer = static_cast<int>(i);
    const std::string last = name.substr(name.rfind('.') + 1);
    return std::tuple(std::stoi(name.substr(std::string("all_modules.").size())), layer, last == "bias" || last == "b");
  };
  std::vector<TensorInfo> ordered(file.tensors().begin(), file.tensors().end());
  std::sort(ordered.begin(), ordered.end(), [&](const TensorInfo& a, const TensorInfo& b) { return place(a.name) < place(b.name); });
  std::vector<TensorOut> tensors;
  for (const TensorInfo& t : ordered)
    tensors.push_back({"ema.shadow_params." + std::to_string(tensors.size()), t.dtype, t.shape, file.data(t)});
  write_safetensors(list, tensors, {});
  expect_success({"convert", list, out, "--arch", arch, "-q"});
  for (const TensorInfo& t : file.tensors()) EXPECT_EQ(tensor_values(out, t.name), tensor_values(folder / "g.safetensors", t.name)) << t.name;
  tensors.pop_back();
  write_safetensors(list, tensors, {});
  expect_failure({"convert", list, folder / "short.safetensors", "--arch", arch, "-q"}, 65, "missing all_modules.22.bias");
  expect_failure({"convert", list, folder / "other.safetensors", "--arch", "ddpmpp:nf=8,mult=1,blocks=1,size=16", "-q"}, 65, "has shape");
}

TEST(CliFiles, PresetsSetTheirFlags) {
  const ScratchFolder folder;
  const std::vector<std::string> base = {"purify", "-p", "formula", "--purifier-arch", kDdpm, "--input", golden("chain_inputs") + ":x", "--output"};
  auto said = [&](const std::string& name, std::initializer_list<std::string> more) {
    std::vector<std::string> args = base;
    args.push_back(folder / name);
    args.insert(args.end(), more);
    const ProgramRun run = run_program(args);
    EXPECT_EQ(run.code, 0) << run.err;
    return run.err;
  };
  EXPECT_NE(said("a.npy", {"--t", "2", "--preset", "cifar10-reverse"}).find("t* 2, forward none"), std::string::npos);  // in any order
  EXPECT_NE(said("b.npy", {"--preset", "imagenet-dpm20", "--image-size", "16", "--sampler", "dpmsolver:steps=3"}).find("3 network calls from t = 100/1000"),
            std::string::npos);
  EXPECT_NE(said("c.npy", {"--preset", "cifar10-scoresde-vp", "--t", "2"}).find("labels 999 t"), std::string::npos);
  std::vector<std::string> wrong = base;
  wrong.insert(wrong.end(), {folder / "d.npy", "--preset", "imagenets"});
  expect_failure(wrong, 2, "unknown preset", "imagenet-guided");
}

TEST(CliFiles, ConvertRefuses) {
  const ScratchFolder folder;
  spit(folder / "c.pt", small_checkpoint());
  spit(folder / "there.safetensors", "precious");
  expect_failure({"convert", folder / "c.pt", folder / "there.safetensors"}, 73, "the output exists", "--force");
  EXPECT_EQ(slurp(folder / "there.safetensors"), "precious");
  const std::string out = folder / "c.safetensors";
  expect_failure({"convert", folder / "c.pt", out, "--arch", "cifar-resnet-20"}, 65, "missing conv1.weight",
                 "unexpected a.weight");
  expect_failure({"convert", folder / "c.pt", out, "--take", "ema"}, 65, "ema");
  expect_failure({"convert", folder / "c.pt", out, "--take", "optimizer"}, 2, "optimizer");
  expect_failure({"convert", folder / "c.pt", out, "--raw", "--take", "model"}, 2, "exclude");
  expect_failure({"convert", folder / "none.pt", out}, 66, "none.pt");
  std::string damaged = small_checkpoint();
  damaged.resize(damaged.size() / 2);
  spit(folder / "cut.pt", damaged);
  expect_failure({"convert", folder / "cut.pt", out}, 65, "");
  expect_failure({"inspect", folder / "none"}, 66, "none");
  EXPECT_FALSE(std::filesystem::exists(out));
  expect_success({"convert", folder / "c.pt", folder / "there.safetensors", "--force"});
  EXPECT_EQ(tensor_values(folder / "there.safetensors", "b").size(), 3u);
}
