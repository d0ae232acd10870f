// From hand-made records to verdicts: the rules themselves, without any network.
#include "report/audit_judge.h"

#include <gtest/gtest.h>

#include <cmath>

#include "report/audit_records.h"

using namespace purescope;

namespace {

std::string record(const std::string& kind, int image, const std::string& fields) {
  return "{\"kind\":\"" + kind + "\",\"img\":" + std::to_string(image) + ",\"seed\":0," + fields + "}";
}

std::string attacked(const std::string& name, int image, bool broken, bool path = false) {
  return record("attack:" + name, image, std::string("\"broken\":") + (broken ? "true" : "false") + ",\"path\":" + (path ? "true" : "false") + ",\"loss\":1,\"classes\":4");
}

AuditCheck only(int id, const std::vector<std::string>& lines, bool best = false) {
  AuditOptions o;
  o.checks = {id};
  o.pgd.best_iterate = best;
  return judge_audit(lines, o, AuditBars{})[0];
}

}  // namespace

TEST(AuditJudge, PairedDifference) {
  const PairedDifference d = paired_difference(9, 1, 100);
  EXPECT_DOUBLE_EQ(d.value, 0.08);
  EXPECT_NEAR(d.low, (2 * wilson(9, 10).low - 1) * 0.1, 1e-15);
  EXPECT_GT(d.low, 0);
  EXPECT_EQ(paired_difference(0, 0, 50).low, 0);
  EXPECT_LT(paired_difference(1, 0, 100).low, 0);   // one image decides nothing
}

TEST(AuditJudge, NumbersOfAnArray) {
  const std::vector<double> v = json_numbers("[1,-2.5e-3,null,4]");
  ASSERT_EQ(v.size(), 4u);
  EXPECT_EQ(v[1], -2.5e-3);
  EXPECT_TRUE(std::isnan(v[2]));
  EXPECT_TRUE(json_numbers("[]").empty());
}

// The interval decides between WARN and FAIL.
TEST(AuditJudge, OneImageWarnsTenFail) {
  std::vector<std::string> one, ten, none;
  for (int n = 0; n < 100; ++n) {
    for (auto* list : {&one, &ten, &none}) list->push_back(attacked("pgd", n, false));
    one.push_back(attacked("fgsm", n, n == 0));
    ten.push_back(attacked("fgsm", n, n < 10));
    none.push_back(attacked("fgsm", n, false));
  }
  EXPECT_EQ(only(kSingleStep, one).verdict, Verdict::Warn);
  EXPECT_EQ(only(kSingleStep, ten).verdict, Verdict::Fail);
  EXPECT_EQ(only(kSingleStep, none).verdict, Verdict::Pass);
  EXPECT_EQ(only(kSingleStep, {}).verdict, Verdict::Skip);
}

TEST(AuditJudge, NanNeverPasses) {
  EXPECT_EQ(only(kFlow, {record("flow", 0, "\"norms\":[1,null],\"denormal\":0,\"not_finite\":0")}).verdict, Verdict::Warn);
  EXPECT_EQ(only(kDifferences, {record("difference:f64:00", 0, "\"slope\":null,\"norm\":1,\"h\":[0.1,0.01,0.001],\"estimate\":[1,1,1]")}).verdict, Verdict::Fail);
  EXPECT_EQ(only(kDifferences, {record("difference:f64:00", 0, "\"slope\":1,\"norm\":1,\"h\":[0.1,0.01,0.001],\"estimate\":[2,1.01,1.00001]")}).verdict, Verdict::Pass);
  EXPECT_EQ(only(kSaturation, {record("clip", 0, "\"last\":null,\"stages\":[],\"zero\":0")}).verdict, Verdict::Warn);
  EXPECT_EQ(only(kConnected, {record("gradient:ce", 0, "\"loss\":1,\"zero\":0,\"nan\":1,\"inf\":0,\"values\":12")}).verdict, Verdict::Fail);
}

// Silent successes: reported for the last iterate, an error for the best one.
TEST(AuditJudge, SilentSuccess) {
  const std::vector<std::string> lines = {attacked("pgd", 0, false, true), attacked("pgd", 1, true, true)};
  EXPECT_EQ(only(kSilent, lines).verdict, Verdict::Report);
  EXPECT_EQ(only(kSilent, lines).value, 1);
  EXPECT_EQ(only(kSilent, lines, true).verdict, Verdict::Fail);
}

// Per image the minimum: two attacks that break different halves leave nothing, though each leaves half.
TEST(AuditJudge, MinimumPerImage) {
  std::vector<std::string> lines;
  for (int n = 0; n < 10; ++n) {
    lines.push_back(attacked("clean", n, false));
    lines.push_back(attacked("pgd", n, n < 5));
    lines.push_back(attacked("fgsm", n, n >= 5));
    lines.push_back(attacked("budget:1", n, true));   // another budget: does not count
  }
  EXPECT_EQ(only(kMinimum, lines).value, 0);
  lines.resize(4);   // image 0 alone, broken by pgd
  EXPECT_EQ(only(kMinimum, {lines[0], lines[2]}).value, 1);
}

TEST(AuditJudge, TextAndJson) {
  std::vector<std::string> lines;
  for (int n = 0; n < 40; ++n) {
    lines.push_back(attacked("pgd", n, false));
    lines.push_back(attacked("fgsm", n, true));
  }
  AuditOptions o;
  o.checks = {kSingleStep, kFlow};
  const std::vector<AuditCheck> checks = judge_audit(lines, o, AuditBars{});
  EXPECT_TRUE(any_fail(checks));
  const std::string text = audit_text(checks, true);
  EXPECT_EQ(text.rfind("FAIL ", 0), 0u) << text;
  EXPECT_NE(text.find("FAIL: 0 passed, 0 warned, 1 failed, 0 reported, 1 skipped"), std::string::npos) << text;
  EXPECT_EQ(JsonObject::parse(audit_json(checks), "test").get_string("verdict"), "FAIL");
}
