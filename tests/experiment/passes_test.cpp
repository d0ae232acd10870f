// Units measured with small networks into memory: what every experiment's numbers rest on.
#include <gtest/gtest.h>

#include <map>

#include "attack/targets.h"
#include "experiment/measure.h"
#include "experiment/protocol_sets.h"
#include "report/experiment_list.h"

using namespace purescope;

namespace {

class MemorySink : public RecordSink {
 public:
  const RunFacts& facts() const override { return facts_; }
  std::string folder() const override { return "memory"; }
  bool wants(const RecordId& id) const override { return !lines.count(record_id_key(id)); }
  void put(const RecordId& id, const std::string& line) override { EXPECT_TRUE(lines.emplace(record_id_key(id), line).second) << line; }
  void save_image(const RecordId& id, const std::vector<float>& image, int, int, int) override { images[record_id_key(id)] = image; }
  std::vector<float> load_image(const RecordId& id) const override {
    const auto found = images.find(record_id_key(id));
    return found == images.end() ? std::vector<float>() : found->second;
  }
  void load_state(const std::string&, const std::vector<int64_t>&, AttackCheckpoint&) const override {}
  void save_state(const std::string&, const std::vector<int64_t>&, const AttackCheckpoint&) override {}
  std::map<std::string, std::string> lines;
  std::map<std::string, std::vector<float>> images;

 private:
  RunFacts facts_{"00000000", "linf", "full", {}, {}, 0};
};

struct Lab {
  Net unet = formula_net(kTinyUnet), base = formula_net(kTinyWrn), behind = formula_net(kTinyWrn);
  NoiseStream stream{{NoiseRng::Native, {}, false}};
  ExperimentOptions options;
  Dataset data;
  Lab() {
    RobustnessOptions& r = options.run;
    r.pgd.steps = 2;
    r.pgd.relative_step = 1;
    r.t = {2, 4};
    r.draws = 2;
    r.attack.eot.draws = 2;
    for (const char* name : {"ddpm", "reverse", "ddim"}) {
      SamplerChoice s{name, {}};
      parse_sampler(name, s.purify);
      options.samplers.push_back(s);
    }
    options.images = options.attack_images = 3;
    options.steps_at_most = 2;
    options.tries = 2;
    const Buffer x = pictures("experiment", 3, 8);
    const std::vector<real> values = to_host(x.view());
    data.height = data.width = 8;
    data.classes = 10;
    data.images.assign(values.begin(), values.end());
    data.labels = {1, 4, 7};
    data.sources = {"a", "b", "c"};
    Robustness classifier(nullptr, base, behind, r, stream, 3, 0);
    data.labels[0] = classifier.classify(x.view())[0];   // one image at least is right without attack
  }
  // All records of an experiment; `before` are there already.
  std::vector<std::string> measure(const std::string& name, MemorySink& sink, int batch = 2) {
    Workbench bench(options, data, 5, unet, base, behind, stream, batch, 0, sink);
    const Experiment& e = find_experiment(name);
    ProgressOptions quiet;
    quiet.quiet = true;
    Progress progress(name, 1, 0, quiet);
    EXPECT_TRUE(run_units(e.kind, bench, e.units(options), progress));
    std::vector<std::string> lines;
    for (const auto& [key, line] : sink.lines) lines.push_back(line);
    return lines;
  }
};

std::vector<JsonObject> parsed(const std::vector<std::string>& lines, const std::string& kind) {
  std::vector<JsonObject> list;
  for (const std::string& line : lines) {
    JsonObject o = JsonObject::parse(line, "memory");
    if (o.get_string("kind") == kind) list.push_back(std::move(o));
  }
  return list;
}

}  // namespace

