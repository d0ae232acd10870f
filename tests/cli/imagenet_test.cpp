// What files of ImageNet's size and kind need: weights stored in 16 bits, flat folders with labels.
#include <algorithm>

#include "cli/program.h"
#include "io/image.h"

using namespace purescope;

namespace {

// Weights of the small U-Net with its architecture in the metadata. Values: parameter gradients (any will do); many are
// subnormal halves.
std::string small_weights(const ScratchFolder& folder) {
  expect_success({"vjp", "--arch", kDdpm, "--weights", "formula", "--input", golden("ddpm_small") + ":input.x", "--t",
                  "3,867", "--cotangent", golden("ddpm_small") + ":cotangent", "--output", folder / "dx.npy", "--dparams",
                  folder / "w.safetensors"});
  return folder / "w.safetensors";
}

// The nearest number of `digits` bits after the leading one and no exponent below `lowest`: multiples of 2^(e - digits).
float by_hand(float value, int digits, int lowest) {
  if (value == 0) return value;
  const double unit = std::exp2(std::max(std::floor(std::log2(std::fabs(double(value)))), double(lowest)) - digits);
  const double steps = value / unit, whole = std::floor(steps), rest = steps - whole;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) != 0);
  return static_cast<float>((whole + up) * unit);
}

std::vector<std::string> forward(const std::string& weights, const std::string& output) {
  return {"forward", "--weights", weights, "--input", golden("ddpm_small") + ":input.x", "--t", "3,867", "--output", output};
}

std::string write_one(const std::string& path, const std::vector<float>& values) {
  write_safetensors(path, {{"conv.weight", Dtype::F32, {static_cast<int64_t>(values.size())}, values.data()}}, {});
  return path;
}

}  // namespace

TEST(CliImagenet, WeightsIn16BitsAreTheRoundedWeights) {
  const ScratchFolder folder;
  const std::string single = small_weights(folder);
  expect_success(forward(single, folder / "single.npy"));
  const Safetensors file(single);
  const struct { const char* dtype; Dtype type; int digits, lowest; } formats[] = {
      {"f16", Dtype::F16, 10, -14}, {"bf16", Dtype::BF16, 7, -126}};
  for (const auto& f : formats) {
    SCOPED_TRACE(f.dtype);
    const std::string name = f.dtype, half = folder / (name + ".safetensors"), hand = folder / (name + "-by-hand.safetensors");
    const ProgramRun run = expect_success({"convert", single, half, "--arch", kDdpm, "--dtype", name});
    EXPECT_NE(run.err.find("values rounded to " + name), std::string::npos) << run.err;
    std::vector<std::vector<float>> values;
    std::vector<TensorOut> tensors;
    for (const TensorInfo& t : file.tensors()) {
      values.emplace_back(t.count());
      file.read(t, values.back().data());
      for (float& v : values.back()) v = by_hand(v, f.digits, f.lowest);
      tensors.push_back({t.name, Dtype::F32, t.shape, values.back().data()});
    }
    write_safetensors(hand, tensors, file.metadata());
    const Safetensors stored(half);
    ASSERT_EQ(stored.tensors().size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      ASSERT_EQ(stored.find(tensors[i].name)->dtype, f.type) << tensors[i].name;
      const std::vector<double> wanted(values[i].begin(), values[i].end());
      ASSERT_EQ(tensor_values(half, tensors[i].name), wanted) << tensors[i].name;
    }
    EXPECT_LT(std::filesystem::file_size(half), std::filesystem::file_size(single) * 6 / 10);
    EXPECT_EQ(stored.metadata().at("rounded_to"), name + " (to nearest, ties to even)");
    EXPECT_EQ(stored.metadata().at("arch"), kDdpm);
    const std::string listed = expect_success({"inspect", half}).out;
    EXPECT_NE(listed.find(f.type == Dtype::F16 ? "  F16 " : "  BF16"), std::string::npos) << listed;
    EXPECT_EQ(listed.find("  F32 "), std::string::npos) << listed;

    expect_success(forward(half, folder / "half.npy"));
    expect_success(forward(hand, folder / "hand.npy"));
    EXPECT_EQ(slurp(folder / "half.npy"), slurp(folder / "hand.npy"));
    EXPECT_NE(slurp(folder / "half.npy"), slurp(folder / "single.npy")) << "control: rounding changes the output";

    // Widened again: no further rounding, and the file still says what happened to it.
    const std::string wide = folder / (name + "-wide.safetensors"), again = folder / (name + "-again.safetensors");
    expect_success({"convert", half, wide, "--dtype", "f32"});
    EXPECT_EQ(Safetensors(wide).metadata().at("rounded_to"), stored.metadata().at("rounded_to"));
    expect_success({"convert", wide, again, "--dtype", name});
    for (const TensorInfo& t : stored.tensors())
      EXPECT_EQ(tensor_values(again, t.name), tensor_values(half, t.name)) << t.name;
  }
}

