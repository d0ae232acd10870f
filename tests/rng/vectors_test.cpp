// Every stream against recorded numbers: tests/golden/rng_vectors.json (made by tools/goldens/rng_vectors.py from
// PyTorch 1.13.1 and from a separate model of the CUDA rule), and, where PURESCOPE_REFERENCE_DIR is set, a second file.
//
// Bars. Words, integers, uniforms and float normals of the Avx2 kernels: equal bits. Float normals of the Default
// kernels: 5e-6, the C library's logf, sinf and cosf decide the last bits. Normals in double: 1e-14 for the same
// reason. CUDA normals in float: 5e-6, the recorded values use an exact sine and an angle that is not rounded to float.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/hash.h"
#include "rng/philox.h"
#include "rng/seed_hash.h"
#include "rng/torch_cpu.h"
#include "rng/torch_cuda.h"
#include "test_paths.h"

using namespace purescope;
using nlohmann::json;

namespace {
constexpr double kFloatNormal = 5e-6, kDoubleNormal = 1e-14;

// Values compared per section, printed at the end: a section that was not compared would be missing there.
std::map<std::string, size_t> compared;

void print_compared(const std::string& file) {
  size_t total = 0;
  for (const auto& [section, count] : compared) {
    std::printf("[ compared ] %-40s %zu\n", section.c_str(), count);
    total += count;
  }
  std::printf("[ compared ] %zu values and hashes in all from %s\n", total, file.c_str());
  compared.clear();
}

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

double value_of(const std::string& hex) {
  const uint64_t bits = std::stoull(hex, nullptr, 16);
  return hex.size() == 8 ? std::bit_cast<float>(static_cast<uint32_t>(bits)) : std::bit_cast<double>(bits);
}

template <typename T>
std::string hex_of(T value) {
  char text[20];
  if constexpr (sizeof(T) == 4) std::snprintf(text, sizeof text, "%08x", std::bit_cast<uint32_t>(value));
  else std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(std::bit_cast<uint64_t>(value)));
  return text;
}

// Compares values at the front or the back with recorded bit patterns; tolerance 0 asks for equal bits.
template <typename T>
void expect_bits(const std::string& section, const std::vector<T>& got, size_t at, const std::vector<std::string>& want,
                 double tolerance) {
  ASSERT_LE(at + want.size(), got.size());
  ASSERT_FALSE(want.empty());
  for (size_t k = 0; k < want.size(); ++k, ++compared[section]) {
    if (tolerance == 0) {
      EXPECT_EQ(hex_of(got[at + k]), want[k]) << section << " value " << at + k;
    } else {
      EXPECT_LE(std::fabs(got[at + k] - value_of(want[k])), tolerance) << section << " value " << at + k;
    }
  }
}

// First and last values, and for tolerance 0 the hash of all of them.
template <typename T>
void expect_summary(const std::string& section, const std::vector<T>& got, const std::vector<std::string>& first,
                    const std::vector<std::string>& last, const std::string& sha256, double tolerance) {
  expect_bits(section, got, 0, first, tolerance);
  if (!last.empty()) expect_bits(section, got, got.size() - last.size(), last, tolerance);
  const bool same = sha256_hex(got.data(), got.size() * sizeof(T)) == sha256;
  compared[section + (same ? ": hashes equal" : ": hashes that differ")] += 1;
  EXPECT_TRUE(same || tolerance > 0) << section << " n = " << got.size();
}

template <typename T>
std::vector<T> mixed_calls(TorchCpuGenerator& g) {
  std::vector<T> all;
  int k = 0;
  for (size_t n : {1, 16, 1, 3, 20, 15, 15, 2}) {
    std::vector<float> f(n);
    std::vector<double> d(n);
    if (k++ % 3 == 2) g.randn(d.data(), n);
    else {
      g.randn(f.data(), n);
      std::copy(f.begin(), f.end(), d.begin());
    }
    all.insert(all.end(), d.begin(), d.end());
  }
  return all;
}

