#include "io/safetensors.h"

#include <cmath>
#include <limits>

#include "io/byte_builder.h"

using namespace purescope;
using bytes::expect_refused;
using bytes::safetensors;

namespace {

const std::string kTwo =
    R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]})";
std::string two(const std::string& extra = "") { return safetensors("{" + kTwo + extra + "}", std::string(9, '\1')); }
// A file with one tensor of 8 bytes of data and the given fields.
std::string one(const std::string& fields, size_t data = 8) {
  return safetensors("{\"a\":{" + fields + "}}", std::string(data, '\0'));
}
void open_file(const std::string& path) { Safetensors file(path); }
std::string repeated(const std::string& s, size_t n) { std::string out; while (n--) out += s; return out; }

struct Bad { const char* label; std::string content; const char* text; };

}  // namespace

TEST(Safetensors, RoundTripOfEveryNumericType) {
  bytes::Folder folder;
  const float f[3] = {1.5f, -0.0f, std::numeric_limits<float>::denorm_min()};
  const double d[2] = {0.1, -1e300};
  const uint16_t half[4] = {0x3c00, 0x0001, 0xfbff, 0x7c00}, brain[2] = {0x3f80, 0xff80};
  const int64_t i64[2] = {-5, int64_t(1) << 40};
  const int8_t i8[1] = {-128};
  const uint8_t flags[3] = {0, 1, 255};
  const uint64_t u64[1] = {~0ull};
  write_safetensors(folder / "x.safetensors",
                    {{"f", Dtype::F32, {3}, f},
                     {"d", Dtype::F64, {2, 1}, d},
                     {"h", Dtype::F16, {4}, half},
                     {"b", Dtype::BF16, {2}, brain},
                     {"i", Dtype::I64, {2}, i64},
                     {"c", Dtype::I8, {}, i8},
                     {"t", Dtype::Bool, {3}, flags},
                     {"u", Dtype::U64, {1}, u64},
                     {"none", Dtype::F32, {0, 7}, nullptr}},
                    {{"made by", "a \"test\"\n\xc3\xa9"}});
  Safetensors file(folder / "x.safetensors");
  EXPECT_EQ(file.tensors().size(), 9u);
  EXPECT_EQ(file.metadata().at("made by"), "a \"test\"\n\xc3\xa9");
  const auto values = [&](const char* name) {
    std::vector<double> out(static_cast<size_t>(file.find(name)->count()));
    file.read(*file.find(name), out.data());
    return out;
  };
  EXPECT_EQ(values("f"), (std::vector<double>{1.5, 0, std::ldexp(1.0, -149)}));
  EXPECT_TRUE(std::signbit(values("f")[1]));
  EXPECT_EQ(values("d"), (std::vector<double>{0.1, -1e300}));
  EXPECT_EQ(values("h"), (std::vector<double>{1, std::ldexp(1.0, -24), -65504, HUGE_VAL}));
  EXPECT_EQ(values("b"), (std::vector<double>{1, -HUGE_VAL}));
  EXPECT_EQ(values("i"), (std::vector<double>{-5, std::ldexp(1.0, 40)}));
  EXPECT_EQ(values("c"), (std::vector<double>{-128}));
  EXPECT_EQ(values("t"), (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(values("u"), (std::vector<double>{std::ldexp(1.0, 64)}));
  EXPECT_TRUE(values("none").empty());
  float rounded[2];
  file.read(*file.find("d"), rounded);
  EXPECT_EQ(rounded[0], 0.1f);
  EXPECT_EQ(file.find("nothing"), nullptr);
}

TEST(Safetensors, HalfWideningIsExactForAllPatterns) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const int sign = bits >> 15 ? -1 : 1, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const float got = half_to_float(static_cast<uint16_t>(bits));
    if (exponent == 31 && mantissa) { ASSERT_TRUE(std::isnan(got)) << bits; continue; }
    const double want = exponent == 31 ? sign * HUGE_VAL
                        : exponent     ? sign * std::ldexp(1024.0 + mantissa, exponent - 25)
                                       : sign * std::ldexp(mantissa, -24);
    ASSERT_EQ(static_cast<double>(got), want) << bits;
    ASSERT_EQ(std::signbit(got), sign < 0) << bits;
  }
}

TEST(Safetensors, WriterIsCanonical) {
  bytes::Folder folder;
  const float f[2] = {1, 2};
  const uint8_t u[1] = {3};
  write_safetensors(folder / "1", {{"z", Dtype::U8, {1}, u}, {"b", Dtype::F32, {2}, f}, {"a", Dtype::F32, {2}, f}}, {});
  write_safetensors(folder / "2", {{"a", Dtype::F32, {2}, f}, {"z", Dtype::U8, {1}, u}, {"b", Dtype::F32, {2}, f}}, {});
  const std::string bytes_1 = bytes::slurp(folder / "1");
  EXPECT_EQ(bytes_1, bytes::slurp(folder / "2"));
  uint64_t length;
  std::memcpy(&length, bytes_1.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  Safetensors file(folder / "1");
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[2].name, "z");
  EXPECT_EQ(folder.files(), 2u);
}

