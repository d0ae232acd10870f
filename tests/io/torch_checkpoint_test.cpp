#include "io/torch_checkpoint.h"

#include "io/checkpoint_builder.h"
#include "io/checkpoint_keys.h"
#include "io/inspect.h"
#include "io/npy.h"
#include "io/safetensors.h"

using namespace purescope;
using namespace bytes;

namespace {

void open_checkpoint(const std::string& path) { read_torch_checkpoint(path); }

std::string floats(const std::vector<float>& values) {
  std::string out;
  for (float v : values) out += f32(v);
  return out;
}

std::vector<double> values(const Checkpoint& c, const std::string& name) {
  const CheckpointTensor* t = c.find(name);
  if (!t) { ADD_FAILURE() << "no tensor " << name; return {}; }
  std::vector<double> out(t->count());
  convert(t->dtype, t->bytes().data(), out.size(), out.data(), name);
  return out;
}

// The same tensors for both containers: `view` is "" or "N".
std::string sample_body(const std::string& view) {
  const std::string base = storage("FloatStorage", "0", 6, view);
  return dict(
      {{"epoch", "K\x05"},
       {"lr", std::string("G\x3f\xe0\0\0\0\0\0\0", 9)},
       {"state_dict", global("collections", "OrderedDict") + ")R(" + text("module.conv.weight") +
                          rebuild(base, 0, {2, 3}, {3, 1}) + text("module.turned") + rebuild(base, 0, {3, 2}, {1, 3}) +
                          text("module.some") + rebuild(base, 1, {2}, {2}) + text("module.again") +
                          rebuild(base, 5, {2, 2}, {0, 0}) + text("module.scalar") +
                          rebuild(storage("LongStorage", "1", 1, view), 0, {}, {}) + text("module.none") +
                          rebuild(base, 0, {0, 3}, {3, 1}) + text("module.param") +
                          global("torch._utils", "_rebuild_parameter") + "(" + rebuild(base, 4, {1}, {1}) + "\x88" +
                          global("collections", "OrderedDict") + ")RtR" + "u}(" + text("_metadata") + "Nub"},
       {"optimizer", "}(K\x07" + rebuild(storage("BFloat16Storage", "2", 2, view), 0, {2}, {1}) + "u"}});
}
const std::vector<std::string> kStorages = {floats({1, 2, 3, 4, 5, 6}), le(static_cast<uint64_t>(-9), 8),
                                            std::string("\x80\x3f\0\xc0", 4)};

std::string sample_zip() { return zip(zip_items(sample_body(""), kStorages)); }
std::string sample_legacy() {
  Legacy l;
  l.body = sample_body("N");
  l.keys = key_list({"0", "1", "2"});
  l.data = le(6, 8) + kStorages[0] + le(1, 8) + kStorages[1] + le(2, 8) + kStorages[2];
  return l.bytes();
}

void check_sample(const Checkpoint& c) {
  ASSERT_EQ(c.tensors.size(), 8u);
  EXPECT_EQ(c.sections, (std::vector<std::string>{"state_dict", "optimizer"}));
  EXPECT_EQ(values(c, "state_dict.module.conv.weight"), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values(c, "state_dict.module.turned"), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(values(c, "state_dict.module.some"), (std::vector<double>{2, 4}));
  EXPECT_EQ(values(c, "state_dict.module.again"), (std::vector<double>{6, 6, 6, 6}));
  EXPECT_EQ(values(c, "state_dict.module.scalar"), (std::vector<double>{-9}));
  EXPECT_EQ(c.find("state_dict.module.none")->shape, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(values(c, "state_dict.module.param"), (std::vector<double>{5}));
  EXPECT_EQ(values(c, "optimizer.7"), (std::vector<double>{1, -2}));
}

}  // namespace

TEST(TorchCheckpoint, ZipAndLegacyGiveTheSameTensors) {
  Folder folder;
  const Checkpoint a = read_torch_checkpoint(folder.put("a.pt", sample_zip()));
  const Checkpoint b = read_torch_checkpoint(folder.put("b.pt", sample_legacy()));
  check_sample(a);
  check_sample(b);
  EXPECT_EQ(a.container, "zip");
  EXPECT_EQ(b.container, "legacy");
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    EXPECT_EQ(a.tensors[i].name, b.tensors[i].name);
    EXPECT_EQ(a.tensors[i].bytes(), b.tensors[i].bytes());
  }
}

TEST(TorchCheckpoint, ZipVariants) {
  Folder folder;
  auto items = zip_items(sample_body(""), kStorages);
  for (ZipItem& item : items) item.wide = true;
  check_sample(read_torch_checkpoint(folder.put("zip64", zip(items, true))));
  for (ZipItem& item : items) { item.wide = false; item.flags = 0; }
  items.push_back({"x/byteorder", "little"});
  items.push_back({"x/code/net.py", "packed", 8});
  items.push_back({".data/serialization_id", "123"});
  check_sample(read_torch_checkpoint(folder.put("plain", zip(items))));
}

TEST(TorchCheckpoint, LegacyViewsAndOldForms) {
  Folder folder;
  Legacy l;
  const std::string view = text("v") + "K\x02K\x03\x87";  // elements 2, 3, 4 of the root
  const std::string old_tensor = global("torch._utils", "_rebuild_tensor") + "(" +
                                 storage("FloatStorage", "0", 6, view) + "K\x01" + tuple({2}) + tuple({1}) + "tR";
  // OrderedDict([["w", tensor]]) with a byte string, as Python 2 wrote it.
  l.body = global("collections", "OrderedDict") + "](](U\x01w" + old_tensor + "ee\x85R";
  l.keys = key_list({"0"});
  l.data = le(6, 8) + kStorages[0];
  const Checkpoint c = read_torch_checkpoint(folder.put("x", l.bytes()));
  EXPECT_EQ(values(c, "w"), (std::vector<double>{4, 5}));
}

TEST(TorchCheckpoint, TorchScriptArchive) {
  Folder folder;
  const std::string child =
      global("__torch__.nn", "Conv") + ")\x81" +
      dict({{"weight", rebuild(storage("FloatStorage", "0", 6), 0, {6}, {1})},
            {"padding", global("torch.jit._pickle", "build_intlist") + "](K\x01K\x01" + "e\x85R"}}) +
      "b";
  const std::string body = global("__torch__", "Net") + ")\x81" + dict({{"training", "\x88"}, {"conv", child}}) + "b";
  auto items = zip_items(body, kStorages);
  expect_refused("objects without constants.pkl", zip(items), "not on the list", open_checkpoint);
  items.push_back({"x/constants.pkl", pickle(")")});
  const Checkpoint c = read_torch_checkpoint(folder.put("x", zip(items)));
  EXPECT_EQ(c.container, "torchscript");
  EXPECT_EQ(c.tensors.size(), 1u);
  EXPECT_EQ(values(c, "conv.weight"), (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(TorchCheckpoint, EveryTruncationIsRefused) {
  expect_all_truncations_refused(sample_zip(), open_checkpoint);
  expect_all_truncations_refused(sample_legacy(), open_checkpoint);
}

TEST(TorchCheckpoint, ChangedBytesNeverCrash) {
  expect_all_mutations_survived(sample_zip(), open_checkpoint);
  expect_all_mutations_survived(sample_legacy(), open_checkpoint);
}

TEST(CheckpointKeys, SectionsAndPrefixes) {
  Folder folder;
  const std::string path = folder.put("a.pt", sample_zip());
  Checkpoint c = read_torch_checkpoint(path);
  const KeyChoice choice = clean_keys(c, "auto");
  EXPECT_EQ(choice.section, "state_dict");
  EXPECT_EQ(choice.kept, 7u);
  EXPECT_EQ(choice.left_out, 1u);
  EXPECT_NE(c.find("conv.weight"), nullptr);
  EXPECT_EQ(choice.text(), "part state_dict: 7 tensors kept, 1 left out; prefix module. removed from 7");
  c = read_torch_checkpoint(path);
  EXPECT_EQ(clean_keys(c, "none").kept, 8u);
  EXPECT_NE(c.find("state_dict.module.conv.weight"), nullptr);
  EXPECT_THROW(clean_keys(c, "ema"), Error);
  EXPECT_THROW(clean_keys(c, "everything"), Error);

  // Only leading prefixes go; a text inside a name stays.
  const auto make = [](const std::vector<std::string>& names, const std::vector<std::string>& sections) {
    Checkpoint made;
    for (const std::string& name : names) made.tensors.push_back({name, Dtype::U8, {1}, nullptr, nullptr, {}});
    made.sections = sections;
    return made;
  };
  const auto names = [](const Checkpoint& made) {
    std::vector<std::string> out;
    for (const CheckpointTensor& t : made.tensors) out.push_back(t.name);
    return out;
  };
  c = make({"module.model.a", "model.b", "x.module.c", "module.d"}, {});
  clean_keys(c, "auto");
  EXPECT_EQ(names(c), (std::vector<std::string>{"a", "b", "x.module.c", "d"}));
  c = make({"module.a", "a"}, {});
  EXPECT_THROW(clean_keys(c, "auto"), Error);
  c = make({"model.module.a", "ema.shadow_params.0"}, {"model", "ema"});
  EXPECT_EQ(clean_keys(c, "auto").section, "model");
  EXPECT_EQ(names(c), std::vector<std::string>{"a"});
  c = make({"model.module.a", "ema.shadow_params.0"}, {"model", "ema"});
  EXPECT_EQ(clean_keys(c, "ema").section, "ema");
  EXPECT_EQ(names(c), std::vector<std::string>{"ema.shadow_params.0"});
}

TEST(Inspect, NamesTheTensorsAndTheHash) {
  Folder folder;
  const float f[2] = {1, std::numeric_limits<float>::infinity()};
  write_safetensors(folder / "x", {{"weight", Dtype::F32, {1, 2}, f}}, {{"made", "here"}});
  const std::string text = inspect_text(folder / "x");
  for (const char* part :
       {"safetensors", "weight  F32   [1, 2]", "parameters  2", "made = here", "holds 1 NaN or infinite"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  EXPECT_NE(text.find(sha256_file(folder / "x")), std::string::npos);
  EXPECT_NE(inspect_text(folder.put("y", sample_zip())).find("state_dict.module.turned"), std::string::npos);
  EXPECT_NE(inspect_text(folder.put("z", sample_legacy())).find("legacy container"), std::string::npos);
  write_npy(folder / "n.npy", {2}, f);
  EXPECT_NE(inspect_text(folder / "n.npy").find("[2]"), std::string::npos);
  EXPECT_THROW(inspect_text(folder.put("w", "what is this")), Error);
}

// Files written by several releases of torch, with the values torch itself reads back.
TEST(TorchCheckpoint, ReferenceFiles) {
  const char* root = std::getenv("PURESCOPE_REFERENCE_DIR");
  if (!root) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set";
  const std::string folder = std::string(root) + "/ckpt/";
  struct Case { const char *file, *expected, *prefix; };
  for (const Case& c : {Case{"statedict_zip.pt", "statedict", ""},
                        {"statedict_legacy.pt", "statedict", ""},
                        {"statedict_legacy_nonbt.pth", "statedict", ""},
                        {"nested_module_zip.pt", "statedict", "state_dict.module."},
                        {"nested_module_legacy.pt", "statedict", "state_dict.module."},
                        {"odd_zip.pt", "odd", ""},
                        {"odd_legacy.pt", "odd", ""},
                        {"torchscript.pt", "torchscript", ""},
                        {"score_sde_layout_zip.pth", "score_sde_layout", "model."},
                        {"score_sde_layout_legacy.pth", "score_sde_layout", "model."}}) {
    SCOPED_TRACE(c.file);
    const Checkpoint got = read_torch_checkpoint(folder + c.file);
    const Safetensors want(folder + c.expected + ".expected.safetensors");
    size_t compared = 0;
    for (const TensorInfo& t : want.tensors()) {
      const CheckpointTensor* found = got.find(c.prefix + t.name);
      if (!found) found = got.find(t.name);
      if (!found && t.name.find("num_batches_tracked") != t.name.npos) continue;  // not there before PyTorch 0.4
      ASSERT_NE(found, nullptr) << t.name;
      EXPECT_EQ(found->shape, t.shape) << t.name;
      std::vector<double> a(found->count()), b(static_cast<size_t>(t.count()));
      convert(found->dtype, found->bytes().data(), a.size(), a.data(), t.name);
      want.read(t, b.data());
      EXPECT_EQ(a, b) << t.name;
      compared += a.size();
    }
    EXPECT_GT(compared, 50u);
  }
  try {
    read_torch_checkpoint(folder + "whole_module_REFUSE.pt");
    ADD_FAILURE() << "a whole module was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, kBadInput);
    EXPECT_NE(error.message().find("model.state_dict()"), std::string::npos) << error.message();
  }
}

// A ResNet-20 for CIFAR-10 in the legacy form, as published.
TEST(TorchCheckpoint, PublishedLegacyFile) {
  const char* root = std::getenv("PURESCOPE_REFERENCE_DIR");
  const std::string path = std::string(root ? root : "") + "/../data/checkpoints/cifar10_resnet20_legacy.th";
  if (!root || !std::filesystem::exists(path)) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set or has no such file";
  Checkpoint c = read_torch_checkpoint(path);
  EXPECT_EQ(clean_keys(c, "auto").section, "state_dict");
  ASSERT_NE(c.find("conv1.weight"), nullptr);
  EXPECT_EQ(c.find("conv1.weight")->shape, (std::vector<int64_t>{16, 3, 3, 3}));
  size_t parameters = 0;
  for (const CheckpointTensor& t : c.tensors) {
    EXPECT_EQ(count_nonfinite(t.dtype, t.bytes().data(), t.count(), t.name), 0u) << t.name;
    if (t.name.find("running_") == t.name.npos && t.name.find("num_batches") == t.name.npos) parameters += t.count();
  }
  EXPECT_EQ(parameters, 269722u);  // 0.27 million: He et al. 2016, table 6
}
