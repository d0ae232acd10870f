// From the files of a run to its section: hand-made runs, so that every number is known.
#include "report/run_section.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/hash.h"
#include "io/scratch_folder.h"
#include "report/attack_table.h"
#include "report/run_section_robustbench.h"
#include "report/section_json.h"
#include "report/section_text.h"

using namespace purescope;

namespace {

const RunFacts kFacts = {"3f9a01c2", "linf", "full", {.steps = 10}, {}, 7};
constexpr double kEps = 8.0 / 255;

std::string header(const std::string& command, const std::string& t = "[20,50]") {
  return "{\"schema\":1,\"versions\":[\"0.1.0\"],\"numerics\":\"1\",\"mixed\":false,\"config_hash\":\"3f9a01c2aaaa\","
         "\"config\":{\"command\":\"" +
         command + "\",\"real\":\"f32\",\"n\":4,\"t\":" + t +
         ",\"seed\":[0],\"eps\":[0.03137254901960784],\"norm\":\"linf\",\"rand\":[\"fixed\",\"free\"],\"predict\":true,"
         "\"draws\":2},"
         "\"identity\":{},\"command_line\":[\"purescope\",\"" +
         command +
         "\",\"--data\",\"a b\"],\"purifier\":{\"file\":\"shapes-ddpm\",\"arch\":\"unet\"},"
         "\"classifier\":{\"file\":\"c\",\"arch\":\"wrn\"},\"data\":{\"description\":\"shapes:1\"},"
         "\"purification\":[\"t* 50, forward jump to abar[49] = 0.97, 10 reverse steps at indices 49 .. 4\"]}";
}

std::string with_checksum(const std::string& line) {
  const std::string body = line.substr(0, line.size() - 1);
  char crc[32];
  std::snprintf(crc, sizeof crc, ",\"crc\":\"%08x\"}", crc32(body.data(), body.size()));
  return body + crc;
}

std::string attacked(int image, Rand rand, int t, bool robust, double cr) {
  AttackRecord r;
  r.image = image;
  r.label = 1, r.pred_clean = 1, r.pred_anchor = image == 3 ? 0 : 1, r.pred_adv = robust ? 1 : 2;
  r.robust = robust, r.cr = cr, r.adversarial = {.5f};
  return with_checksum(attack_line(kFacts, {"attack:" + rand_name(rand), image, 0, t, kEps}, "source", rand, r));
}

std::string minimum(int image, double budget) {
  return with_checksum(
      minimum_line(kFacts, {"minimum:clean", image, 0, 0, kEps}, "source", 1, budget, false, 0, {{.25, false}}));
}

// 4 images at t* 20 and 50; robust under fixed noise: 1 of 4 and 2 of 4, under free noise: 3 of 4.
std::vector<std::string> attack_records() {
  std::vector<std::string> lines;
  for (int i = 0; i < 4; ++i) {
    lines.push_back(minimum(i, .1 * (i + 1)));
    for (int t : {20, 50}) {
      lines.push_back(attacked(i, Rand::Fixed, t, i < (t == 20 ? 1 : 2), .2 + .01 * i + .001 * t));
      lines.push_back(attacked(i, Rand::Free, t, i < 3, .2 + .01 * i + .001 * t));
    }
  }
  return lines;
}

struct HandMadeRun {
  ScratchFolder folder;
  explicit HandMadeRun(const std::string& command, const std::vector<std::string>& lines, bool finished = true) {
    spit(folder / "header.json", header(command));
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    spit(folder / "results.0000of0001.jsonl", text);
    if (finished) spit(folder / "summary.json", "{}\n");
  }
  std::string journal() const { return folder / "results.0000of0001.jsonl"; }
};

const Cell& cell(const ResultTable& t, size_t row, const std::string& column) {
  for (size_t i = 0; i < t.columns.size(); ++i)
    if (t.columns[i].title == column) return t.rows.at(row)[i];
  ADD_FAILURE() << "no column " << column;
  return t.rows.at(0)[0];
}

}  // namespace