TEST(CliImagenet, RoundingNeverMakesWeightsInfinite) {
  const ScratchFolder folder;
  const std::string out = folder / "out.safetensors";
  const std::string large = write_one(folder / "large.safetensors", {1, -65519.996f, 65520, 1e9f});
  expect_failure({"convert", large, out, "--dtype", "f16"}, 65, "conv.weight holds 65520 at index 2, and others, which F16",
                 "--dtype bf16");
  const std::string huge = write_one(folder / "huge.safetensors", {3.4e38f});
  expect_failure({"convert", huge, out, "--dtype", "bf16"}, 65, "conv.weight holds 3.39999995e+38 at index 0 which BF16");
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 2u) << "nothing half-written stays";
  expect_success({"convert", large, out, "--dtype", "bf16"});
  const std::string fits = write_one(folder / "fits.safetensors", {-65519.996f, 1e-9f, 0});
  const ProgramRun run = expect_success({"convert", fits, folder / "f.safetensors", "--dtype", "f16"});
  EXPECT_EQ(tensor_values(folder / "f.safetensors", "conv.weight"), (std::vector<double>{-65504, 0, 0}));
  EXPECT_NE(run.err.find("1 that were not 0 became 0"), std::string::npos) << run.err;
  // Without --dtype nothing changes, and nothing is said of rounding.
  expect_success({"convert", large, folder / "kept.safetensors"});
  EXPECT_EQ(tensor_values(folder / "kept.safetensors", "conv.weight"), tensor_values(large, "conv.weight"));
  EXPECT_EQ(Safetensors(folder / "kept.safetensors").metadata().count("rounded_to"), 0u);
  // Infinity that is in the file stays, with the warning that it always has.
  const std::string infinite = write_one(folder / "infinite.safetensors", {INFINITY});
  const ProgramRun warned = run_program({"convert", infinite, folder / "i.safetensors", "--dtype", "f16"});
  EXPECT_EQ(warned.code, 0) << warned.err;
  EXPECT_NE(warned.err.find("warning: conv.weight holds 1 NaN"), std::string::npos) << warned.err;
}

