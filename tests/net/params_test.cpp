// Parameters from files: keys, shapes, types, memory.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "io/scratch_folder.h"

using namespace purescope;

namespace {

constexpr const char* kArch = "cifar-resnet:depth=8,width=4,size=8,classes=3";

// The tensors of a model, to be changed and written.
struct Weights {
  explicit Weights(const Model& model) {
    auto params = formula_params(model);
    for (size_t p = 0; p < model.params.size(); ++p) {
      const std::vector<real> v = values_of(params->view(static_cast<int>(p)));
      values.emplace_back(v.begin(), v.end());
      out.push_back({model.params[p].key, Dtype::F32, model.params[p].shape, values.back().data()});
    }
  }
  std::vector<std::vector<float>> values;
  std::vector<TensorOut> out;
};

// The same file with `shift` more bytes in its header, so that its data begins elsewhere.
std::string shifted(const std::string& bytes, size_t shift) {
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  const uint64_t longer = length + shift;
  std::string head(8, '\0');
  std::memcpy(head.data(), &longer, 8);
  return head + bytes.substr(8, length) + std::string(shift, ' ') + bytes.substr(8 + length);
}

uint16_t half_bits(float v) {  // of values that a half holds exactly and that are normal
  uint32_t bits;
  std::memcpy(&bits, &v, 4);
  return static_cast<uint16_t>((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023));
}

}  // namespace

TEST(Params, SavedAndLoadedAreTheSame) {
  const ScratchFolder folder;
  const Model model = make_model(kArch);
  auto params = formula_params(model);
  save_params(*params, model, folder / "w.safetensors", {{"arch", model.arch}, {"note", "made by a test"}});
  const auto loaded = Params::load(model, folder / "w.safetensors");
  EXPECT_EQ(loaded->metadata().at("note"), "made by a test");
  EXPECT_EQ(loaded->count(), static_cast<int>(model.params.size()));
  for (int p = 0; p < params->count(); ++p)
    EXPECT_TRUE(compare_bits(values_of(loaded->view(p)), values_of(params->view(p)))) << model.params[p].key;
  EXPECT_EQ(loaded->sha256(), params->sha256());
  set_value(params->view(3), 1, value_at(params->view(3), 1) + 1e-3);
  EXPECT_NE(loaded->sha256(), params->sha256());
}

TEST(Params, FloatReadsAlignedFilesInPlace) {
  const ScratchFolder folder;
  const Model model = make_model(kArch);
  save_params(*formula_params(model), model, folder / "w.safetensors", {});
  const auto in_place = Params::load(model, folder / "w.safetensors");
  const auto own = Params::load(model, folder / "w.safetensors", true);
  int64_t bytes = 0;
  for (const ParamInfo& p : model.params) bytes += 4 * p.count();
  const bool can_map = !kDouble && current_device() == Device::Cpu;
  if (!can_map) { EXPECT_EQ(in_place->mapped(), 0u); EXPECT_GE(in_place->owned(), static_cast<size_t>(bytes / 4)); }
  else { EXPECT_EQ(in_place->mapped(), static_cast<size_t>(bytes)); EXPECT_EQ(in_place->owned(), 0u); }
  EXPECT_EQ(own->mapped(), 0u);
  EXPECT_GE(own->owned(), static_cast<size_t>(bytes / 4));
  EXPECT_EQ(in_place->sha256(), own->sha256());

  for (size_t shift : {1, 2, 3, 4, 8}) {
    spit(folder / "s.safetensors", shifted(slurp(folder / "w.safetensors"), shift));
    const auto moved = Params::load(model, folder / "s.safetensors");
    EXPECT_EQ(moved->mapped() > 0, can_map && shift % 4 == 0) << shift;
    EXPECT_EQ(moved->sha256(), own->sha256()) << shift;
  }
}

TEST(Params, MappedFileOutlivesItsName) {
  const ScratchFolder folder;
  const Model model = make_model(kArch);
  save_params(*formula_params(model), model, folder / "w.safetensors", {});
  const auto params = Params::load(model, folder / "w.safetensors");
  std::filesystem::remove(folder / "w.safetensors");
  EXPECT_EQ(params->sha256(), formula_params(model)->sha256());
}

