// The command bench: a row for every step and line, rates that follow from the milliseconds, a summary.
#include <gtest/gtest.h>

#include <sstream>

#include "cli/program.h"
#include "io/json_text.h"

using namespace purescope;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

double number(const std::string& line, const std::string& key) {
  const size_t at = line.find("\"" + key + "\":");
  return at == std::string::npos ? -1 : std::atof(line.c_str() + at + key.size() + 3);
}

}  // namespace

TEST(CliBench, OneRowPerStepAndASummary) {
  const std::vector<std::string> call = {"bench", "--arch", kWrn, "--repeats", "3", "--warm-up", "1", "--threads", "1"};
  auto with = [&](std::vector<std::string> more) { more.insert(more.begin(), call.begin(), call.end()); return more; };
  const std::vector<std::string> steps = lines_of(expect_success({"explain", "--arch", kWrn, "--json"}).out);
  const std::vector<std::string> forward = lines_of(expect_success(with({"--pass", "forward", "--json"})).out);
  ASSERT_EQ(forward.size(), steps.size());   // explain ends with a line of totals, bench with the summary
  const std::string& all = forward.back();
  EXPECT_GT(number(all, "ms"), 0);
  EXPECT_NEAR(number(all, "gflops") * number(all, "ms") * 1e-3, 2e-9 * number(steps.back(), "macs"), 1e-3 * number(all, "gflops"));
  EXPECT_GT(number(all, "peak_gflops"), 0);
  const std::vector<std::string> gradient = lines_of(expect_success(with({"--json", "--math", "fast"})).out);
  EXPECT_EQ(gradient.size(), steps.size() + static_cast<size_t>(number(steps.back(), "backward_lines")));
  EXPECT_NE(gradient.back().find("\"math\":\"fast\""), std::string::npos);
  const std::string table = expect_success(with({"--pass", "training"})).out;
  EXPECT_NE(table.find("GFLOP/s"), std::string::npos);
  expect_failure(with({"--pass", "sideways"}), 2, "sideways");
}