// RobustBench's wrapper: `model.` before every key, and the constants of the normalisation, which the architecture has inside.
TEST(CliImagenet, WrappedClassifiersKeepTheirNormalisation) {
  const ScratchFolder folder;
  const std::string arch = "resnet:stem=8,planes=4-8,layers=1-1,classes=10,size=16";
  const std::vector<float> image(3 * 256, 0.5f), cotangent(10, 1.0f);
  write_npy(folder / "x.npy", {1, 3, 16, 16}, image.data());
  write_npy(folder / "c.npy", {1, 10}, cotangent.data());
  expect_success({"vjp", "--arch", arch, "--weights", "formula", "--input", folder / "x.npy", "--cotangent", folder / "c.npy",
                  "--output", folder / "dx.npy", "--dparams", folder / "g.safetensors"});
  const Safetensors gradients(folder / "g.safetensors");
  float mean[] = {0.485f, 0.456f, 0.406f}, std[] = {0.229f, 0.224f, 0.225f};
  const int64_t batches = 7;
  const auto wrap = [&](const std::string& name, const std::string& prefix) {
    std::vector<TensorOut> tensors = {{"normalize.mean", Dtype::F32, {1, 3, 1, 1}, mean}, {"normalize.std", Dtype::F32, {1, 3, 1, 1}, std},
                                      {prefix + "bn1.num_batches_tracked", Dtype::I64, {}, &batches}};
    for (const TensorInfo& t : gradients.tensors()) {
      tensors.push_back({prefix + t.name, t.dtype, t.shape, gradients.data(t)});
      if (t.shape.size() != 1 || !t.name.ends_with(".weight")) continue;  // a batch norm: its statistics have no gradient
      for (const char* statistic : {"running_mean", "running_var"})
        tensors.push_back({prefix + t.name.substr(0, t.name.rfind('.') + 1) + statistic, t.dtype, t.shape, gradients.data(t)});
    }
    write_safetensors(folder / name, tensors, {});
    return folder / name;
  };
  expect_success({"convert", wrap("wrapped.safetensors", "model."), folder / "r50.safetensors", "--arch", arch});
  for (const TensorInfo& t : gradients.tensors())
    EXPECT_EQ(tensor_values(folder / "r50.safetensors", t.name), tensor_values(folder / "g.safetensors", t.name)) << t.name;
  std[1] = 0.1994f;  // CIFAR-10's
  expect_failure({"convert", wrap("other.safetensors", ""), folder / "other-out.safetensors", "--arch", arch}, 65,
                 "normalize.std is 0.1994 in channel 1, the architecture normalises with 0.224");
  EXPECT_FALSE(std::filesystem::exists(folder / "other-out.safetensors"));
}

// A flat folder with labels of 1000 classes, attacked; and class folders that are too few for the classifier's class numbers.
TEST(CliImagenet, FlatFoldersInRuns) {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder / "val/class");
  Image image;
  image.width = image.height = 16;
  for (int k = 1; k <= 3; ++k) {
    image.rgb.assign(3 * 256, static_cast<unsigned char>(60 * k));
    write_png(folder / ("val/ILSVRC2012_val_0000000" + std::to_string(k) + ".png"), image);
  }
  write_png(folder / "val/class/1.png", image);
  spit(folder / "labels.txt", "65\n970\n230\n809\n");
  const auto attack = [&](const std::string& data, const std::string& out) {
    return std::vector<std::string>{"attack", "-p", "none", "-c", "formula", "--classifier-arch",
                                    "cifar-resnet:depth=8,size=16,classes=1000,width=4", "--data", data, "--steps", "1", "--draws", "1",
                                    "--no-predict", "--fix-random", "--out", folder / out};
  };
  const ProgramRun run = expect_success(attack("folder:" + folder / "val" + "," + folder / "labels.txt", "run"));
  const std::string order = "folder:val, in the order of the file numbers, labels of labels.txt, images 0 to 2 of 3";
  EXPECT_NE(run.err.find(order), std::string::npos) << run.err;
  EXPECT_NE(slurp(folder / "run/header.json").find(order), std::string::npos);
  const std::string records = slurp(folder / "run/results.0000of0001.jsonl");
  for (const char* label : {"\"label\":65,", "\"label\":970,", "\"label\":230,"})
    EXPECT_NE(records.find(label), std::string::npos) << label << " in\n" << records;
  expect_failure(attack("folder:" + folder / "val", "run2"), 65, "the data has 1 classes, the classifier 1000", "folder:DIR,LIST");
  spit(folder / "kit.txt", "490\n361\n171\n");
  expect_failure(attack("folder:" + folder / "val" + "," + folder / "kit.txt", "run2"), 65, "its id in the ILSVRC2012 development kit", "synset");
  EXPECT_FALSE(std::filesystem::exists(folder / "run2"));
}
