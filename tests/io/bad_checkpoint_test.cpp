// Damaged and hostile checkpoints: each must be refused with exit 65 and a message that names the fault.
#include "io/checkpoint_builder.h"
#include "io/torch_checkpoint.h"

using namespace purescope;
using namespace bytes;

namespace {

void open_checkpoint(const std::string& path) { read_torch_checkpoint(path); }

const std::string kData(16, '\1');  // four floats

// One tensor of four elements, built from `from`.
std::string weights(const std::string& from) { return dict({{"w", rebuild(from, 0, {4}, {1})}}); }
std::string zip_storage() { return storage("FloatStorage", "0", 4); }
std::vector<ZipItem> good_items() { return zip_items(weights(zip_storage()), {kData}); }
std::string zip_with(const std::string& body) { return zip(zip_items(body, {kData})); }

Legacy good_legacy() {
  Legacy l;
  l.body = weights(storage("FloatStorage", "0", 4, "N"));
  l.keys = key_list({"0"});
  l.data = le(4, 8) + kData;
  return l;
}
std::string legacy_with(const std::string& body) {
  Legacy l = good_legacy();
  l.body = body;
  return l.bytes();
}

struct Bad { std::string label, content; const char* text; };

// Cases 62-69 live in the pickle and apply to both containers.
std::vector<Bad> pickle_cases(const std::string& view, std::string (*wrap)(const std::string&)) {
  const std::string base = storage("FloatStorage", "0", 4, view);
  const std::string nested("]q\0h\0a", 6);  // a list that holds itself
  std::string doubling = "]";  // 60 times: x = (x, x)
  for (int i = 0; i < 60; ++i) doubling += std::string("q\0h\0\x86", 5);
  return {
      {"62 os.system", wrap(global("os", "system") + text("true") + "\x85R"), "os.system is not on the list"},
      {"62b builtins.eval", wrap(global("__builtin__", "eval") + text("1") + "\x85R"),
       "__builtin__.eval is not on the list"},
      {"62c module class", wrap(global("torch.nn.modules.linear", "Linear") + ")\x81"), "a whole module was saved"},
      {"62d call of a storage type", wrap(global("torch", "FloatStorage") + ")R"), "is not allowed"},
      {"62e object of an allowed name", wrap(global("collections", "OrderedDict") + ")\x81"), "NEWOBJ is not allowed"},
      {"63 STACK_GLOBAL", wrap(text("os") + text("system") + "\x93"), "STACK_GLOBAL is not allowed"},
      {"63b INST", wrap("(ios\nsystem\n"), "INST is not allowed"},
      {"63c protocol 4", wrap("\x95" + le(0, 8)), "FRAME is not allowed"},
      {"64 memo unset", wrap("h\5"), "memo index 5 was never set"},
      {"64b memo index too large", wrap("Nr" + le(1u << 30, 4)), "memo index above"},
      {"65 underflow", wrap("\x85"), "stack underflow"},
      {"65b underflow below a mark", wrap("N(\x85"), "stack underflow"},
      {"65c no mark", wrap("Nt"), "no mark"},
      {"65d left over", wrap("NN"), "left on the stack"},
      {"66 marks", wrap(std::string(2'000'000, '(')), "beyond 1000000"},
      {"66b values", wrap(std::string(2'000'000, 'N')), "beyond 1000000"},
      {"66c self-reference", wrap(nested), "nested deeper than 64"},
      {"66d doubling", wrap(doubling), "too many entries"},
      {"66e string too long", wrap("X" + le(0x7fffffff, 4)), "longer than 1 MiB"},
      {"67 BINPERSID of text", wrap(text("storage") + "Q"), "persistent id is not a tuple"},
      {"67b BINPERSID of a short tuple", wrap("(" + text("storage") + "tQ"), "does not describe a storage"},
      {"68b key with a slash", wrap(weights(storage("FloatStorage", "../0", 4, view))),
       "storage key ../0 is not allowed"},
      {"69 stride beyond", wrap(dict({{"w", rebuild(base, 0, {4}, {2})}})), "beyond its storage"},
      {"69b offset beyond", wrap(dict({{"w", rebuild(base, 4, {1}, {1})}})), "beyond its storage"},
      {"69c negative stride", wrap(dict({{"w", rebuild(base, 3, {4}, {-1})}})), "negative tensor stride"},
      {"69d negative offset", wrap(dict({{"w", rebuild(base, -1, {4}, {1})}})), "negative tensor offset"},
      {"69e overflow", wrap(dict({{"w", rebuild(base, 0, {2, 2}, {int64_t(1) << 62, int64_t(1) << 62})}})),
       "strides of a tensor overflow"},
      {"69f size overflow", wrap(dict({{"w", rebuild(base, 0, {int64_t(1) << 32, int64_t(1) << 32}, {0, 0})}})),
       "size of a tensor overflows"},
      {"69g expansion", wrap(dict({{"w", rebuild(base, 0, {int64_t(1) << 40}, {0})}})), "far more than the file holds"},
      {"69h rank", wrap(dict({{"w", rebuild(base, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1})}})),
       "more than 8 dimensions"},
      {"two tensors of one name",
       wrap("}(" + text("a.b") + rebuild(base, 0, {1}, {1}) + text("a") + dict({{"b", rebuild(base, 0, {1}, {1})}}) +
            "u"),
       "two tensors have this name"},
      {"tensor below a None key", wrap("}N" + rebuild(base, 0, {1}, {1}) + "s"), "neither a short text nor"},
  };
}

}  // namespace

