// experiment as a user runs it: the bundled networks, interrupted and resumed, listed, verified; and our own numbers of earlier versions.
#include <algorithm>
#include <filesystem>

#include "cli/program.h"
#include "io/json_text.h"
#include "report/section_json.h"

using namespace purescope;

namespace {

using Args = std::vector<std::string>;

Args job(const std::string& name, const std::string& out, const Args& more = {}) {
  Args a = {"experiment", name, "-q", "--quick", "-n", "4", "--attack-images", "2", "--steps", "2", "--steps-reverse", "2", "--draws", "2", "--eot", "2", "--tries", "2", "--t", "10,50", "--out", out};
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

Section section_of(const std::string& folder) { return section_from_json(slurp(folder + "/section.json"), folder); }

std::string results(const std::string& folder) { return slurp(folder + "/results.0000of0001.jsonl"); }

}  // namespace

TEST(CliExperiment, EveryOneRunsAndWritesItsSection) {
  const ScratchFolder folder;
  for (const std::string name : {"cr", "law", "survival", "predict", "protocol", "budget", "timesteps", "examples"}) {
    SCOPED_TRACE(name);
    const ProgramRun run = expect_success(job(name, folder / name));
    const Section s = section_of(folder / name);
    EXPECT_EQ(s.name, name);
    EXPECT_FALSE(s.tables.empty());
    EXPECT_FALSE(s.findings.empty());
    for (const ResultTable& t : s.tables) EXPECT_FALSE(t.rows.empty()) << t.title;
    EXPECT_NE(run.out.find(s.findings[0]), std::string::npos);
    EXPECT_NE(s.command.find("purescope experiment " + name), std::string::npos);
    if (name == "examples") {
      EXPECT_TRUE(std::filesystem::is_regular_file(folder / name + "/examples.png"));
    }
  }
}

// A run that lost its tail goes on to the same bytes; verify computes records again and finds a changed one.
TEST(CliExperiment, ResumesToTheSameBytes) {
  const ScratchFolder folder;
  expect_success(job("law", folder / "a", {"--sampler", "ddpm,ddim"}));
  std::filesystem::copy(folder / "a", folder / "b", std::filesystem::copy_options::recursive);
  const std::string all = results(folder / "a"), section = slurp(folder / "a/section.json");
  size_t cut = 0;
  for (int k = 0; k < 3; ++k) cut = all.find('\n', cut) + 1;
  spit(folder / "b/results.0000of0001.jsonl", all.substr(0, cut));
  std::filesystem::remove(folder / "b/section.json");
  expect_success(job("law", folder / "b", {"--sampler", "ddpm,ddim", "--resume"}));
  EXPECT_EQ(results(folder / "b"), all);
  // The command that made it differs, nothing else does.
  Section a = section_from_json(section, "a"), b = section_of(folder / "b");
  a.command = b.command = "";
  EXPECT_EQ(section_json(b), section_json(a));
  EXPECT_EQ(run_program({"verify", folder / "a", "--sample", "1"}).code, 0);
  expect_failure(job("law", folder / "b", {"--sampler", "ddpm,reverse", "--resume"}), 78, "configuration");
}

TEST(CliExperiment, ListsCostsAndRefusesWhatItDoesNotKnow) {
  const ScratchFolder folder;
  const ProgramRun list = expect_success({"experiment", "list", "-q", "--quick"});
  for (const char* name : {"cr:", "law:", "survival:", "predict:", "protocol:", "budget:", "timesteps:", "examples:", "v2 Fig. 3a", "network passes, about"})
    EXPECT_NE(list.out.find(name), std::string::npos) << name;
  expect_failure({"experiment", "laws"}, 2, "unknown experiment 'laws'", "law");
  expect_failure({"experiment", "law", "-p", "none"}, 2, "without a purifier");
  expect_failure(job("law", folder / "x", {"--sampler", "ddpm,ddpm"}), 2, "twice");
  expect_failure(job("law", folder / "y", {"--sampler", "nonsense"}), 2, "unknown sampler");
}

// Rates of the bundled networks in double. Sums are taken in an order that depends on the CPU's vector width at most: 1e-6 would hold for
// one purification, 1e-4 leaves room for the clip of predicted x0 to switch at a pixel.
TEST(CliExperiment, OurOwnNumbers) {
  const ScratchFolder folder;
  expect_success(job("timesteps", folder / "a", {"--real", "f64", "--sampler", "ddpm,reverse,ddim"}));
  const Section s = section_of(folder / "a");
  const double expected[] = {0.27140876, 0.17573201, 0.17788005, 0.42612886, 0.33146490, 0.16076391};
  ASSERT_EQ(s.tables[0].rows.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(s.tables[0].rows[i][4].value, expected[i], 1e-4) << i;
    EXPECT_EQ(s.tables[0].rows[i][4].n, 4);
    EXPECT_GE(s.tables[0].rows[i][3].value, 75) << "accuracy without attack";
  }
}
