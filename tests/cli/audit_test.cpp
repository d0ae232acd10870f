// audit and trace as a user runs them.
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/program.h"
#include "core/hash.h"
#include "io/json_text.h"

using namespace purescope;

namespace {

// Small networks with weights by formula, short chains, few directions: seconds.
std::vector<std::string> small(const std::string& command, const std::vector<std::string>& more) {
  std::vector<std::string> args = {command, "-p", "formula", "--purifier-arch", kDdpm, "-c", "formula", "--classifier-arch", kWrn, "--t", "4", "-q"};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

size_t lines_of(const std::string& path, const std::string& word) {
  const std::string text = slurp(path);
  size_t count = 0;
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
  return count;
}

const std::vector<std::string> kShort = {"-n", "2", "--steps", "2", "--directions", "2", "--checks", "1,2,3,4,6"};

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST(AuditCommand, HonestPassesPlantedFailsAndBothLeaveTheirRecords) {
  const ScratchFolder folder(true);
  const std::string honest = folder / "honest", planted = folder / "planted";
  const ProgramRun a = run_program(small("audit", joined(kShort, {"--out", honest})));
  EXPECT_EQ(a.code, 0) << a.out << a.err;
  EXPECT_NE(a.out.find("PASS: 5 passed, 0 warned, 0 failed"), std::string::npos) << a.out;
  EXPECT_EQ(lines_of(honest + "/results.0000of0001.jsonl", "\"kind\":\"difference:f64:"), 6u);   // 3 directions x 2 images
  EXPECT_EQ(lines_of(honest + "/results.0000of0001.jsonl", "\"kind\":\"difference:f32:"), 6u);
  EXPECT_TRUE(std::filesystem::exists(honest + "/arrays/images.npy"));
  EXPECT_EQ(JsonObject::parse(slurp(honest + "/summary.json"), "summary").get_string("verdict"), "PASS");

  const ProgramRun b = run_program(small("audit", joined(kShort, {"--out", planted, "--plant", "noise-redrawn", "--json"})));
  EXPECT_EQ(b.code, 1) << b.out << b.err;
  EXPECT_EQ(JsonObject::parse(b.out, "stdout").get_string("verdict"), "FAIL");

  // The folder exists: refused, unless it is to be continued; continuing adds nothing and says the same.
  expect_failure(small("audit", joined(kShort, {"--out", honest})), 73, "");
  const std::string before = slurp(honest + "/results.0000of0001.jsonl");
  const ProgramRun again = run_program(small("audit", joined(kShort, {"--out", honest, "--resume"})));
  EXPECT_EQ(again.out, a.out);
  EXPECT_EQ(slurp(honest + "/results.0000of0001.jsonl"), before);
}

// The bundled default, honest: no check fails, in either scalar.
TEST(AuditCommand, BundledDefaultHasNoFail) {
  const ScratchFolder folder(true);
  for (const std::string real : {"f32", "f64"}) {
    const ProgramRun run = run_program({"audit", "--quick", "--t", "50", "--steps-reverse", "5", "-n", real == "f32" ? "4" : "2", "--steps", "4", "--directions", "2",
                                        "-q", "--real", real, "--out", folder / real});
    EXPECT_EQ(run.code, 0) << run.out << run.err;
  }
}

TEST(AuditCommand, JudgesGradientsMadeElsewhere) {
  const ScratchFolder folder(true);
  const std::string x = folder / "x.npy", g = folder / "g.npy", alone = folder / "alone.npy";
  std::vector<float> values(2 * 3 * 16 * 16);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.2f + 0.6f * static_cast<float>(mix(i) >> 40) / (1 << 24);
  write_npy(x, {2, 3, 16, 16}, values.data());
  expect_success(small("gradient", {"--input", x, "--labels", "3,5", "--output", g}));
  const ProgramRun full = run_program(small("audit", {"--gradient", g, "--input", x, "--labels", "3,5"}));
  EXPECT_EQ(full.code, 0) << full.out << full.err;
  EXPECT_NE(full.out.find("PASS: it is the full gradient"), std::string::npos) << full.out;
  // Other noise, and a gradient that stops at the purifier.
  const ProgramRun other = run_program(small("audit", {"--gradient", g, "--input", x, "--labels", "3,5", "--seed", "9"}));
  EXPECT_EQ(other.code, 1) << other.out;
  const ProgramRun trace = run_program(small("trace", {"--backward", "bpda", "--out", folder / "bpda"}));
  EXPECT_EQ(trace.code, 0) << trace.err;
  const ProgramRun bpda = run_program(small("audit", {"--gradient", folder / "bpda/gradient.npy", "--input", folder / "bpda/image.npy", "--labels",
                                                      std::to_string(JsonObject::parse(slurp(folder / "bpda/index.jsonl").substr(0, slurp(folder / "bpda/index.jsonl").find('\n')), "index").get_int("label"))}));
  EXPECT_EQ(bpda.code, 1) << bpda.out;
  EXPECT_NE(bpda.out.find("FAIL: resembles"), std::string::npos) << bpda.out;
}

// The trace's gradient is that of `gradient`, and every step's parts add up to its cotangent.
TEST(TraceCommand, PartsAddUp) {
  const ScratchFolder folder(true);
  const std::string out = folder / "trace", g = folder / "g.npy";
  expect_success(small("trace", {"--out", out, "--real", "f64"}));
  const std::string index = slurp(out + "/index.jsonl");
  const JsonObject head = JsonObject::parse(index.substr(0, index.find('\n')), "index");
  expect_success(small("gradient", {"--input", out + "/image.npy", "--labels", std::to_string(head.get_int("label")), "--output", g, "--real", "f64"}));
  EXPECT_EQ(npy_values(out + "/gradient.npy"), npy_values(g));
  for (const char* step : {"step0000_t0003", "step0003_t0000"}) {
    std::vector<double> sum = npy_values(out + "/backward_" + step + "_direct.npy");
    const std::vector<double> net = npy_values(out + "/backward_" + step + "_from_network.npy");
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += net[i];
    EXPECT_LE(relative_l2(sum, npy_values(out + "/backward_" + step + "_cotangent.npy")), 1e-12);
  }
  EXPECT_EQ(lines_of(out + "/index.jsonl", "\"file\":"), static_cast<size_t>(std::distance(std::filesystem::directory_iterator(out), {})) - 1);
  expect_failure(small("trace", {"--out", out}), 73, "not empty");
}