TEST(Safetensors, WriterRefusesBadNamesAndLeavesTheOldFile) {
  bytes::Folder folder;
  const float f[1] = {1};
  const std::string path = folder.put("x", "old");
  for (const std::string& name :
       {std::string("a\0b", 3), std::string("../a"), std::string("\xff"), std::string("__metadata__")})
    EXPECT_THROW(write_safetensors(path, {{name, Dtype::F32, {1}, f}}, {}), Error);
  EXPECT_THROW(write_safetensors(path, {{"a", Dtype::F32, {1}, f}, {"a", Dtype::F32, {1}, f}}, {}), Error);
  EXPECT_EQ(bytes::slurp(path), "old");
  EXPECT_EQ(folder.files(), 1u);
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  bytes::Folder folder;
  const Safetensors file(folder.put("x", two(R"(,"__metadata__":{"k":"v"})")));
  EXPECT_EQ(file.tensors().size(), 2u);
  // Leading and trailing spaces, a field that is not known, other key orders, a zero size in the middle, no tensor at
  // all.
  for (const std::string& good :
       {safetensors("  {" + kTwo + "}   ", std::string(9, '\0')),
        one(R"("x":[{"y":1}],"data_offsets":[0,8],"shape":[1,2],"dtype":"F32")"),
        safetensors("{" + kTwo + R"(,"c":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}})", std::string(9, '\0')),
        safetensors("{}")})
    EXPECT_NO_THROW(open_file(folder.put("y", good))) << good;
  // Unaligned data is read right.
  const Safetensors odd(folder.put("z", safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                                    R"("f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                                                    "\1" + bytes::f32(2.5f))));
  float value = 0;
  odd.read(*odd.find("f"), &value);
  EXPECT_EQ(value, 2.5f);
}

TEST(Safetensors, BadInputs) {
  const std::string u64max(8, '\xff');
  const std::vector<Bad> cases = {
      {"1 empty", "", "empty"},
      {"2 seven bytes", std::string(7, '\0'), "shorter than the 8 bytes"},
      {"3 N = 2^64-1", u64max + "{}", "above the limit"},
      {"4 N = 100000001", bytes::le(100000001, 8) + "{}", "above the limit"},
      {"5 N > file", bytes::le(3, 8) + "{}", "beyond the end"},
      {"6 N = 0", bytes::le(0, 8) + "{}", "header is empty"},
      {"7 not UTF-8", safetensors("{\"\xff\":{}}"), "not UTF-8"},
      {"8 list", safetensors("[]"), "not a JSON object but a list"},
      {"8b number", safetensors("3"), "not a JSON object but the number 3"},
      {"9 truncated JSON", safetensors("{\"a\":{"), "not valid JSON"},
      {"9b NUL ends the text", safetensors(std::string("{}\0x", 4)), "not valid JSON"},
      {"9c byte order mark", safetensors("\xef\xbb\xbf{}"), "not valid JSON"},
      {"9d number 1e400", one(R"("dtype":"F32","shape":[1e400],"data_offsets":[0,8])"), "not valid JSON"},
      {"10 depth 100000", safetensors("{\"a\":{\"x\":" + repeated("[", 100000) + repeated("]", 100000) + "}}"),
       "deeper than 8"},
      {"11 duplicate name", safetensors("{" + kTwo + "," + kTwo + "}", std::string(9, '\0')), "stands twice"},
      {"11b duplicate field", one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), "stands twice"},
      {"12 unknown dtype", one(R"("dtype":"F31","shape":[2],"data_offsets":[0,8])"), "unknown dtype F31"},
      {"13 shape -1", one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,8])"), "shape cannot hold the number -1"},
      {"14 overflow", one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])"), "overflows"},
      {"14b entry 2^63", one(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8])"), "too large"},
      {"15 float 3.0", one(R"("dtype":"F32","shape":[3.0],"data_offsets":[0,8])"), "shape cannot hold the number 3.0"},
      {"16 reversed", one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), "reversed"},
      {"17 overlap",
       safetensors(
           R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
           std::string(6, '\0')),
       "overlaps"},
      {"18 hole",
       safetensors(
           R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})",
           std::string(9, '\0')),
       "hole"},
      {"18b hole at the start", one(R"("dtype":"U8","shape":[4],"data_offsets":[4,8])"), "hole"},
      {"19 trailing bytes", one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 9), "1 trailing bytes"},
      {"20 beyond the file", one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])", 7), "beyond the end"},
      {"21 size mismatch", one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), "needs 12"},
      {"22 metadata", two(R"(,"__metadata__":{"k":1})"), "metadata values must be strings"},
      {"22b metadata list", two(R"(,"__metadata__":["k"])"), "must be described by an object"},
      {"23 NUL", safetensors(R"({"a\u0000b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", std::string(8, '\0')),
       "NUL"},
      {"23b ../", safetensors(R"({"../a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", std::string(8, '\0')),
       "../"},
      {"23c long name",
       safetensors("{\"" + repeated("n", 1025) + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                   std::string(8, '\0')),
       "longer than 1024"},
      {"24 no offsets", one(R"("dtype":"F32","shape":[2])"), "data_offsets is missing"},
      {"24b rank 9", one(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8])"), "more than 8 entries"},
      {"24c not an object after a skipped field",
       safetensors(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1},"b":7})", "\1"),
       "must be described by an object"}};
  for (const Bad& c : cases) expect_refused(c.label, c.content, c.text, open_file);
}