TEST(BadCheckpoint, TheGoodOnesAreRead) {  // the cases below differ from these in one place
  Folder folder;
  EXPECT_NO_THROW(open_checkpoint(folder.put("a", zip(good_items()))));
  EXPECT_NO_THROW(open_checkpoint(folder.put("b", good_legacy().bytes())));
}

TEST(BadCheckpoint, PickleInZip) {
  for (const Bad& c : pickle_cases("", zip_with)) expect_refused(c.label, c.content, c.text, open_checkpoint);
}

TEST(BadCheckpoint, PickleInLegacy) {
  for (Bad& c : pickle_cases("N", legacy_with)) {
    // These two are found after the storages, whose list does not fit a body without storages.
    if (c.label == "66c self-reference" || c.label == "66d doubling") c.text = "a storage key that no tensor uses";
    expect_refused(c.label, c.content, c.text, open_checkpoint);
  }
}

TEST(BadCheckpoint, Zip) {
  const auto changed = [](auto change) {
    std::vector<ZipItem> items = good_items();
    change(items);
    return zip(items);
  };
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  // The second entry lies inside the content of the first.
  std::string inside = zip({{"y", "1"}});
  inside.resize(inside.find("PK\1\2"));
  std::string overlap = zip({{"x/data.pkl", inside}, {"y", "1"}});
  overlap.replace(overlap.rfind("PK\1\2") + 42, 4, le(overlap.find(inside), 4));
  std::string other_name = zip({{"x/data.pkl", pickle("N")}, {"y", "1"}});
  other_name.replace(other_name.rfind("PK\1\2") + 42, 4, le(0, 4));
  std::string trailing_pickle = pickle(weights(zip_storage())) + "x";
  const std::vector<Bad> cases = {
      {"empty", "", "the file is empty"},
      {"text", "hello", "not a PyTorch checkpoint"},
      {"57 ../", changed([](auto& i) {
         i.push_back({"../evil", "x"});
       }),
       "points outside"},
      {"57b absolute", changed([](auto& i) {
         i.push_back({"/etc/x", "x"});
       }),
       "points outside"},
      {"58 deflated data.pkl", changed([](auto& i) { i[0].method = 8; }), "compressed"},
      {"58b deflated storage", changed([](auto& i) { i[1].method = 8; }), "compressed"},
      {"59 sizes", changed([](auto& i) {
         i[1].flags = 0;
         i[1].local_size = 12;
       }),
       "central and local sizes disagree"},
      {"59b sizes in spite of bit 3", changed([](auto& i) { i[1].local_size = 12; }),
       "central and local sizes disagree"},
      {"60 crc", changed([](auto& i) { i[1].wrong_crc = true; }), "wrong CRC-32"},
      {"60b crc of the pickle", changed([](auto& i) { i[0].wrong_crc = true; }), "wrong CRC-32"},
      {"61 two data.pkl", changed([](auto& i) { i.push_back(i[0]); }), "same name"},
      {"61b in two folders", changed([](auto& i) {
         i.push_back({"y/data.pkl", i[0].content});
       }),
       "two data.pkl"},
      {"68 storage missing", changed([](auto& i) { i.erase(i.begin() + 1); }), "storage 0 is missing"},
      {"storage too short", changed([](auto& i) { i[1].content.pop_back(); }), "15 bytes instead of 16"},
      {"70 nested zip", zip({{"inner.zip", zip(good_items())}}), "no <name>/data.pkl"},
      {"70b tar", tar, "tar container"},
      {"71 encrypted", changed([](auto& i) { i[1].flags |= 1; }), "encrypted"},
      {"big-endian", changed([](auto& i) {
         i.push_back({"x/byteorder", "big"});
       }),
       "byte order"},
      {"overlap", overlap, "overlap"},
      {"59c names", other_name, "names disagree"},
      {"after the pickle", changed([&](auto& i) { i[0].content = trailing_pickle; }), "trailing bytes"},
      {"no tensors", zip_with("}"), "holds no tensors"},
      {"two types of a storage",
       zip_with(dict(
           {{"a", rebuild(zip_storage(), 0, {1}, {1})}, {"b", rebuild(storage("IntStorage", "0", 4), 0, {1}, {1})}})),
       "two types"},
      {"legacy id in a zip", zip_with(weights(storage("FloatStorage", "0", 4, "N"))), "does not describe a storage"}};
  for (const Bad& c : cases) expect_refused(c.label, c.content, c.text, open_checkpoint);
}

