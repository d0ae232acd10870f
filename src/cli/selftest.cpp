#include "cli/selftest.h"

#include <cmath>
#include <cstdio>

#include "cli/commands.h"
#include "core/check.h"
#include "core/hash.h"
#include "io/json_text.h"
#include "io/signals.h"
#include "rng/philox.h"
#include "rng/seed_hash.h"
#include "rng/torch_cpu.h"
#include "rng/torch_cuda.h"

namespace purescope {
namespace {

SelftestRow equal(const std::string& name, bool same) { return {name, same ? 0.0 : 1.0, 0}; }

// Published test values of the hashes and generators.
std::vector<SelftestRow> known_values() {
  std::vector<SelftestRow> rows = {
      equal("hash fnv1a", fnv1a("a") == 0xaf63dc4c8601ec8cull),
      equal("hash splitmix64", mix(0) == 0xe220a8397b1dcdafull),
      equal("hash crc32", crc32("123456789", 9) == 0xcbf43926u),
      equal("hash sha256", sha256_hex("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      equal("rng philox4x32-10",
            philox(0, PhiloxWords{}) == PhiloxWords{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}),
      equal("rng seed hash", seed_hash(1, 0, 0) == 83492791u && seed_hash(0, 0, 1) == 19349663u &&
                                 seed_hash(1, 1, 0) == (83492791u ^ 73856093u)),
  };
  // torch.manual_seed(0): rand(3), and randn(4) of a fresh generator, as PyTorch prints them to four digits.
  float uniform[3], normal[4];
  TorchCpuGenerator(0).rand(uniform, 3);
  TorchCpuGenerator(0).randn(normal, 4);
  const double expected_uniform[] = {0.4963, 0.7682, 0.0885}, expected_normal[] = {1.5410, -0.2934, -2.1788, 0.5684};
  double u = 0, n = 0;
  for (int i = 0; i < 3; ++i) u = std::max(u, std::abs(uniform[i] - expected_uniform[i]));
  for (int i = 0; i < 4; ++i) n = std::max(n, std::abs(normal[i] - expected_normal[i]));
  rows.push_back({"rng torch-cpu uniform, seed 0", u, 5e-5});
  rows.push_back({"rng torch-cpu normal, seed 0", n, 5e-5});
  // A large draw has mean 0 and variance 1 within five standard errors.
  std::vector<float> draws(1 << 16);
  TorchCudaGenerator(7).randn(draws.data(), draws.size());
  double sum = 0, squares = 0;
  for (float v : draws) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const double count = static_cast<double>(draws.size());
  rows.push_back({"rng torch-cuda normal, mean", std::abs(sum / count), 5 / std::sqrt(count)});
  rows.push_back({"rng torch-cuda normal, variance", std::abs(squares / count - 1), 5 * std::sqrt(2 / count)});
  return rows;
}

}  // namespace

int run_selftest(bool json) {
  std::vector<SelftestRow> rows = known_values();
  const std::vector<SelftestNumbers> narrow = f32::selftest_numbers(), wide = f64::selftest_numbers();
  for (size_t i = 0; i < wide.size(); ++i)
    rows.push_back(
        {"float against double, " + wide[i].name, relative_error(narrow[i].values, wide[i].values), wide[i].bar});
  for (const SelftestRow& row : f64::selftest_checks()) rows.push_back({"f64: " + row.name, row.error, row.bar});
  for (const SelftestRow& row : f32::selftest_checks()) rows.push_back({"f32: " + row.name, row.error, row.bar});
  int failed = 0;
  for (const SelftestRow& row : rows) {
    const bool pass = row.error <= row.bar;
    failed += !pass;
    char line[256];
    std::snprintf(line, sizeof line, "%s  %-58s error %.2e  bar %.1e\n", pass ? "PASS" : "FAIL", row.name.c_str(),
                  row.error, row.bar);
    print_out(
        json ? JsonLine().add("check", row.name).add("pass", pass).add("error", row.error).add("bar", row.bar).text() +
                   "\n"
             : line);
  }
  if (!json) print_out(std::to_string(rows.size()) + " checks, " + std::to_string(failed) + " failed\n");
  return failed ? kNegative : kOk;
}

}  // namespace purescope