// One record per unit and image; what is there already is left alone, and neither that nor the batch changes a byte.
TEST(ExperimentUnits, CompleteResumableAndIndependentOfTheBatch) {
  for (const char* name : {"cr", "law", "predict", "protocol"}) {
    SCOPED_TRACE(name);
    Lab lab;
    MemorySink whole, resumed;
    const std::vector<std::string> lines = lab.measure(name, whole, 3);
    size_t expected = 0;
    for (const ExperimentUnit& u : find_experiment(name).units(lab.options)) expected += u.images;
    EXPECT_EQ(lines.size(), expected);
    size_t k = 0;
    for (const auto& [key, line] : whole.lines)
      if (k++ % 3 == 1) resumed.lines.emplace(key, line);
    resumed.images = whole.images;
    EXPECT_LT(resumed.lines.size(), expected);
    EXPECT_EQ(lab.measure(name, resumed, 1), lines);
  }
}

// The survival curve begins at the accuracy of the classifier, at the images and at the anchor points.
TEST(ExperimentUnits, SurvivalStartsAtTheAccuracy) {
  Lab lab;
  MemorySink sink;
  const std::vector<std::string> lines = lab.measure("predict", sink);
  const std::vector<JsonObject> attacks = parsed(lines, "attack:fixed:ddpm");
  ASSERT_EQ(attacks.size(), 6u);
  int right = 0, alive = 0;
  for (const JsonObject& o : parsed(lines, "minimum:clean")) alive += o.get_bool("censored") || o.get_double("budget") > 0;
  for (const JsonObject& o : attacks) right += o.get_int("t") == 2 && o.get_int("pred_clean") == o.get_int("label");
  EXPECT_EQ(alive, right);
  EXPECT_GT(right, 0);
  EXPECT_LT(right, 3);   // else the comparison would hold for anything
}

// The rate of `cr` and that of an attack's record are the same number: same noise, same perturbations.
TEST(ExperimentUnits, RateDoesNotDependOnTheExperiment) {
  Lab lab;
  MemorySink a, b;
  const std::vector<JsonObject> rates = parsed(lab.measure("cr", a), "cr:reverse"), attacks = parsed(lab.measure("law", b), "attack:fixed:reverse");
  int compared = 0;
  for (const JsonObject& r : rates)
    for (const JsonObject& o : attacks)
      if (r.get_int("img") == o.get_int("img") && r.get_int("t") == o.get_int("t") && r.get_double("eps") == o.get_double("eps") && r.get_int("seed") == o.get_int("seed")) {
        EXPECT_EQ(r.get_double("cr_rand"), o.get_double("cr_rand"));
        EXPECT_EQ(r.get_int("pred_anchor"), o.get_int("pred_anchor"));
        ++compared;
      }
  EXPECT_EQ(compared, 6);
}

// With the other seed equal to the seed, transfer is fixed randomness; with another one the gradients differ.
TEST(ExperimentUnits, TransferToTheSameSeedIsFixed) {
  Lab lab;
  MemorySink same, other;
  lab.options.test_seed = 0;
  for (const std::string& line : lab.measure("protocol", same)) {
    const JsonObject o = JsonObject::parse(line, "memory");
    EXPECT_EQ(o.get_int("pred_fixed"), o.get_int("pred_transfer"));
    if (o.get_string("kind") == "protocol:none") { EXPECT_NEAR(o.get_double("grad_cos_transfer"), 1, 1e-6); }
    if (o.get_string("kind") == "protocol:other") { EXPECT_NEAR(o.get_double("cos_fixed"), 1, 1e-6); }
  }
  lab.options.test_seed = 9;
  for (const JsonObject& o : parsed(lab.measure("protocol", other), "protocol:none")) EXPECT_LT(o.get_double("grad_cos_transfer"), .9999);
}

// A budget of nothing leaves the classifier as it is; the full one does at least as much harm.
TEST(ExperimentUnits, BudgetZeroIsTheCleanAccuracy) {
  Lab lab;
  lab.options.scales = {1e-9, 1};
  MemorySink sink;
  int small = 0, full = 0, clean = 0;
  for (const JsonObject& o : parsed(lab.measure("budget", sink), "attack:fixed:none")) {
    const bool tiny = o.get_double("eps") < 1e-6;
    clean += tiny && o.get_int("pred_clean") == o.get_int("label");
    (tiny ? small : full) += o.get_bool("robust");
  }
  EXPECT_EQ(small, clean);
  EXPECT_GT(clean, 0);
  EXPECT_LE(full, small);
}
