#include "io/npy.h"

#include "io/byte_builder.h"
#include "io/safetensors.h"

using namespace purescope;
using bytes::expect_refused;
using bytes::npy;

namespace {
const std::string kDict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
std::string dict(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}
void open_npy(const std::string& path) { read_npy(path); }
struct Bad { const char* label; std::string content; const char* text; };
}  // namespace

TEST(Npy, RoundTrip) {
  bytes::Folder folder;
  const float f[6] = {1, 2, 3, 4, 5, 0.1f};
  const double d[1] = {0.1};
  const int64_t i[3] = {-1, 0, int64_t(1) << 60};
  write_npy(folder / "f.npy", {2, 3}, f);
  write_npy(folder / "d.npy", {}, d);
  write_npy(folder / "i.npy", {3}, i);
  write_npy(folder / "e.npy", {0, 4}, f);
  EXPECT_EQ(read_npy(folder / "f.npy").as_float(), std::vector<float>(f, f + 6));
  EXPECT_EQ(read_npy(folder / "f.npy").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(read_npy(folder / "d.npy").as_double(), std::vector<double>{0.1});
  EXPECT_EQ(read_npy(folder / "d.npy").as_float(), std::vector<float>{0.1f});
  EXPECT_TRUE(read_npy(folder / "d.npy").shape.empty());
  EXPECT_EQ(read_npy(folder / "i.npy").as_int(), std::vector<int64_t>(i, i + 3));
  EXPECT_TRUE(read_npy(folder / "e.npy").as_float().empty());
  EXPECT_THROW(read_npy(folder / "f.npy").as_int(), Error);
  const std::string raw = bytes::slurp(folder / "f.npy");
  EXPECT_EQ((raw.size() - 24) % 64, 0u);
  EXPECT_NE(raw.find("'shape': (2, 3), }"), std::string::npos);
  EXPECT_NE(bytes::slurp(folder / "i.npy").find("'shape': (3,), }"), std::string::npos);
  EXPECT_NE(bytes::slurp(folder / "d.npy").find("'shape': (), }"), std::string::npos);
}

TEST(Npy, AcceptsOtherTypesVersionsAndSpellings) {
  bytes::Folder folder;
  EXPECT_EQ(read_npy(folder.put("1", npy(dict("'|u1'", "(1, 2)"), "\1\xff"))).as_int(), (std::vector<int64_t>{1, 255}));
  EXPECT_EQ(read_npy(folder.put("2", npy(dict("'|i1'", "(2,)"), "\1\xff", 2))).as_int(), (std::vector<int64_t>{1, -1}));
  EXPECT_EQ(read_npy(folder.put("3", npy(dict("'|b1'", "(2,)", "True"), std::string("\0\2", 2), 3))).as_float(),
            (std::vector<float>{0, 1}));
  EXPECT_EQ(read_npy(folder.put("4", npy("{\"shape\":(1,),\"descr\":\"<f2\",\"fortran_order\":False}",
                                         std::string("\0\x3c", 2))))
                .as_float(),
            std::vector<float>{1});
  EXPECT_EQ(read_npy(folder.put("5", npy(dict("'<i4'", "()"), bytes::le(0xfffffffe, 4)))).as_double(),
            std::vector<double>{-2});
}

TEST(Npy, BadInputs) {
  const std::string data(8, '\0');
  std::string past_end = npy(kDict, data);
  past_end[8] = '\xff';
  past_end[9] = '\xff';
  std::string no_newline = npy(kDict, data);
  no_newline[10 + kDict.size()] = ' ';
  const std::vector<Bad> cases = {
      {"29 bad magic", "\x93NUMPX" + npy(kDict, data).substr(6), "bad magic"},
      {"29b npz", "PK\3\4xxxxxxxxx", "npz"},
      {"30 version 9.0", npy(kDict, data, 9), "version 9.0"},
      {"31 header past the end", past_end, "beyond the end"},
      {"31b no newline", no_newline, "newline"},
      {"31c header too long", npy(kDict + std::string(10001, ' '), data), "longer than 10000"},
      {"32 object", npy(dict("'|O'", "(1,)"), data), "object arrays"},
      {"33 structured", npy(dict("[('a', '<f4')]", "(2,)"), data), "structured"},
      {"34 big-endian", npy(dict("'>f4'", "(2,)"), data), "big-endian"},
      {"34b unicode", npy(dict("'<U1'", "(2,)"), data), "'<U1' is not read"},
      {"35 negative", npy(dict("'<f4'", "(-2,)"), data), "negative"},
      {"35b 2^63", npy(dict("'<f4'", "(9223372036854775808,)"), data), "too large"},
      {"35c product", npy(dict("'<f4'", "(4294967296, 4294967296)"), data), "overflows"},
      {"35d float", npy(dict("'<f4'", "(2.0,)"), data), "not the expected dictionary"},
      {"36 no comma", npy(dict("'<f4'", "(2)"), data), "comma missing"},
      {"37 extra key", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", data),
       "unexpected key 'x'"},
      {"37b twice", npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", data),
       "stands twice"},
      {"37c missing key", npy("{'descr': '<f4', 'shape': (2,)}", data), "lacks"},
      {"38 short data", npy(kDict, data.substr(1)), "cut short"},
      {"39 extra data", npy(kDict, data + "x"), "extra data"},
      {"40 Fortran order", npy(dict("'<f4'", "(1, 1, 2, 1)", "True"), data), "Fortran"},
      {"41 executable text",
       npy("{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (2,)}", data),
       "no quoted text"},
      {"41b call in the shape", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (exit(),)}", data),
       "not a number"},
      {"41c text after", npy(kDict + " exit()", data), "text after"}};
  for (const Bad& c : cases) expect_refused(c.label, c.content, c.text, open_npy);
}

TEST(Npy, EveryTruncationIsRefused) {
  bytes::expect_all_truncations_refused(npy(kDict, std::string(8, '\0')), open_npy);
  bytes::expect_all_truncations_refused(npy(kDict, std::string(8, '\0'), 2), open_npy);
}

TEST(Npy, ChangedBytesNeverCrash) { bytes::expect_all_mutations_survived(npy(kDict, std::string(8, '\0')), open_npy); }

TEST(ReadArray, NamesAFileOrATensorInAFile) {
  bytes::Folder folder;
  const float f[2] = {1, 2};
  write_npy(folder / "x.npy", {2}, f);
  write_safetensors(folder / "x.safetensors", {{"a.b:c", Dtype::F32, {1, 2}, f}}, {});
  EXPECT_EQ(read_array(folder / "x.npy").as_float(), (std::vector<float>{1, 2}));
  const Array array = read_array(folder / "x.safetensors:a.b:c");
  EXPECT_EQ(array.as_float(), (std::vector<float>{1, 2}));
  EXPECT_EQ(array.shape, (std::vector<int64_t>{1, 2}));
  const auto code_of = [](const std::string& spec) {
    try { read_array(spec); } catch (const Error& error) { return static_cast<int>(error.code); }
    return 0;
  };
  EXPECT_EQ(code_of(folder / "x.safetensors:other"), kBadInput);
  EXPECT_EQ(code_of(folder / "x.safetensors"), kUsage);
  EXPECT_EQ(code_of(folder / "x.txt"), kUsage);
  EXPECT_EQ(code_of(folder / "y.npy"), kMissingInput);
}