TEST(BadCheckpoint, Legacy) {
  const auto changed = [](auto change) {
    Legacy l = good_legacy();
    change(l);
    return l.bytes();
  };
  const auto with_storage = [](const std::string& s) { return legacy_with(weights(s)); };
  const std::string view = text("v") + "K\x02K\x03\x87";  // 2 + 3 elements of 4
  const std::string negative_view = text("v") + "J" + le(0xffffffff, 4) + "K\x01\x87";
  const std::string version_1001 = "M\xe9\x03";
  const std::vector<Bad> cases = {
      {"84 magic", changed([](Legacy& l) { l.magic[4] = 0x6d; }), "wrong magic number"},
      {"84b an ordinary pickle", pickle(dict({{"a", "N"}})), "wrong magic number"},
      {"85 version 1002", changed([](Legacy& l) { l.version = pickle("M\xea\x03"); }), "protocol version is not 1001"},
      {"86 big-endian", changed([&](Legacy& l) {
         l.system = pickle(dict({{"little_endian", "\x89"}}));
       }),
       "not little-endian"},
      {"86b nothing said", changed([&](Legacy& l) {
         l.system = pickle(dict({{"protocol_version", version_1001}}));
       }),
       "not little-endian"},
      {"87 not a dict", changed([](Legacy& l) { l.system = pickle("]"); }), "not a dictionary"},
      {"88 key missing", changed([](Legacy& l) {
         l.keys = key_list({});
         l.data = "";
       }),
       "lacks a key"},
      {"88b extra key", changed([](Legacy& l) {
         l.keys = key_list({"0", "1"});
       }),
       "no tensor uses"},
      {"88c key twice", changed([](Legacy& l) {
         l.keys = key_list({"0", "0"});
         l.data += l.data;
       }),
       "stands twice"},
      {"89 numel differs", changed([](Legacy& l) { l.data = le(3, 8) + kData; }), "3 elements where its tensors say 4"},
      {"90 negative in the data", changed([](Legacy& l) { l.data = le(~uint64_t(0), 8) + kData; }), "-1 elements"},
      {"90b negative in the id", with_storage(storage("FloatStorage", "0", -1, "N")), "negative or too large"},
      {"90c 2^62 in the id", with_storage(storage("FloatStorage", "0", int64_t(1) << 62, "N")),
       "negative or too large"},
      {"90d 2^61 that no file holds", changed([](Legacy& l) {
         l.body = weights(storage("ByteStorage", "0", int64_t(1) << 60, "N"));
         l.data = le(uint64_t(1) << 60, 8) + kData;
       }),
       "cut short"},
      {"91 cut short", changed([](Legacy& l) { l.data.pop_back(); }), "cut short"},
      {"91b no numel", changed([](Legacy& l) { l.data.resize(7); }), "cut short"},
      {"92 trailing", changed([](Legacy& l) { l.data += "x"; }), "1 trailing bytes"},
      {"93 two types",
       legacy_with(dict({{"a", rebuild(storage("FloatStorage", "0", 4, "N"), 0, {1}, {1})},
                         {"b", rebuild(storage("IntStorage", "0", 4, "N"), 0, {1}, {1})}})),
       "two types"},
      {"93b two sizes",
       legacy_with(dict({{"a", rebuild(storage("FloatStorage", "0", 4, "N"), 0, {1}, {1})},
                         {"b", rebuild(storage("FloatStorage", "0", 5, "N"), 0, {1}, {1})}})),
       "two sizes"},
      {"94 view outside", with_storage(storage("FloatStorage", "0", 4, view)), "beyond its root"},
      {"94b negative view", with_storage(storage("FloatStorage", "0", 4, negative_view)), "beyond its root"},
      {"94c tensor outside its view", with_storage(storage("FloatStorage", "0", 4, text("v") + "K\x01K\x03\x87")),
       "beyond its storage"},
      {"95 module id",
       legacy_with("(" + text("module") + global("collections", "OrderedDict") + text("f.py") + text("src") + "tQ"),
       "a whole module was saved"},
      {"96 not a list", changed([](Legacy& l) { l.keys = pickle("}"); }), "not a list"},
      {"96b not strings", changed([](Legacy& l) { l.keys = pickle("](K\1e"); }), "not a list of strings"},
      {"96c storage in the key list", changed([](Legacy& l) { l.keys = pickle(storage("FloatStorage", "0", 4, "N")); }),
       "does not belong here"},
      {"zip id in a legacy file", with_storage(storage("FloatStorage", "0", 4)), "does not describe a storage"}};
  for (const Bad& c : cases) expect_refused(c.label, c.content, c.text, open_checkpoint);
}