TEST(RunSection, AttackHasItsNumbers) {
  const HandMadeRun run("attack", attack_records());
  const RunRecords records = read_run(run.folder.path());
  EXPECT_EQ(records.records.size(), 20u);
  EXPECT_EQ(run_partial(records), "");
  const Section s = run_section(records);
  EXPECT_EQ(section_problem(s), "");
  EXPECT_EQ(s.command, "purescope attack --data 'a b'");
  ASSERT_EQ(s.tables.at(0).rows.size(), 2u);
  const ResultTable& t = s.tables[0];
  EXPECT_EQ(cell(t, 0, "t*").value, 20);
  EXPECT_EQ(cell(t, 0, "budget").text, "8/255");
  EXPECT_EQ(cell(t, 0, "clean").value, 100);
  EXPECT_EQ(cell(t, 0, "anchor").value, 75);
  EXPECT_EQ(cell(t, 0, "robust, fixed").value, 25);
  EXPECT_EQ(cell(t, 1, "robust, fixed").value, 50);
  EXPECT_EQ(cell(t, 1, "robust, free").value, 75);
  EXPECT_EQ(cell(t, 1, "robust, free").n, 4);
  EXPECT_NEAR(cell(t, 1, "robust, fixed").low, 100 * wilson(2, 4).low, 1e-12);
  EXPECT_NEAR(cell(t, 0, "CR").value, .235, 1e-12);
  EXPECT_EQ(cell(t, 0, "predicted (clean)").value, 50);  // minima .1 .2 .3 .4 against .235
  for (const Column& c : t.columns) EXPECT_EQ(c.title.find("transfer"), std::string::npos);  // was not measured
  ASSERT_GE(s.findings.size(), 5u);
  EXPECT_NE(s.findings[3].find("1 of 4 images are robust under fresh noise only and 0 under fixed noise only"),
            std::string::npos)
      << s.findings[3];
}

TEST(RunSection, AttackPlots) {
  const HandMadeRun run("attack", attack_records());
  const Section s = run_section(read_run(run.folder.path()));
  ASSERT_EQ(s.plots.size(), 4u);  // accuracy, law, rate over t*, rates of the images; no grid.png is there
  EXPECT_EQ(s.plots[0].series.size(), 5u);
  const Series& survival = s.plots[1].series.at(0);
  ASSERT_EQ(survival.y.size(), 5u);
  EXPECT_EQ(survival.y, (std::vector<double>{100, 75, 50, 25, 0}));
  EXPECT_EQ(survival.x[1], .1);
  double images = 0;
  for (double n : s.plots[3].series.at(0).y) images += n;
  EXPECT_EQ(images, 4);
  spit(run.folder / "grid.png", "x");
  EXPECT_EQ(run_section(read_run(run.folder.path())).plots.back().kind, Plot::Images);
}

TEST(RunSection, UnfinishedRunsSayHowFar) {
  std::vector<std::string> lines = attack_records();
  lines.resize(7);
  const HandMadeRun run("attack", lines, false);
  const RunRecords records = read_run(run.folder.path());
  EXPECT_EQ(run_partial(records), "7 of 20 records are there");  // 4 images x 2 t* x 2 kinds, and 4 minima
  EXPECT_EQ(section_problem(run_section(records)), "");
  const HandMadeRun empty("cr", {}, false);
  EXPECT_EQ(run_partial(read_run(empty.folder.path())), "0 of 8 records are there");
  EXPECT_EQ(run_section(read_run(empty.folder.path())).findings.at(0), "No record is there yet.");
}

