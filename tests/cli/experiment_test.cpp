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
    EXPECT_FALSE(s.plots.empty());
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

// The example of the documentation is read, the command line wins over it, and a key that no flag has is refused.
TEST(CliExperiment, ReadsAConfigurationFile) {
  const ScratchFolder folder;
  const std::string example = std::string(PURESCOPE_TEST_DIR) + "/../docs/experiment.toml";
  expect_success({"experiment", "law", "-q", "--config", example, "--attack-images", "2", "-n", "3", "--out", folder / "law"});
  const JsonObject header = JsonObject::parse(slurp(folder / "law/header.json"), "header");
  const JsonObject config = JsonObject::parse(header.raw("config"), "config");
  EXPECT_EQ(config.get_string("sampler"), "ddpm,reverse");
  EXPECT_EQ(config.raw("t"), "[10,50]");
  EXPECT_EQ(config.get_int("steps"), 4);
  EXPECT_EQ(config.get_int("attack-images"), 2);
  EXPECT_EQ(config.get_int("n"), 3);
  EXPECT_EQ(section_of(folder / "law").tables[0].rows.size(), 4u);
  spit(folder / "wrong.toml", "[experiment]\nimages-attacked = 4\n");
  expect_failure({"experiment", "law", "--config", folder / "wrong.toml", "--out", folder / "x"}, 2, "images-attacked", "line 2");
}