TEST(Params, DoubleAndHalfWeights) {
  const ScratchFolder folder;
  const Model model = make_model(kArch);
  Weights w(model);
  std::vector<std::vector<double>> wide;
  for (auto& v : w.values) wide.emplace_back(v.begin(), v.end());
  wide[0][1] += 1e-12;  // below float: kept by double, rounded by float
  std::vector<TensorOut> out = w.out;
  for (size_t p = 0; p < out.size(); ++p) { out[p].dtype = Dtype::F64; out[p].data = wide[p].data(); }
  write_safetensors(folder / "f64.safetensors", out, {});
  const auto loaded = Params::load(model, folder / "f64.safetensors");
  EXPECT_EQ(loaded->mapped(), 0u);
  EXPECT_EQ(value_at(loaded->view(0), 1), static_cast<real>(wide[0][1]));
  EXPECT_EQ(loaded->sha256(), formula_params(model)->sha256());

  std::vector<std::vector<uint16_t>> half;
  for (auto& v : w.values) {
    half.emplace_back();
    for (float& x : v) { x = std::round(x * 64) / 64 + 2; half.back().push_back(half_bits(x)); }
  }
  out = w.out;
  for (size_t p = 0; p < out.size(); ++p) { out[p].dtype = Dtype::F16; out[p].data = half[p].data(); }
  write_safetensors(folder / "f16.safetensors", out, {});
  const auto narrow = Params::load(model, folder / "f16.safetensors");
  for (int p = 0; p < narrow->count(); ++p) {
    const std::vector<real> expected(w.values[p].begin(), w.values[p].end());
    EXPECT_TRUE(compare_bits(values_of(narrow->view(p)), expected)) << model.params[p].key;
  }

  // bfloat16: the upper half of a float.
  for (size_t p = 0; p < out.size(); ++p) {
    for (size_t i = 0; i < half[p].size(); ++i) {
      uint32_t bits;
      std::memcpy(&bits, &w.values[p][i], 4);
      half[p][i] = static_cast<uint16_t>(bits >> 16);
      bits &= 0xffff0000;
      std::memcpy(&w.values[p][i], &bits, 4);
    }
    out[p].dtype = Dtype::BF16;
  }
  write_safetensors(folder / "bf16.safetensors", out, {});
  const auto brain = Params::load(model, folder / "bf16.safetensors");
  EXPECT_EQ(brain->mapped(), 0u);
  for (int p = 0; p < brain->count(); ++p) {
    const std::vector<real> expected(w.values[p].begin(), w.values[p].end());
    EXPECT_TRUE(compare_bits(values_of(brain->view(p)), expected)) << model.params[p].key;
  }
}

TEST(Params, EveryDifferenceIsNamedAtOnce) {
  const ScratchFolder folder;
  const Model model = make_model(kArch);
  Weights w(model);
  std::vector<TensorOut> out = w.out;
  const std::string gone = out[2].name, odd = out[0].name, also = out[5].name;
  out[0].shape = {out[0].shape[1], out[0].shape[0], 3, 3};
  out[5].shape = {1, out[5].shape[0]};
  const std::vector<int64_t> whole(10, 1);
  const float extra = 1;
  out.push_back({"head.weight", Dtype::F32, {1}, &extra});
  out.push_back({"bn1.num_batches_tracked", Dtype::I64, {}, whole.data()});
  out.erase(out.begin() + 2);
  write_safetensors(folder / "bad.safetensors", out, {});
  std::string message;
  EXPECT_EQ(exit_code_of([&] { Params::load(model, folder / "bad.safetensors"); }, &message), kBadInput);
  for (const std::string& part :
       {"missing " + gone, odd + " has shape", also + " has shape", std::string("unexpected head.weight"),
        std::string("4 problems"), std::string("bad.safetensors")})
    EXPECT_NE(message.find(part), std::string::npos) << part << " in\n" << message;
  EXPECT_EQ(message.find("num_batches_tracked"), std::string::npos) << message;

  // What is ignored alone is no problem; integers for weights are one.
  out = w.out;
  out.push_back({"bn1.num_batches_tracked", Dtype::I64, {}, whole.data()});
  write_safetensors(folder / "good.safetensors", out, {});
  EXPECT_EQ(Params::load(model, folder / "good.safetensors")->sha256(), formula_params(model)->sha256());
  out[1].dtype = Dtype::I64;
  std::vector<int64_t> integers(w.values[1].size(), 1);
  out[1].data = integers.data();
  write_safetensors(folder / "integers.safetensors", out, {});
  EXPECT_EQ(exit_code_of([&] { Params::load(model, folder / "integers.safetensors"); }, &message), kBadInput);
  EXPECT_NE(message.find(out[1].name), std::string::npos);
  EXPECT_EQ(exit_code_of([&] { Params::load(model, folder / "absent.safetensors"); }), kMissingInput);
  EXPECT_EQ(
      exit_code_of([&] { Params::load(make_model("wrn:depth=10,widen=1"), folder / "good.safetensors"); }, &message),
      kBadInput);
  EXPECT_NE(message.find("wrn:depth=10"), std::string::npos) << message;
}

// Two values of the formula, recorded from its Python twin: mix and fnv1a did not drift.
TEST(Params, FormulaValuesAreThoseOfTheGoldenFiles) {
  const Safetensors golden(golden_path("wrn_small"));
  const std::vector<double> x = tensor(golden, "input.x"), c = tensor(golden, "cotangent");
  const std::vector<double> mine = direction("input", x.size(), 0.5, 0.5), cotangent = direction("cotangent", c.size());
  EXPECT_TRUE(compare_bits(mine, x));
  EXPECT_TRUE(compare_bits(cotangent, c));
  EXPECT_FALSE(compare_bits(direction("inputs", x.size(), 0.5, 0.5), x));
}