template <typename T>
std::vector<T> draw(const json& row, TorchKernels kernels) {
  const std::string call = row["call"];
  TorchCpuGenerator g(row["seed"].get<uint64_t>(), kernels);
  const auto n = row["n"].get<size_t>();
  const auto number = [&](const char* key) { return row[key].get<double>(); };
  std::vector<T> v(n);
  if (call == "rand" || call == "rand64") g.rand(v.data(), n);
  else if (call == "randn" || call == "randn64") g.randn(v.data(), n);
  else if (call == "normal" || call == "normal64") g.normal(v.data(), n, number("mean"), number("std"));
  else if (call == "uniform" || call == "uniform64")
    g.uniform(v.data(), n, static_cast<T>(number("lo")), static_cast<T>(number("hi")));
  else if constexpr (sizeof(T) == 8) v = mixed_calls<T>(g);
  else g.rand_scaled(v.data(), n, number("lo"), number("hi"));
  return v;
}

void check_integers(const json& row) {
  const std::string call = row["call"];
  const auto want = row["values"].get<std::vector<int64_t>>();
  std::vector<int64_t> got(want.size());
  TorchCpuGenerator g(row["seed"].get<uint64_t>());
  if (call == "words") for (auto& v : got) v = g.word();
  else if (call == "randint") g.randint(got.data(), got.size(), row["lo"].get<int64_t>(), row["hi"].get<int64_t>());
  else if (call == "randperm") g.randperm(got.data(), got.size());
  else if (call == "bernoulli") {
    std::vector<uint8_t> bits(got.size());
    g.bernoulli(bits.data(), bits.size(), row["p"].get<double>());
    std::copy(bits.begin(), bits.end(), got.begin());
  } else FAIL() << "unknown call " << call;
  EXPECT_EQ(got, want) << call << " seed " << row["seed"];
  compared["cpu " + call] += want.size();
}

void check_cpu_rows(const json& rows, TorchKernels kernels, const std::string& name) {
  for (const json& row : rows) {
    const std::string call = row["call"];
    if (row.contains("values")) {
      check_integers(row);
      continue;
    }
    static const std::vector<std::string> known = {"rand",   "rand64",   "randn",   "randn64",   "normal",
                                                   "normal64", "uniform", "uniform64", "rand_scaled", "mixed"};
    ASSERT_NE(std::find(known.begin(), known.end(), call), known.end()) << call;
    SCOPED_TRACE(call + " seed " + row["seed"].dump() + " n " + row["n"].dump());
    const auto first = split(row["first"]), last = split(row["last"]);
    const bool is_double = call.ends_with("64") || call == "mixed";
    const bool normal = call.starts_with("normal") || call.starts_with("randn");
    const bool is_default = kernels == TorchKernels::Default;
    if (is_double) {
      const double bar = call == "mixed" && is_default ? kFloatNormal : normal || call == "mixed" ? kDoubleNormal : 0;
      expect_summary(name + call, draw<double>(row, kernels), first, last, row["sha256"], bar);
    } else {
      const double bar = normal && is_default ? kFloatNormal : 0;
      expect_summary(name + call, draw<float>(row, kernels), first, last, row["sha256"], bar);
    }
  }
}

template <typename Row>
void check_cuda_normals(const std::string& section, const std::vector<Row>& got, const std::vector<size_t>& index,
                        const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(index.size(), want.size());
  for (size_t k = 0; k < index.size(); ++k, ++compared[section])
    EXPECT_LE(std::fabs(got.at(index[k]) - want[k]), tolerance) << section << " value " << index[k];
}

void check_philox(const json& row) {
  const auto seed = row["seed"].get<uint64_t>();
  const auto words = philox(seed, row["subsequence"].get<uint64_t>(), row["block"].get<uint64_t>());
  EXPECT_EQ(std::vector<uint32_t>(words.begin(), words.end()), row["words"].get<std::vector<uint32_t>>());
  compared["philox words"] += 4;
}

json load(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.good()) << path;
  return json::parse(in);
}
}  // namespace