// Beyond the default purifier's range the one trained on all t is taken, if it is there and none was named.
TEST(CliExperiment, TakesThePurifierOfAllTimes) {
  const ScratchFolder folder;
  std::filesystem::create_directory(folder / "weights");
  const std::string bundled = std::string(PURESCOPE_TEST_DIR) + "/../weights/";
  for (const char* name : {"shapes-ddpm", "shapes-classifier"}) std::filesystem::copy_file(bundled + name + ".safetensors", folder / "weights/" + name + ".safetensors");
  const std::vector<std::string> there = {"PURESCOPE_MODEL_DIR=" + (folder / "weights")};
  const Args law = {"experiment", "timesteps", "-q", "--quick", "-n", "1", "--steps-reverse", "1", "--draws", "1", "--sampler", "ddpm"};
  const auto run = [&](const std::string& out, const Args& more) {
    Args a = law;
    a.insert(a.end(), {"--out", folder / out});
    a.insert(a.end(), more.begin(), more.end());
    return run_program(a, there);
  };
  const auto setting = [&](const std::string& out, const std::string& name) {
    for (const auto& [key, value] : section_of(folder / out).settings)
      if (key == name) return value;
    return std::string();
  };
  ASSERT_EQ(run("without", {}).code, 0);   // the default ends at its own range
  EXPECT_NE(setting("without", "purifier").find("(shapes-ddpm)"), std::string::npos) << setting("without", "purifier");
  EXPECT_EQ(run("beyond", {"--t", "200"}).code, 65);

  const ProgramRun made = run_program({"train", "ddpm", "-q", "--arch", "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4", "--data", "shapes:0", "-n", "8", "--held-out", "shapes:1",
                                       "--held-out-count", "2", "--steps", "1", "--batch", "2", "--t-max", "400", "--out", folder / "weights/shapes-ddpm-all.safetensors"});
  ASSERT_EQ(made.code, 0) << made.err;
  ASSERT_EQ(run("with", {}).code, 0);
  EXPECT_NE(setting("with", "purifier").find("(shapes-ddpm-all)"), std::string::npos) << setting("with", "purifier");
  EXPECT_EQ(setting("with", "t*").substr(setting("with", "t*").rfind(' ') + 1), "400");
  EXPECT_EQ(run("beyond", {"--t", "200"}).code, 0);
  ASSERT_EQ(run("near", {"--t", "50"}).code, 0);
  EXPECT_NE(setting("near", "purifier").find("(shapes-ddpm)"), std::string::npos);
  EXPECT_EQ(run("named", {"-p", "shapes-ddpm", "--t", "200"}).code, 65);
  const ProgramRun list = run_program({"experiment", "list", "-q", "--quick"}, there);
  EXPECT_NE(list.out.find("with these settings and shapes-ddpm-all"), std::string::npos) << list.out;
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

// Experiments inside the purifier: {table, row, column, value} of our own earlier results, on 4 test images (2 attacked), in double.
struct Stored { size_t table, row, column; double value; };

void expect_stored(const Section& s, const std::vector<Stored>& stored, double tolerance) {
  for (const Stored& n : stored) {
    SCOPED_TRACE(s.name + " table " + std::to_string(n.table) + " row " + std::to_string(n.row) + " column " + std::to_string(n.column));
    ASSERT_LT(n.table, s.tables.size());
    ASSERT_LT(n.row, s.tables[n.table].rows.size());
    const Cell& c = s.tables[n.table].rows[n.row].at(n.column);
    EXPECT_NEAR(c.value, n.value, tolerance * std::abs(n.value));   // NaN is not near
    EXPECT_FALSE(c.papers);
  }
}

// Relative 1e-4, for the reason given above: rounding alone stays far below, a pixel at the edge of a clip may switch.
TEST(CliExperiment, OurOwnDistancesAndVariances) {
  const ScratchFolder folder;
  expect_success(job("distances", folder / "distances", {"--real", "f64"}));
  const Section d = section_of(folder / "distances");
  ASSERT_EQ(d.tables.size(), 3u);   // l2, l-inf, SSIM; rows: four attacks and four magnitudes, ddpm, and two starts of two samplers
  ASSERT_EQ(d.tables[0].rows.size(), 12u);
  expect_stored(d, {{0, 0, 4, 0.94477617}, {0, 1, 4, 0.92451275}, {0, 2, 2, 0.81937628}, {0, 2, 3, 2.61150201}, {0, 2, 4, 1.03489409}, {0, 3, 4, 0.86990576}, {0, 4, 4, 0.47877612},
                    {0, 6, 2, 0.49373495}, {0, 6, 4, 0.90008324}, {0, 11, 4, 5.01875277}, {1, 2, 4, 0.12201553}, {1, 6, 4, 0.12286067}, {1, 11, 4, 0.48899498}, {2, 2, 3, 0.93566963},
                    {2, 6, 2, 0.97503234}, {2, 6, 3, 0.93051877}, {2, 11, 3, 0.43289109}}, 1e-4);
  EXPECT_EQ(d.tables[0].rows[2][2].n, 2);
  EXPECT_EQ(d.tables[0].rows[6][2].n, 4);
  EXPECT_TRUE(d.tables[1].rows[6][7].papers);   // control of the check above: such cells there are, and they are marked
  EXPECT_EQ(d.tables[1].rows[6][7].value, .314);

  expect_success(job("randomness", folder / "randomness", {"--real", "f64"}));
  const Section r = section_of(folder / "randomness");
  expect_stored(r, {{0, 0, 1, 0.71436630}, {0, 1, 1, 0.0067868163}, {0, 2, 1, 0.70757949}, {0, 3, 1, 9.75683909}, {1, 0, 1, 0.43258872}, {1, 1, 1, 0.071609595}, {1, 2, 1, 0.73585772},
                    {1, 3, 1, 0.73928574}, {2, 0, 1, 0.041958537}, {2, 1, 1, 0.99076230}, {2, 2, 1, 0.033115714}}, 1e-4);
  for (const Series& bars : r.plots[0].series) EXPECT_TRUE(bars.x.empty());   // named bars stand side by side
  EXPECT_NEAR(r.tables[0].rows[1][1].value + r.tables[0].rows[2][1].value, r.tables[0].rows[0][1].value, 1e-12);   // eq. 20
}

TEST(CliExperiment, OurOwnGaussianFieldAndManifold) {
  const ScratchFolder folder;
  expect_success(job("gaussian", folder / "gaussian", {"--real", "f64"}));
  const Section g = section_of(folder / "gaussian");
  expect_stored(g, {{0, 0, 1, 0.90143410}, {0, 1, 1, 0.91039080}, {0, 2, 1, 0.94709469}, {0, 3, 1, 0.98667252}, {0, 5, 1, 0.99899999}, {1, 0, 1, 8.93868699}, {1, 5, 1, 527775.18891}}, 1e-7);
  for (const auto& row : g.tables[0].rows) EXPECT_NEAR(row[1].value, row[2].value, 3e-3);   // closed form, four walks

  expect_success(job("manifold", folder / "manifold", {"--real", "f64"}));
  const Section m = section_of(folder / "manifold");
  expect_stored(m, {{0, 0, 1, 0.95462984}, {0, 0, 3, 0.98378928}, {0, 1, 1, 0.13300960}, {0, 1, 3, 0.044264682}, {0, 2, 1, 0.15733370}, {0, 2, 2, 0.0093076448}, {0, 2, 3, 0.30334924},
                    {0, 3, 1, 0.42239176}, {0, 3, 2, 0.082142904}, {0, 3, 3, 0.53267105}, {1, 0, 1, 0.93823560}, {1, 9, 1, 0.99824374}, {2, 0, 1, 0.84580274}, {2, 1, 1, 0.78854494},
                    {2, 2, 1, 1.01127077}}, 1e-4);
  EXPECT_NEAR(m.tables[0].rows[0][2].value, 1, 1e-9);    // along the manifold
  EXPECT_NEAR(m.tables[0].rows[1][2].value, 0, 1e-9);    // across it
}

// The sketch takes differences, which feel curvature and clips: relative 1e-3. The steps are measured in float, where rounding passes
// through two chains and a ratio: the same bar.
TEST(CliExperiment, OurOwnSingularValuesAndSteps) {
  const ScratchFolder folder;
  expect_success(job("jacobian", folder / "jacobian", {"--real", "f64", "--rank", "4"}));
  const Section j = section_of(folder / "jacobian");
  expect_stored(j, {{0, 2, 1, 1.13190314}, {0, 3, 1, 0.16249896}, {0, 4, 1, 0.50035559}, {0, 5, 1, 0.51631161}}, 1e-3);
  EXPECT_EQ(j.tables[0].rows[0][1].text, "-");   // four values do not tell the share below 0.25
  EXPECT_TRUE(j.tables[0].rows[0][2].papers);
  EXPECT_EQ(j.tables[0].rows[0][2].text, "over 90");

  expect_success({"experiment", "steps", "-q", "--quick", "-n", "2", "--steps-reverse", "1", "--t", "20", "--probes", "4", "--out", folder / "steps"});
  const Section s = section_of(folder / "steps");
  expect_stored(s, {{0, 0, 1, 0.23207936}, {0, 0, 2, 0.23541265}, {0, 0, 4, 0.14454845}, {0, 0, 5, 1.00289707}, {0, 0, 6, 12.94051348}, {1, 0, 3, 9862.84248}}, 1e-3);
  const std::vector<Cell>& exact = s.tables[1].rows[0];   // Hutchinson's estimate lies within four of its errors of the exact trace
  EXPECT_LE(std::abs(exact[1].value - exact[3].value), 4 * exact[2].value);
  EXPECT_GT(exact[2].value, 0);
}

// A run that was stopped goes on, here of an experiment that keeps lists; `list` knows what is left of it.
TEST(CliExperiment, InsideExperimentsResumeAndListSaysWhatIsLeft) {
  const ScratchFolder folder;
  expect_success(job("randomness", folder / "a"));
  const std::string all = results(folder / "a"), section = slurp(folder / "a/section.json");
  spit(folder / "a/results.0000of0001.jsonl", all.substr(0, all.find('\n', all.find('\n') + 1) + 1));   // two of four records
  std::filesystem::remove(folder / "a/section.json");
  std::filesystem::remove(folder / "a/summary.json");
  Args list = job("list", folder / "a");
  const ProgramRun half = expect_success(list);
  EXPECT_NE(half.out.find("; left in " + (folder / "a") + ": "), std::string::npos) << half.out;
  expect_success(job("randomness", folder / "a", {"--resume"}));
  EXPECT_EQ(results(folder / "a"), all);
  Section before = section_from_json(section, "before"), after = section_of(folder / "a");
  before.command = after.command = "";
  EXPECT_EQ(section_json(after), section_json(before));
}