TEST(RunRecords, RefusesDamage) {
  const HandMadeRun run("attack", attack_records());
  const std::string good = slurp(run.journal());
  const auto code = [&](const std::string& text) {
    spit(run.journal(), text);
    return exit_code_of([&] { read_run(run.folder.path()); });
  };
  EXPECT_EQ(code(good), 0);  // control
  std::string bad = good;
  bad[bad.find("\"robust\":") + 9] ^= 2;
  EXPECT_EQ(code(bad), kBadInput);
  EXPECT_EQ(code(good + with_checksum("{\"v\":1,\"run\":\"00000000\",\"kind\":\"cr\"}") + "\n"), kBadInput);
  EXPECT_EQ(code(good + with_checksum("{\"v\":9,\"run\":\"3f9a01c2\",\"kind\":\"cr\"}") + "\n"), kBadInput);
  EXPECT_EQ(code(good + attacked(0, Rand::Fixed, 20, false, .9) + "\n"), kBadInput);  // a second, different record
  EXPECT_EQ(code(good + "\n"), kBadInput);
  EXPECT_EQ(code(good + good), 0);  // the same once more does no harm
  EXPECT_EQ(read_run(run.folder.path()).records.size(), 20u);
  spit(run.journal(), good.substr(0, good.size() - 5));
  const RunRecords torn = read_run(run.folder.path());
  EXPECT_TRUE(torn.torn);
  EXPECT_EQ(torn.records.size(), 19u);
  spit(run.folder / "header.json", "{\"config_hash\":");
  EXPECT_EQ(exit_code_of([&] { read_run(run.folder.path()); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { read_run(run.folder / "nowhere"); }), kMissingInput);
  std::filesystem::create_directories(run.folder / "empty");
  EXPECT_EQ(exit_code_of([&] { read_run(run.folder / "empty"); }), kMissingInput);
}

TEST(RunSection, SectionJsonGoesBeforeTheRecords) {
  const HandMadeRun run("experiment-law", {});
  EXPECT_EQ(run_section(read_run(run.folder.path())).name,
            "experiment-law");  // not finished: a section without numbers
  Section s;
  s.name = "law";
  s.title = "A law";
  spit(run.folder / "section.json", section_json(s) + "\n");
  EXPECT_EQ(run_section(read_run(run.folder.path())).title, "A law");
  spit(run.folder / "section.json", "{}");
  EXPECT_EQ(exit_code_of([&] { run_section(read_run(run.folder.path())); }), kBadInput);
  const HandMadeRun unknown("bench", {});
  EXPECT_EQ(exit_code_of([&] { run_section(read_run(unknown.folder.path())); }), kBadInput);
}

TEST(RunCard, SaysNothingOfTimeAndPlace) {
  const HandMadeRun run("attack", attack_records());
  std::string all;
  for (const auto& [name, value] : run_card(read_run(run.folder.path()))) all += name + "=" + value + "\n";
  EXPECT_NE(all.find("run=3f9a01c2\n"), std::string::npos);
  EXPECT_NE(all.find("purifier=shapes-ddpm, unet\n"), std::string::npos);
  EXPECT_NE(all.find("records=20, all checksums verified\n"), std::string::npos);
}

TEST(RobustBench, FieldsOfOneRun) {
  const HandMadeRun run("attack", attack_records());
  EXPECT_EQ(exit_code_of([&] { robustbench_json(read_run(run.folder.path())); }), kUsage);  // two t*
  std::vector<std::string> lines;
  for (const std::string& line : attack_records())
    if (line.find("\"t\":20,") == std::string::npos) lines.push_back(line);
  const HandMadeRun one("attack", lines);
  const JsonObject o = JsonObject::parse(robustbench_json(read_run(one.folder.path())), "test");
  EXPECT_EQ(o.get_string("clean_acc"), "75.00");
  EXPECT_EQ(o.get_string("reported"), "50.00");  // fixed is the lower one
  EXPECT_EQ(o.get_string("eps"), "8/255");
  EXPECT_EQ(o.get_int("number_forward_passes"), 11);
  EXPECT_FALSE(o.has("autoattack_acc"));
  const HandMadeRun half("attack", lines, false);
  EXPECT_EQ(exit_code_of([&] { robustbench_json(read_run(half.folder.path())); }), kUsage);
  const HandMadeRun cr("cr", {});
  EXPECT_EQ(exit_code_of([&] { robustbench_json(read_run(cr.folder.path())); }), kUsage);
}

TEST(RunSection, ShellWords) {
  EXPECT_EQ(shell_word("runs/a-b_1.0,2:3"), "runs/a-b_1.0,2:3");
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(budget_text(8. / 255), "8/255");
  EXPECT_EQ(budget_text(.5), "0.5");
}