TEST(Safetensors, NonfiniteValuesAreCounted) {  // case 25
  bytes::Folder folder;
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const float f[5] = {1, nan, inf, -inf, std::numeric_limits<float>::max()};
  const uint16_t half[3] = {0x7c00, 0x7e00, 0x7bff}, brain[2] = {0x7fc0, 0x7f7f};
  const int32_t i[1] = {-1};
  write_safetensors(folder / "x",
                    {{"f", Dtype::F32, {5}, f},
                     {"h", Dtype::F16, {3}, half},
                     {"b", Dtype::BF16, {2}, brain},
                     {"i", Dtype::I32, {1}, i}},
                    {});
  Safetensors file(folder / "x");
  EXPECT_EQ(count_nonfinite(file, *file.find("f")), 3u);
  EXPECT_EQ(count_nonfinite(file, *file.find("h")), 2u);
  EXPECT_EQ(count_nonfinite(file, *file.find("b")), 1u);
  EXPECT_EQ(count_nonfinite(file, *file.find("i")), 0u);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  bytes::expect_all_truncations_refused(two(R"(,"__metadata__":{"k":"v"})"), open_file);
}

TEST(Safetensors, ChangedBytesNeverCrash) {
  bytes::expect_all_mutations_survived(two(R"(,"__metadata__":{"k":"v"})"), open_file);
}

TEST(Safetensors, TypesWithoutNumbersAreListedButNotRead) {
  bytes::Folder folder;
  Safetensors file(folder.put("x", safetensors(R"({"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},)"
                                               R"("b":{"dtype":"F4","shape":[4],"data_offsets":[2,4]}})", "1234")));
  float out[4];
  EXPECT_THROW(file.read(*file.find("a"), out), Error);
  EXPECT_THROW(file.read(*file.find("b"), out), Error);
}

TEST(MappedFile, ExitCodes) {
  bytes::Folder folder;
  const auto code_of = [](const std::string& path) {
    try { MappedFile file(path); } catch (const Error& error) { return static_cast<int>(error.code); }
    return 0;
  };
  EXPECT_EQ(code_of(folder / "missing"), kMissingInput);
  EXPECT_EQ(code_of(folder / "."), kBadInput);
  const std::string secret = folder.put("secret", "x");
  EXPECT_EQ(code_of(secret), 0);
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  if (geteuid() == 0) std::puts("[  NOTE    ] running as root: the unreadable file (77) is not checked");
  else EXPECT_EQ(code_of(secret), kPermission);
  const float f[1] = {1};
  try {
    write_safetensors(folder / "no/such/folder/x", {{"a", Dtype::F32, {1}, f}}, {});
    ADD_FAILURE() << "was written";
  } catch (const Error& error) { EXPECT_EQ(error.code, kCannotCreate); }
  std::filesystem::create_directory(folder / "taken");
  std::filesystem::create_directory(folder / "taken/inside");
  try {
    write_safetensors(folder / "taken", {{"a", Dtype::F32, {1}, f}}, {});
    ADD_FAILURE() << "was written";
  } catch (const Error& error) { EXPECT_EQ(error.code, kCannotCreate); }
  EXPECT_EQ(folder.files(), 2u);
}

TEST(Safetensors, ReferenceFiles) {
  const char* root = std::getenv("PURESCOPE_REFERENCE_DIR");
  if (!root) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set";
  size_t files = 0, values = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".safetensors") continue;
    const Safetensors file(entry.path().string());
    for (const TensorInfo& t : file.tensors()) {
      std::vector<double> out(static_cast<size_t>(t.count()));
      file.read(t, out.data());
      values += out.size();
    }
    ++files;
  }
  EXPECT_GT(files, 10u);
  EXPECT_GT(values, 100000u);
}
