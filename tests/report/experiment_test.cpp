// The table of experiments, their units and costs, and sections judged from records that are made up.
#include "report/experiment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/check.h"
#include "core/fits.h"
#include "report/experiment_list.h"
#include "report/papers.h"
#include "report/section_json.h"

using namespace purescope;

namespace {

ExperimentOptions options(std::vector<std::string> samplers = {"ddpm", "reverse", "ddim"}) {
  ExperimentOptions o;
  o.run.t = {10, 20, 50, 100};
  o.run.pgd.steps = 20;
  o.run.attack.eot.draws = 3;
  o.images = 6;
  o.attack_images = 4;
  o.steps_at_most = 20;
  o.values = 3 * 16 * 16;
  for (const std::string& name : samplers) {
    SamplerChoice s{name, {}};
    parse_sampler(name, s.purify);
    o.samplers.push_back(s);
  }
  return o;
}

std::string attack_record(int image, const std::string& sampler, int t, double rate, bool robust, bool right = true) {
  return JsonLine().add("v", 1).add("run", "0").add("kind", "attack:fixed:" + sampler).add("img", image).add("src", "x").add("seed", 0).add("t", t).add("eps", 8 / 255.)
      .add("label", 3).add("pred_clean", right ? 3 : 4).add("pred_anchor", 3).add("pred_adv", robust ? 3 : 5).add("robust", robust).add("cr_rand", rate)
      .add("cr_adv", 4 * rate).add("sampler", sampler).add("reverse_steps", 5).text();
}

std::string minimum_record(int image, const std::string& sampler, double budget, bool censored = false) {
  const bool clean = sampler == "none";
  return JsonLine().add("v", 1).add("run", "0").add("kind", clean ? "minimum:clean" : "minimum:anchor:" + sampler).add("img", image).add("src", "x").add("seed", 0)
      .add("t", clean ? 0 : 100).add("eps", 8 / 255.).add("label", 3).add("budget", budget).add("censored", censored).add("non_monotone", 0).add("sampler", sampler)
      .add("reverse_steps", 0).text();
}

Section judge(const std::string& name, const std::vector<std::string>& records) {
  Section s = experiment_section(find_experiment(name), records, {{"images", "made up"}}, "purescope experiment " + name);
  EXPECT_EQ(section_problem(s), "");
  return s;
}

}  // namespace

TEST(Experiments, EveryUnitHasARecordOfItsOwnAndACost) {
  std::set<std::string> names;
  for (const Experiment& e : experiments()) {
    EXPECT_TRUE(names.insert(e.name).second) << e.name;
    std::set<std::string> keys;
    for (const ExperimentUnit& u : e.units(options(e.samplers))) {
      EXPECT_TRUE(keys.insert(record_id_key(u.id)).second) << e.name << " " << u.id.kind;
      EXPECT_GT(u.images, 0);
      const double passes = u.passes.classifier_forward + u.passes.unet_forward + u.passes.unet_backward;
      if (e.kind != ExperimentKind::Gaussian) { EXPECT_GT(passes, 0) << e.name << " " << u.id.kind; }   // gaussian needs no network
    }
    EXPECT_FALSE(keys.empty()) << e.name;
  }
  EXPECT_THROW(find_experiment("laws"), Error);
}

// 20 steps of PGD through chains of 20 steps: each forward, again on the way back, and one backward pass.
TEST(Experiments, CountsNetworkPasses) {
  const ExperimentOptions o = options({"ddpm"});
  EXPECT_EQ(purify_at(o, 0, 100).steps_reverse, 20);
  EXPECT_EQ(purify_at(o, 0, 50).steps_reverse, 10);   // 20 does not divide 50
  EXPECT_EQ(purify_at(o, 0, 10).steps_reverse, 10);
  const Passes p = attack_passes(o, 0, 100, Rand::Fixed);
  EXPECT_EQ(p.unet_backward, 20 * 20);
  EXPECT_EQ(p.unet_forward, 20 * 40 + 4 * 20 + 20 * (1 + o.run.draws));
  EXPECT_EQ(attack_passes(o, 0, 100, Rand::Eot).unet_backward, 3 * 400);
  EXPECT_EQ(attack_passes(o, -1, 0, Rand::Fixed).unet_forward, 0);
}

