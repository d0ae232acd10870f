// Peak memory: of the full-chain gradient, one network's activations, whatever t* is (only the states between the steps grow with it);
// of a conversion, a few copies of the largest tensor, whatever the file holds.
#include <cstdlib>

#include "cli/program.h"
#include "io/checkpoint_builder.h"
#include "io/safetensors.h"
#include "test_paths.h"

using namespace purescope;

namespace {

// Peak resident set in bytes of the program, by a small helper process (tests/bench/peak_memory.cpp), or 0 where it cannot be had.
double peak_of_program(const std::string& words) {
  const ScratchFolder folder(true);
  const std::string command = std::string("'") + PURESCOPE_PEAK_MEMORY + "' '" + PURESCOPE_PROGRAM + "' " + words + " > '" + folder.path() + "/out'";
  if (std::system(command.c_str()) != 0) return 0;
  const std::string out = slurp(folder / "out");
  const size_t at = out.find("peak resident set ");
  return at == std::string::npos ? 0 : std::stod(out.substr(at + 18));
}

double peak_of(const std::string& t, const std::string& output) {
  const ScratchFolder folder(true);
  const std::string words = "gradient -q -p formula --purifier-arch ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4 -c formula "
                              "--classifier-arch cifar-resnet:depth=8,size=8,classes=4,width=4 --labels 3 --threads 1 --input '" +
                              folder.path() + "/x.npy' --output '" + output + "' --t " + t;
  std::vector<float> x(192, 0.5f);
  write_npy(folder / "x.npy", {1, 3, 8, 8}, x.data());
  return peak_of_program(words);
}

}  // namespace

// 990 more steps keep 990 more images of 3 x 8 x 8 floats; 3 MB more for the allocator and the schedule of the run.
TEST(CliMemory, GrowsByOneImagePerStep) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  const double few = peak_of("10", folder / "a.npy"), many = peak_of("1000", folder / "b.npy");
  if (few == 0 || many == 0) GTEST_SKIP() << "no peak resident set on this system";
  const double image = 3 * 8 * 8 * sizeof(float);
  EXPECT_LE(many - few, 990 * image + 3e6);
  EXPECT_GT(few, 2e6);
  EXPECT_NE(npy_values(folder / "a.npy"), npy_values(folder / "b.npy"));
  std::printf("peak resident set %.2f MB at t* = 10, %.2f MB at t* = 1000\n", few / 1e6, many / 1e6);
}

// The forecast of a run: printed before it, right to a tenth (and 3 MB of the allocator), refused with the batch that fits.
TEST(CliMemory, RunsForecastTheirPasses) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  int runs = 0;
  const auto words = [&](const std::string& batch) {
    return std::vector<std::string>{"attack", "-p", "formula", "--purifier-arch", "ddpm-unet:ch=16,mult=1-2,blocks=1,attn=8,size=16,groups=4", "-c", "formula", "--classifier-arch",
                "wrn:depth=10,widen=1,classes=4,size=16", "-n", "128", "--t", "2", "--steps", "1", "--draws", "1", "--no-predict", "--fix-random", "--threads", "1",
                "--batch", batch, "--out", folder / ("run" + std::to_string(runs++))};
  };
  const auto forecast = [&](const std::string& batch, int images) {
    const std::string text = expect_success(words(batch)).err, end = " MiB for " + std::to_string(images) + " image";
    const size_t begin = text.find("memory: ");
    EXPECT_NE(text.find(end), std::string::npos) << text;
    return begin == std::string::npos ? 0.0 : std::stod(text.substr(begin + 8)) * (1 << 20);
  };
  const auto peak = [&](const std::string& batch) {
    std::string line;
    for (const std::string& word : words(batch)) line += " '" + word + "'";
    return peak_of_program(line);
  };
  const double grows = forecast("128", 128) - forecast("1", 1), grew = peak("128") - peak("1");
  EXPECT_EQ(forecast("auto", 128), forecast("128", 128));
  if (grew > 0) EXPECT_NEAR(grew, grows, 0.1 * grows + 3e6);
  else std::printf("no peak resident set on this system\n");
  expect_failure(words("400000000"), 69, "use --batch 128, or --batch auto");
}