TEST(RngVectors, Golden) {
  const json golden = load(PURESCOPE_TEST_DIR "/golden/rng_vectors.json");
  check_cpu_rows(golden["cpu"]["avx2"], TorchKernels::Avx2, "cpu ");
  check_cpu_rows(golden["cpu"]["default"], TorchKernels::Default, "cpu default ");
  for (const json& row : golden["philox"]) check_philox(row);
  for (const json& row : golden["cuda"]) {
    SCOPED_TRACE("cuda seed " + row["seed"].dump() + " n " + row["n"].dump() + " sm " + row["sm"].dump());
    const CudaLayout layout{row["sm"].get<int>(), row["threads"].get<int>()};
    const auto seed = row["seed"].get<uint64_t>(), offset = row["offset"].get<uint64_t>();
    const auto n = row["n"].get<size_t>();
    std::vector<float> uniform(n), normal(n);
    std::vector<double> normal64(n);
    TorchCudaGenerator a(seed, layout, offset), b(seed, layout, offset), c(seed, layout, offset);
    a.rand(uniform.data(), n);
    b.randn(normal.data(), n);
    c.randn(normal64.data(), n);
    EXPECT_EQ(a.offset(), row["after"].get<uint64_t>());
    EXPECT_EQ(b.offset(), row["after"].get<uint64_t>());
    EXPECT_EQ(c.offset(), row["after64"].get<uint64_t>());
    const json& r = row["rand"];
    expect_summary("cuda rand", uniform, split(r["first"]), split(r["last"]), r["sha256"], 0);
    check_cuda_normals("cuda randn", normal, row["index"], row["randn"], kFloatNormal);
    check_cuda_normals("cuda randn64", normal64, row["index"], row["randn64"], 4 * kDoubleNormal);
  }
  for (const json& row : golden["seed_hash"]) {
    EXPECT_EQ(seed_hash(row[0], row[1], row[2]), row[3].get<uint32_t>());
    EXPECT_EQ(seed_hash_unreduced(row[0], row[1], row[2]), row[4].get<uint64_t>());
    compared["seed hash"] += 2;
  }
  for (const char* section : {"cpu randn", "cpu default randn", "cpu mixed", "cuda rand", "cuda randn", "seed hash",
                              "philox words", "cpu words", "cpu randint", "cpu randperm", "cpu bernoulli"})
    EXPECT_GT(compared[section], 0u) << section;
  print_compared("tests/golden/rng_vectors.json");
}

// The comparison itself must see one wrong bit and NaN.
TEST(RngVectors, ComparisonCanFail) {
  EXPECT_NE(hex_of(std::nextafter(0.5f, 1.0f)), hex_of(0.5f));
  EXPECT_EQ(value_of(hex_of(0.1)), 0.1);
  EXPECT_FALSE(std::fabs(std::nan("") - 0.5) <= kFloatNormal);
  std::vector<float> avx2(3072), other(3072);
  TorchCpuGenerator(0).randn(avx2.data(), avx2.size());
  TorchCpuGenerator(0, TorchKernels::Default).randn(other.data(), other.size());
  EXPECT_NE(sha256_hex(avx2.data(), 4 * avx2.size()), sha256_hex(other.data(), 4 * other.size()));
}

