// The table of a run from crafted records: exact counts, intervals, rates and predictions, whatever the order of the records.
#include "report/attack_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "io/json_text.h"

using namespace purescope;

namespace {

const RunFacts kFacts = {"3f9a01c2", "linf", "full", {.steps = 10}, {}, 7};
constexpr double kEps = 8.0 / 255;

AttackRecord record(int image, int label, int clean, int anchor, int adv, bool on_path, double cr, const std::string& status = "ok") {
  AttackRecord r;
  r.image = image;
  r.label = label;
  r.pred_clean = clean;
  r.pred_anchor = anchor;
  r.pred_adv = adv;
  r.adv_on_path = on_path;
  r.cr = cr;
  r.status = status;
  r.robust = status == "ok" && adv == label;
  r.adversarial = {0.5f};
  return r;
}

std::string line(const AttackRecord& r, Rand rand, int t, int64_t seed, double eps = kEps) {
  return attack_line(kFacts, {"attack:" + rand_name(rand), r.image, seed, t, eps}, "source", rand, r);
}

std::string minimum(const std::string& kind, int image, int t, int64_t seed, double budget, bool censored = false, int pairs = 0, double eps = kEps) {
  return minimum_line(kFacts, {"minimum:" + kind, image, seed, t, eps}, "source", 0, budget, censored, pairs, {{0.25, false}, {0.5, true}});
}

// Four images at t = 50, seeds 0 and 1; a survival curve at clean images and one at the anchors of seed 0.
std::vector<std::string> records() {
  std::vector<std::string> lines;
  for (int64_t seed : {0, 1})
    for (int i = 0; i < 4; ++i) {
      // image 0 robust, 1 broken, 2 misclassified as it is, 3 robust at the end but broken on the way (fixed, seed 0)
      lines.push_back(line(record(i, i, i == 2 ? 9 : i, i == 1 ? 8 : i, i == 1 || i == 2 ? 5 : i, i == 3 || i == 1, 0.2 + 0.1 * i), Rand::Fixed, 50, seed));
      lines.push_back(line(record(i, i, i == 2 ? 9 : i, i == 1 ? 8 : i, seed ? 5 : i, false, 0.2 + 0.1 * i), Rand::Free, 50, seed));
    }
  const double budgets[4] = {0.3, 0.36, 0, 16};
  for (int i = 0; i < 4; ++i) {
    lines.push_back(minimum("clean", i, 0, 0, budgets[i], i == 3, i));
    lines.push_back(minimum("anchor", i, 50, 0, 0.1 * i + 0.1));
  }
  return lines;
}

void expect_proportion(const Proportion& p, int k, int n) {
  const Proportion w = wilson(k, n);
  EXPECT_EQ(p.k, k);
  EXPECT_EQ(p.n, n);
  EXPECT_EQ(p.value, w.value);
  EXPECT_EQ(p.low, w.low);
  EXPECT_EQ(p.high, w.high);
}

}  // namespace

TEST(AttackTable, CountsRatesAndPredictions) {
  const std::vector<TableRow> rows = attack_table(records());
  ASSERT_EQ(rows.size(), 2u);
  const TableRow& r = rows[0];
  EXPECT_EQ(r.t, 50);
  EXPECT_EQ(r.eps, kEps);
  EXPECT_EQ(r.seed, 0);
  expect_proportion(r.clean, 3, 4);
  expect_proportion(r.anchor, 3, 4);
  expect_proportion(r.fixed, 2, 4);
  expect_proportion(r.free, 4, 4);
  EXPECT_EQ(r.transfer.n, 0);
  expect_proportion(r.on_path, 1, 4);
  EXPECT_EQ(r.cr.size(), 4u);            // once per image, although there are two records of each
  EXPECT_NEAR(r.cr_mean, 0.35, 1e-15);
  EXPECT_NEAR(r.cr_sd, std::sqrt((0.15 * 0.15 + 0.05 * 0.05) * 2 / 3), 1e-15);
  expect_proportion(r.predicted_clean, 2, 4);   // budgets above 0.35: 0.36 and the censored one
  expect_proportion(r.predicted_anchor, 1, 4);  // 0.4
  EXPECT_EQ(r.nan, 0);
  EXPECT_EQ(r.censored, 1);
  EXPECT_EQ(r.non_monotone, 0 + 1 + 2 + 3);
  EXPECT_EQ(rows[1].seed, 1);
  expect_proportion(rows[1].free, 0, 4);
  expect_proportion(rows[1].predicted_clean, 2, 4);   // the clean curve serves every seed
  EXPECT_EQ(rows[1].predicted_anchor.n, 0);           // the anchors of seed 1 were not measured
}

// S(0+), the prediction of a purifier that removes everything, is the clean accuracy.
TEST(AttackTable, SurvivalAtZeroIsTheCleanAccuracy) {
  std::vector<std::string> lines;
  for (int i = 0; i < 10; ++i) {
    lines.push_back(line(record(i, 1, i < 7 ? 1 : 0, 1, 1, false, 1e-12), Rand::Fixed, 50, 0));
    lines.push_back(minimum("clean", i, 0, 0, i < 7 ? 0.001 * (i + 1) : 0));
  }
  const TableRow r = attack_table(lines)[0];
  expect_proportion(r.predicted_clean, 7, 10);
  EXPECT_EQ(r.predicted_clean.value, r.clean.value);
}

