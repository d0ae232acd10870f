// Lists of records: means over images, words of findings; and the units of the experiments inside the purifier.
#include "report/experiment_curves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/check.h"
#include "report/experiment_list.h"

using namespace purescope;

namespace {

JsonObject record(int image, const std::string& list) {
  return JsonObject::parse("{\"kind\":\"walk:ddpm\",\"img\":" + std::to_string(image) +
                               ",\"seed\":0,\"t\":4,\"eps\":0.1,\"sampler\":\"ddpm\",\"list\":" + list + "}",
                           "test");
}

ExperimentOptions options_of(const std::vector<std::string>& samplers) {
  ExperimentOptions o;
  o.run.t = {10, 100};
  o.run.eps = {0.03};
  o.run.seeds = {0, 1};
  o.images = 12;
  o.attack_images = 5;
  o.values = 768;
  for (const std::string& name : samplers) {
    PurifyOptions p;
    parse_sampler(name, p);
    o.samplers.push_back({name, p});
  }
  return o;
}

}  // namespace

TEST(ExperimentCurves, ListsBecomeSeries) {
  const std::vector<JsonObject> records = [] {
    std::vector<JsonObject> r;
    r.push_back(record(0, "[1,2,null]"));
    r.push_back(record(1, "[3,1,6]"));
    return r;
  }();
  const std::vector<RecordGroup> groups = record_groups(records, "walk");
  ASSERT_EQ(groups.size(), 1u);
  const Curves c = curves_of(groups[0], "list");
  EXPECT_EQ(column_of(c, 0), (std::vector<double>{1, 3}));
  EXPECT_EQ(last_of(c), (std::vector<double>{6}));
  EXPECT_EQ(ratios(c)[1], (std::vector<double>{1.0 / 3, 6}));
  const Series s = curve_series("name", {10, 20, 30}, c);
  EXPECT_EQ(s.x, (std::vector<double>{10, 20, 30}));
  EXPECT_EQ(s.y, (std::vector<double>{2, 1.5, 6}));
  EXPECT_TRUE(s.low.empty()) << "no band where a point has one image";
  const Series two = curve_series("name", {10, 20}, {{1, 2}, {3, 1}});
  ASSERT_EQ(two.low.size(), 2u);
  EXPECT_LT(two.low[0], 2);
  EXPECT_GT(two.high[0], 2);
}

TEST(ExperimentCurves, RecordsThatDoNotFitAreRefused) {
  std::vector<JsonObject> records;
  records.push_back(record(0, "[1,2]"));
  records.push_back(record(1, "[1]"));
  EXPECT_THROW(curves_of(record_groups(records, "walk")[0], "list"), Error);
}

TEST(ExperimentCurves, DifferencesHaveASign) {
  const std::vector<double> a = {1, 2, 3, 4, 5, 6, 7, 8}, b = {2, 3.1, 4, 5, 6.2, 7, 8, 9},
                            mixed = {2, 1, 4, 3, 6, 5, 8, 7};
  EXPECT_EQ(difference_sign(a, b), 1);
  EXPECT_EQ(difference_sign(b, a), -1);
  EXPECT_EQ(difference_sign(a, mixed), 0);
  EXPECT_EQ(difference_sign(a, {1, 2}), 0);
  EXPECT_EQ(difference_words(a, {1}, 2), "- (not the same images)");
  EXPECT_EQ(spread_words({1, 3}, 1), "2.0 +- 1.4 (n 2)");
  EXPECT_EQ(spread_words({}, 1), "- (n 0)");
  EXPECT_NE(difference_words(a, b, 2).find("(n 8)"), std::string::npos);
}

// Every unit has a key of its own, a cost where networks run, and the t* that the experiment looks at.
TEST(ExperimentInside, UnitsAreDistinct) {
  for (const char* name : {"distances", "randomness", "steps", "gaussian", "jacobian", "manifold"}) {
    const ExperimentOptions o = options_of({"ddpm", "reverse"});
    const std::vector<ExperimentUnit> units = find_experiment(name).units(o);
    std::set<std::string> keys;
    for (const ExperimentUnit& u : units) {
      keys.insert(record_id_key(u.id));
      const bool networks = std::string(name) != "gaussian";
      EXPECT_EQ(u.passes.unet_forward > 0, networks) << u.id.kind;
      EXPECT_EQ(u.id.t, networks ? 100 : 0);
      EXPECT_GT(u.images, 0);
      EXPECT_LE(u.images, 12);
    }
    EXPECT_EQ(keys.size(), units.size()) << name;
  }
  // More work costs more: EOT multiplies gradients, exact Jacobians cost more than sketches.
  ExperimentOptions o = options_of({"ddpm"});
  const double exact = find_experiment("jacobian").units(o)[0].passes.unet_forward;
  o.inside.exact_jacobian_size = 0;
  EXPECT_LT(find_experiment("jacobian").units(o)[0].passes.unet_forward, exact);
}

// Without records a section has nothing to say, and does not break.
TEST(ExperimentInside, NoRecordsNoFindings) {
  for (const char* name : {"distances", "randomness", "steps", "gaussian", "jacobian", "manifold"}) {
    const Section s = experiment_section(find_experiment(name), {}, {}, "command");
    EXPECT_TRUE(s.findings.empty()) << name;
    EXPECT_TRUE(s.tables.empty());
  }
}