// No records, no numbers: every section can still be made.
TEST(Experiments, JudgeNothing) {
  for (const Experiment& e : experiments()) EXPECT_TRUE(judge(e.name, {}).findings.empty()) << e.name;
}

// Points on a sigmoid: the judge finds it, and carried on to zero it meets the accuracy of the classifier.
TEST(Law, FindsTheSigmoidInTheRecords) {
  constexpr int kImages = 200;
  const SigmoidFit truth{true, .9, .25, .05, 0};
  std::vector<std::string> records;
  int t = 10;
  for (double rate : {.1, .15, .2, .25, .3, .35, .45}) {
    for (int i = 0; i < kImages; ++i) records.push_back(attack_record(i, "ddpm", t, rate, i < std::lround(truth(rate) * kImages), i < .9 * kImages));
    t += 10;
  }
  const Section s = judge("law", records);
  ASSERT_EQ(s.tables.size(), 2u);
  EXPECT_NEAR(s.tables[1].rows[0][4].value, 100 * truth(0), 1.5);   // accuracies are rounded to 1 of 200 images
  EXPECT_EQ(s.tables[1].rows[0][5].value, 90);
  EXPECT_LT(s.tables[1].rows[0][3].value, 1);
  EXPECT_NE(s.findings[0].find("the two intervals overlap."), std::string::npos) << s.findings[0];
  // The order of the records does not matter.
  std::vector<std::string> other(records.rbegin(), records.rend());
  EXPECT_EQ(section_json(judge("law", other)), section_json(s));
}

// Parameters of the fit have intervals that hold them; samplers are compared on the same images.
TEST(Law, IntervalsAndPairedTests) {
  std::vector<std::string> records;
  for (int i = 0; i < 20; ++i)
    for (int t : {10, 50, 100}) {
      const double rate = .5 - .004 * t;
      records.push_back(attack_record(i, "ddpm", t, rate, i < t / 10));         // 1, 5, 10 robust images
      records.push_back(attack_record(i, "reverse", t, rate - .05, i < t / 6));   // 1, 8, 16
    }
  const Section s = judge("law", records);
  for (int k : {0, 1, 2, 4}) {
    const Cell& c = s.tables[1].rows[0][k];
    EXPECT_LE(c.low, c.value + 1e-9) << k;
    EXPECT_GE(c.high, c.value - 1e-9) << k;
    EXPECT_EQ(c.n, 20);
  }
  EXPECT_LT(s.tables[1].rows[0][1].low, s.tables[1].rows[0][1].high);
  // 6 images are robust behind reverse-only alone: p = 2 / 2^6 = 0.0312.
  EXPECT_NE(s.findings.back().find("on 0 images only the former, on 6 only the latter (McNemar p = 0.031"), std::string::npos) << s.findings.back();
}

TEST(CompressionRates, SamplersAreComparedImageByImage) {
  std::vector<std::string> records;
  for (int i = 0; i < 16; ++i)
    for (const char* sampler : {"ddpm", "reverse"})
      records.push_back(JsonLine().add("kind", std::string("cr:") + sampler).add("img", i).add("src", "x").add("seed", 0).add("t", 100).add("eps", 8 / 255.).add("label", 3).add("pred_clean", 3)
                            .add("pred_anchor", 3).add("cr_rand", .2 + .01 * i - (sampler[0] == 'r' ? .05 : 0)).add("sampler", sampler).add("reverse_steps", 5).text());
  const Section s = judge("cr", records);
  ASSERT_FALSE(s.findings.empty());
  EXPECT_NE(s.findings[0].find("reverse-only differs from that of DDPM by -0.050 [-0.050, -0.050], sign test p < 0.0001 (paired over 16 images)"), std::string::npos) << s.findings[0];
}