TEST(AttackTable, NotFiniteAndSkipped) {
  std::vector<std::string> lines = {
      line(record(0, 1, 1, 1, 1, false, 0.25), Rand::Fixed, 50, 0),
      line(record(1, 1, 1, 1, 1, false, NAN, "nan"), Rand::Fixed, 50, 0),
      line(record(2, 1, 0, 1, 1, false, 0.75, "skipped_misclassified"), Rand::Fixed, 50, 0),
  };
  const TableRow r = attack_table(lines)[0];
  expect_proportion(r.fixed, 1, 2);    // the one that is not finite counts as not robust; the skipped one not at all
  expect_proportion(r.clean, 2, 2);
  EXPECT_EQ(r.nan, 1);
  EXPECT_EQ(r.cr.size(), 2u);
  EXPECT_EQ(r.cr_mean, 0.5);
  EXPECT_NE(table_text({r}).find("1 records were not finite"), std::string::npos);
}

// Compression rates alone, several budgets and seeds: one row each, in order.
TEST(AttackTable, RowsBySetting) {
  std::vector<std::string> lines;
  for (double eps : {4.0 / 255, 8.0 / 255})
    for (int t : {100, 20})
      for (int64_t seed : {1, 0})
        for (int i = 0; i < 3; ++i)
          lines.push_back(cr_line(kFacts, {"cr", i, seed, t, eps}, "source", 0.1 * (i + 1), 0.01, 0.5, {0.1, 0.2}));
  const std::vector<TableRow> rows = attack_table(lines);
  ASSERT_EQ(rows.size(), 8u);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_LT(std::tie(rows[i - 1].t, rows[i - 1].eps, rows[i - 1].seed), std::tie(rows[i].t, rows[i].eps, rows[i].seed));
  EXPECT_EQ(rows[0].clean.n, 0);
  EXPECT_NEAR(rows[0].cr_mean, 0.2, 1e-15);
  const std::string text = table_text(rows);
  EXPECT_EQ(text.find("robust"), std::string::npos);
  EXPECT_NE(text.find("0.2000 +- 0.1000"), std::string::npos) << text;
}

// Nothing measured, nothing predicted: without a rate there is no S(rate).
TEST(AttackTable, NoRateNoPrediction) {
  std::vector<std::string> lines;
  for (int i = 0; i < 3; ++i) {
    lines.push_back(line(record(i, 1, 1, 1, 1, false, NAN), Rand::Fixed, 50, 0));
    lines.push_back(minimum("clean", i, 0, 0, 0.5));
  }
  const TableRow r = attack_table(lines)[0];
  EXPECT_TRUE(r.cr.empty());
  EXPECT_EQ(r.predicted_clean.n, 0);
  EXPECT_EQ(table_text({}), "no records\n");
}

TEST(AttackTable, OrderOfRecordsDoesNotMatter) {
  std::vector<std::string> lines = records();
  const std::string text = table_text(attack_table(lines)), json = table_json(attack_table(lines));
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(lines.begin(), lines.end(), random);
    ASSERT_EQ(table_text(attack_table(lines)), text) << i;
    ASSERT_EQ(table_json(attack_table(lines)), json) << i;
  }
  lines.pop_back();
  EXPECT_NE(table_json(attack_table(lines)), json);   // control
}

// A line reads back as what was put in, and its identity sorts by image first.
TEST(AttackTable, LinesReadBack) {
  const AttackRecord r = record(17, 3, 3, 4, 5, true, 0.25);
  const JsonObject o = JsonObject::parse(line(r, Rand::Transfer, 50, 2), "line");
  EXPECT_EQ(o.get_string("kind"), "attack:transfer");
  EXPECT_EQ(o.get_int("img"), 17);
  EXPECT_EQ(o.get_int("seed"), 2);
  EXPECT_EQ(o.get_int("test_seed"), 7);
  EXPECT_EQ(o.get_double("eps"), kEps);
  EXPECT_EQ(o.get_double("cr_rand"), 0.25);
  EXPECT_TRUE(o.get_bool("adv_on_path"));
  EXPECT_FALSE(o.get_bool("robust"));
  EXPECT_EQ(JsonObject::parse(line(r, Rand::Fixed, 50, 2), "line").get_int("test_seed"), 2);
  const JsonObject m = JsonObject::parse(minimum("clean", 1, 0, 0, 0.5), "line");
  EXPECT_EQ(m.raw("probes"), "[[0.25,0],[0.5,1]]");
  EXPECT_LT(record_id_key({"attack:free", 2, 9, 9, 1}), record_id_key({"attack:fixed", 10, 0, 0, 0}));
  EXPECT_NE(record_id_key({"attack:free", 2, 0, 50, kEps}), record_id_key({"attack:fixed", 2, 0, 50, kEps}));
}