// Control: keeping the activations of every step is seen by the same measurement.
TEST(CliMemory, KeptStepsAreSeen) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  const double few = peak_of("100", folder / "a.npy"), kept = peak_of("100 --memory max", folder / "b.npy");
  if (few == 0 || kept == 0) GTEST_SKIP() << "no peak resident set on this system";
  EXPECT_GT(kept - few, 100 * 3 * 8 * 8 * sizeof(float) + 3e6);
  EXPECT_EQ(slurp(folder / "a.npy"), slurp(folder / "b.npy"));
}

// A checkpoint of 24 tensors of 4 MB (96 MB), written out in double (192 MB).
TEST(CliMemory, ConversionHoldsOneTensorAtATime) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  constexpr int kTensors = 24, kValues = 1 << 20;
  std::vector<bytes::ZipItem> items = {{"m/data.pkl", ""}, {"m/version", "3\n"}};
  std::vector<std::pair<std::string, std::string>> entries;
  for (int k = 0; k < kTensors; ++k) {
    const std::string key = std::to_string(k);
    const std::vector<float> values(kValues, static_cast<float>(k));
    entries.push_back({"w" + key, bytes::rebuild(bytes::storage("FloatStorage", key, kValues), 0, {kValues}, {1})});
    items.push_back({"m/data/" + key, {reinterpret_cast<const char*>(values.data()), kValues * sizeof(float)}});
  }
  items[0].content = bytes::pickle(bytes::dict(entries));
  spit(folder / "big.pt", bytes::zip(items));
  const double peak = peak_of_program("convert -q '" + folder / "big.pt" + "' '" + folder / "big.safetensors" + "' --dtype f64");
  if (peak == 0) GTEST_SKIP() << "no peak resident set on this system";
  EXPECT_LT(peak, 50e6);
  std::printf("peak resident set %.1f MB\n", peak / 1e6);
  const Safetensors file(folder / "big.safetensors");
  ASSERT_EQ(file.tensors().size(), static_cast<size_t>(kTensors));
  std::vector<double> values(kValues);
  for (int k = 0; k < kTensors; ++k) {
    file.read(*file.find("w" + std::to_string(k)), values.data());
    EXPECT_EQ(values.front(), k);
    EXPECT_EQ(values.back(), k);
  }
}

// A program in double reads weights into memory of its own, tensor by tensor: the pages of the file (8.9 MB in double, 4.5 MB in float) do
// not stay beside them, so that the size of the file does not matter. Bar: half of what would stay.
TEST(CliMemory, FilesConvertedOnLoadAreNotHeldTwice) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  const std::string single = std::string(PURESCOPE_TEST_DIR) + "/../weights/cifar10-ddpm.safetensors";
  const Safetensors file(single);
  std::vector<std::vector<double>> values;
  std::vector<TensorOut> out;
  for (const TensorInfo& t : file.tensors()) {
    values.emplace_back(t.count());
    file.read(t, values.back().data());
    out.push_back({t.name, Dtype::F64, t.shape, values.back().data()});
  }
  write_safetensors(folder / "double.safetensors", out, file.metadata());
  std::vector<float> x(3 * 32 * 32, 0.5f);
  write_npy(folder / "x.npy", {1, 3, 32, 32}, x.data());
  const auto peak = [&](const std::string& weights, const std::string& y) {
    return peak_of_program("forward -q --real f64 --threads 1 --device cpu --t 37 --weights '" + weights + "' --input '" + folder / "x.npy" + "' --output '" + folder / y + "'");
  };
  const double small = peak(single, "a.npy"), large = peak(folder / "double.safetensors", "b.npy");
  ASSERT_EQ(slurp(folder / "a.npy"), slurp(folder / "b.npy"));
  if (small == 0 || large == 0) GTEST_SKIP() << "no peak resident set on this system";
  std::printf("peak resident set %.2f MB from a float file, %.2f MB from a double one\n", small / 1e6, large / 1e6);
  EXPECT_LT(large - small, 2.2e6);
}