// S(0+) counts the images that are right without attack; censored images survive every budget.
TEST(SurvivalSection, StartsAtTheCleanAccuracy) {
  std::vector<std::string> records;
  for (int i = 0; i < 20; ++i) records.push_back(minimum_record(i, "none", i < 4 ? 0 : i == 19 ? 16 : .1 * i, i == 19));
  const Section s = judge("survival", records);
  EXPECT_EQ(s.tables[0].rows[0][1].value, 80);
  EXPECT_EQ(s.tables[0].rows[0][1].n, 20);
  EXPECT_EQ(s.tables[0].rows[0][6].value, 1);   // not broken
  for (int k : {2, 3}) {                        // mean and deviation of the fit, with intervals
    const Cell& c = s.tables[0].rows[0][k];
    EXPECT_LT(c.low, c.value) << k;
    EXPECT_GT(c.high, c.value) << k;
  }
  const Series& steps = s.plots[0].series[0];
  EXPECT_EQ(steps.x[0], 0);
  EXPECT_NEAR(steps.y[0], 80, 1e-12);
}

// Predicted = share of images whose minimum perturbation exceeds the mean rate.
TEST(Predict, ReadsTheSurvivalCurveAtTheRate) {
  std::vector<std::string> records;
  for (int i = 0; i < 10; ++i) {
    records.push_back(minimum_record(i, "none", .1 * i));
    records.push_back(minimum_record(i, "ddpm", .05 * i));
    records.push_back(attack_record(i, "ddpm", 100, .22, i >= 5));
    records.push_back(JsonLine().add("kind", "cr:ddpm").add("img", i).add("src", "x").add("seed", 0).add("t", 100).add("eps", 8 / 255.).add("label", 3).add("pred_clean", 3)
                          .add("pred_anchor", 3).add("cr_rand", .22).add("l2_anchor", 1.).add("sampler", "ddpm").add("reverse_steps", 5).text());
  }
  const Section s = judge("predict", records);
  const std::vector<Cell>& row = s.tables[0].rows[0];
  EXPECT_EQ(row[4].value, 70);   // .3 to .9 exceed .22
  EXPECT_EQ(row[5].value, 50);   // .25 to .45
  EXPECT_EQ(row[6].value, 50);
  EXPECT_NE(s.findings[0].find("errs on 0 of 10"), std::string::npos) << s.findings[0];
  ASSERT_EQ(s.plots.size(), 1u);   // bars side by side: predicted twice, measured once
  for (const Series& bars : s.plots[0].series) {
    EXPECT_TRUE(bars.x.empty());
    EXPECT_EQ(bars.labels, std::vector<std::string>{"DDPM t* 100"});
  }
  EXPECT_EQ(s.plots[0].series[2].y[0], s.tables[0].rows[0][6].value);
}

TEST(Papers, ValuesAsPrinted) {
  EXPECT_EQ(papers_rate("ddpm", 100).value, .231);
  EXPECT_EQ(papers_pgd_fixed("reverse", 200).value, 46.5);
  EXPECT_TRUE(std::isnan(papers_rate("ddim", 200).value));
  EXPECT_EQ(papers_prediction("dpm20", true).rate.deviation, .015);
  EXPECT_EQ(papers_prediction("ddim", false).predicted_anchor.value, 10.6);
  EXPECT_EQ(papers_rate_by_magnitude(32).deviation, .057);
  EXPECT_EQ(papers_adversarial_rates("reverse").broken.value, .864);
  EXPECT_EQ(papers_randomness("robust, transfer", false).value, 77.4);
  EXPECT_EQ(papers_randomness("robust, transfer", true).value, 66.3);
  EXPECT_EQ(papers_correlation("eot:15").value, .1682);
}
