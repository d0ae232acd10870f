// --math fast through the program: attacks on the bundled default, records that do not depend on batch or threads, refusals.
#include <gtest/gtest.h>

#include <cmath>

#include "cli/program.h"
#include "io/json_text.h"

using namespace purescope;

namespace {

using Args = std::vector<std::string>;

Args with(Args base, const Args& more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

std::string records(const std::string& folder) { return slurp(folder + "/results.0000of0001.jsonl"); }

constexpr int kImages = 16;

// An attack on the bundled purifier and classifier at a strength that breaks part of the images.
Args job(const std::string& out, const Args& more = {}) {
  return with({"attack", "-q", "-n", std::to_string(kImages), "--t", "6", "--steps", "6", "--rel-step", "0.3", "--eps", "6/255", "--fix-random", "--no-predict", "--out", out}, more);
}

// Occurrences of `word` in `text`.
int count_of(const std::string& text, const std::string& word) {
  int count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

TEST(CliFastMath, RobustCountOfTheBundledDefault) {
  const ScratchFolder folder;
  expect_success(job(folder / "exact"));
  const ProgramRun fast = expect_success(job(folder / "fast", {"--math", "fast"}));
  const std::string a = records(folder / "exact"), b = records(folder / "fast");
  ASSERT_EQ(count_of(a, "\"robust\":"), count_of(b, "\"robust\":")) << a;
  ASSERT_GE(count_of(a, "\"robust\":"), kImages);
  EXPECT_GT(count_of(a, "\"robust\":true"), 0) << "an attack that breaks all or none compares nothing";
  EXPECT_GT(count_of(a, "\"robust\":false"), 0);
  const int robust_exact = count_of(a, "\"robust\":true"), robust_fast = count_of(b, "\"robust\":true");
  std::printf("  robust of %d: %d exact, %d fast\n", kImages, robust_exact, robust_fast);
  // Half the width of a 95 % interval at this count is some three to four images; one that changes sides is what rounding may do.
  EXPECT_LE(std::abs(robust_exact - robust_fast), 1);
  EXPECT_NE(a, b);
  // The same bytes for another batch and other threads.
  EXPECT_EQ(expect_success(job(folder / "again", {"--math", "fast", "--batch", "5", "--threads", "1"})).out, fast.out);
  EXPECT_EQ(records(folder / "again"), b);
  // The mode is part of the configuration.
  EXPECT_NE(slurp(folder / "fast" + "/header.json").find("fast"), std::string::npos);
  expect_failure(job(folder / "fast", {"--resume"}), 78, "math");
}

TEST(CliFastMath, CompareExplainAndRefusals) {
  const Args net = {"--arch", kDdpm};
  EXPECT_EQ(run_program(with({"compare", "exact", "fast"}, net)).code, 0);
  EXPECT_EQ(run_program(with({"compare", "exact", "fast", "--tol", "0"}, net)).code, 1) << "control: the bits differ";
  EXPECT_EQ(run_program(with({"compare", "fast", "fast"}, net)).code, 0);
  EXPECT_EQ(run_program(with({"compare", "exact", "fast", "--real", "f64"}, net)).code, 0);
  const std::string plain = expect_success(with({"explain"}, net)).out;
  const std::string fast = expect_success(with({"explain", "--math", "fast"}, net)).out;
  EXPECT_EQ(plain.find("winograd"), std::string::npos);
  EXPECT_NE(fast.find("winograd 4x4"), std::string::npos);
  EXPECT_NE(fast.find("transformed filters"), std::string::npos);
  EXPECT_NE(expect_success({"version"}).out.find("exact, fast"), std::string::npos);
  // On a device: attention by blocks of 64 positions, products as they are. Without attention, or with one block, the bits are those of exact mode.
  const Args there = {"--device", "emulated"};
  EXPECT_EQ(run_program(with({"compare", "exact", "fast", "--arch", kDdpm}, there)).code, 0);
  EXPECT_EQ(run_program(with({"compare", "exact", "fast", "--tol", "0", "--arch", "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=16,size=16"}, there)).code, 1)
      << "control: the bits differ";
  EXPECT_EQ(run_program(with({"compare", "exact", "fast", "--tol", "0", "--arch", kDdpm}, there)).code, 0);
  EXPECT_EQ(run_program(with({"compare", "exact", "fast", "--tol", "0", "--arch", kWrn}, there)).code, 0);
}