namespace {
template <typename T>
void check_reference_normals(const json& rows, TorchKernels kernels, const std::string& section, double tolerance) {
  for (const json& row : rows) {
    std::vector<T> got(row["n"].get<size_t>());
    TorchCpuGenerator(row["seed"].get<uint64_t>(), kernels).randn(got.data(), got.size());
    expect_summary(section, got, row["first8_hex"], row["last4_hex"], row["sha256"], tolerance);
  }
}

void check_reference_cpu(const json& file) {
  for (const auto& [seed, words] : file["mt19937_u32_first8"].items())
    check_integers({{"call", "words"}, {"seed", std::stoull(seed)}, {"values", words}});
  for (const auto& [seed, values] : file["cpu_randperm10"].items())
    check_integers({{"call", "randperm"}, {"seed", std::stoull(seed)}, {"values", values}});
  for (const json& row : file["cpu_randint"])
    check_integers({{"call", "randint"}, {"seed", row["seed"]}, {"lo", row["lo"]}, {"hi", row["hi"]},
                    {"values", row["first16"]}});
  for (const json& row : file["cpu_rand_f32"]) {
    std::vector<float> got(row["n"].get<size_t>());
    TorchCpuGenerator(row["seed"].get<uint64_t>()).rand(got.data(), got.size());
    expect_bits("rand f32", got, 0, row["hex"], 0);
  }
  for (const json& row : file["cpu_rand_f64"]) {
    std::vector<double> got(row["n"].get<size_t>());
    TorchCpuGenerator(row["seed"].get<uint64_t>()).rand(got.data(), got.size());
    expect_bits("rand f64", got, 0, row["hex"], 0);
  }
  for (const json& row : file["cpu_uniform_eps"]) {
    const double eps = std::stod(row["eps"].get<std::string>()) / 255;
    std::vector<float> fused(3072), plain(3072);
    const auto seed = row["seed"].get<uint64_t>();
    TorchCpuGenerator(seed).uniform(fused.data(), fused.size(), static_cast<float>(-eps), static_cast<float>(eps));
    TorchCpuGenerator(seed).rand_scaled(plain.data(), plain.size(), -eps, eps);
    expect_summary("uniform_", fused, row["uniform_fused_first8_hex"], {}, row["sha256"], 0);
    expect_summary("foolbox start", plain, row["foolbox_unfused_first8_hex"], {}, row["foolbox_sha256"], 0);
  }
  check_reference_normals<float>(file["cpu_randn_f32"], TorchKernels::Avx2, "randn f32", 0);
  check_reference_normals<float>(file["cpu_randn_f32_default_capability"], TorchKernels::Default, "randn f32 default",
                                 kFloatNormal);
  check_reference_normals<double>(file["cpu_randn_f64"], TorchKernels::Avx2, "randn f64", kDoubleNormal);
}

void check_reference_cuda(const json& file) {
  for (const json& row : file["philox4x32_10"]) check_philox(row);
  for (const json& row : file["cuda_rand_f32"]) {
    TorchCudaGenerator g(row["seed"].get<uint64_t>(), {row["sm"].get<int>(), row["max_threads_per_sm"].get<int>()});
    std::vector<float> got(row["n"].get<size_t>());
    g.rand(got.data(), got.size());
    EXPECT_EQ(g.offset(), row["next_offset"].get<uint64_t>());
    for (size_t k = 0; k < row["index"].size(); ++k, ++compared["cuda rand"])
      EXPECT_EQ(hex_of(got.at(row["index"][k].get<size_t>())), row["hex"][k].get<std::string>());
    EXPECT_EQ(sha256_hex(got.data(), 4 * got.size()), row["sha256"].get<std::string>());
  }
  for (const json& row : file["cuda_randn_f32"]) {
    TorchCudaGenerator g(row["seed"].get<uint64_t>(), {row["sm"].get<int>(), row["max_threads_per_sm"].get<int>()});
    std::vector<float> got(row["n"].get<size_t>());
    g.randn(got.data(), got.size());
    EXPECT_EQ(g.offset(), row["next_offset"].get<uint64_t>());
    check_cuda_normals("cuda randn f32", got, row["index"], row["approx"], kFloatNormal);
  }
  for (const json& row : file["cuda_randn_f64"]) {
    std::vector<double> got(row["n"].get<size_t>());
    std::vector<size_t> index(got.size());
    for (size_t k = 0; k < index.size(); ++k) index[k] = k;
    TorchCudaGenerator(row["seed"].get<uint64_t>()).randn(got.data(), got.size());
    check_cuda_normals("cuda randn f64", got, index, row["approx"], 1e-12);  // recorded with 12 decimals
  }
}
}  // namespace

// A second, independent file of vectors. Its sections are listed here, so that a new or renamed one is an error.
TEST(RngVectors, Reference) {
  const char* folder = std::getenv("PURESCOPE_REFERENCE_DIR");
  if (folder == nullptr) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set";
  const auto path = std::filesystem::path(folder) / ".." / "design" / "rng" / "torch_rng_vectors.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " does not exist";
  const json file = load(path);
  std::vector<std::string> sections;
  for (const auto& [name, rows] : file.items()) sections.push_back(name);
  const std::vector<std::string> known = {
      "cpu_rand_f32", "cpu_rand_f64", "cpu_randint", "cpu_randn_f32", "cpu_randn_f32_default_capability",
      "cpu_randn_f64", "cpu_randperm10", "cpu_uniform_eps", "cuda_rand_f32", "cuda_randn_f32", "cuda_randn_f64",
      "mt19937_u32_first8", "note", "philox4x32_10", "seed_hash", "seed_hash_columns"};
  EXPECT_EQ(sections, known);
  for (const auto& name : known) EXPECT_FALSE(file.at(name).empty()) << name;
  check_reference_cpu(file);
  check_reference_cuda(file);
  for (const json& row : file["seed_hash"]) {
    EXPECT_EQ(seed_hash(row[0], row[1], noise_k(Phase::Forward, row[2])), row[3].get<uint32_t>());
    EXPECT_EQ(seed_hash(row[0], row[1], noise_k(Phase::Reverse, row[2])), row[4].get<uint32_t>());
    compared["seed hash"] += 2;
  }
  print_compared(path.string());
}
