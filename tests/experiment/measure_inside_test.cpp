// The experiments inside the purifier, from units to sections, on tiny networks and the built-in images: every
// invariant that the records must satisfy, whatever the networks are.
#include "experiment/measure_inside.h"

#include <gtest/gtest.h>

#include <map>

#include "analysis/compression_rate.h"
#include "attack/targets.h"
#include "data/shapes.h"
#include "report/audit_records.h"
#include "report/experiment_list.h"
#include "report/section_json.h"

using namespace purescope;

namespace {

constexpr double kEps = 8.0 / 255;
constexpr const char* kTinyShapesUnet = "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4";
constexpr const char* kTinyShapesClassifier = "wrn:depth=10,widen=1,size=16,classes=4";

class MemoryRecords : public RecordSink {
 public:
  const RunFacts& facts() const override { return facts_; }
  std::string folder() const override { return ""; }
  bool wants(const RecordId& id) const override { return !lines_.count(record_id_key(id)); }
  void put(const RecordId& id, const std::string& line) override { lines_[record_id_key(id)] = line; }
  void save_image(const RecordId&, const std::vector<float>&, int, int, int) override {}
  std::vector<float> load_image(const RecordId&) const override { return {}; }
  void load_state(const std::string&, const std::vector<int64_t>&, AttackCheckpoint&) const override {}
  void save_state(const std::string&, const std::vector<int64_t>&, const AttackCheckpoint&) override {}
  std::vector<std::string> lines() const {
    std::vector<std::string> list;
    for (const auto& [key, line] : lines_) list.push_back(line);
    return list;
  }

 private:
  RunFacts facts_{"test", "linf", "full", {}, {}, 0};
  std::map<std::string, std::string> lines_;
};

// One experiment on two images with chains of four steps.
struct Bench {
  Net unet = formula_net(kTinyShapesUnet), base = formula_net(kTinyShapesClassifier),
      behind = formula_net(kTinyShapesClassifier);
  NoiseStream stream = native_stream();
  Dataset data = load_dataset("shapes:1", 4, 2);
  ExperimentOptions options;
  MemoryRecords sink;

  explicit Bench(const std::vector<std::string>& samplers = {"ddpm"}) {
    options.run.t = {4};
    options.run.eps = {kEps};
    options.run.seeds = {3};
    options.run.pgd.steps = 2;
    options.run.pgd.relative_step = 0.5;
    options.run.attack.eot.draws = 2;
    options.images = options.attack_images = 2;
    options.data = "shapes:1";
    options.values = kShapeValues;
    options.inside = {{1, 16}, 3, 3, 2, 4, 1, 1, 1, 6, 2, 3};
    for (const std::string& name : samplers) {
      PurifyOptions p;
      parse_sampler(name, p);
      options.samplers.push_back({name, p});
    }
  }

  std::vector<JsonObject> records(const std::string& name, int batch = 2) {
    const Experiment& e = find_experiment(name);
    Workbench w(options, data, 4, unet, base, behind, stream, batch, 0, sink);
    Progress progress("test", 1, 0, {});
    EXPECT_TRUE(run_units(e.kind, w, e.units(options), progress));
    std::vector<JsonObject> parsed;
    for (const std::string& line : sink.lines()) parsed.push_back(JsonObject::parse(line, "test"));
    return parsed;
  }

  // A section that can be written, has findings, a table and a plot, and does not depend on the batch.
  std::vector<JsonObject> checked(const std::string& name) {
    std::vector<JsonObject> found = records(name);
    const Section section = experiment_section(find_experiment(name), sink.lines(), {}, "test");
    EXPECT_FALSE(section.findings.empty());
    EXPECT_FALSE(section.tables.empty());
    EXPECT_FALSE(section.plots.empty());
    EXPECT_EQ(section_problem(section), "");
    for (const std::string& words : section.findings) EXPECT_EQ(words.find("nan"), words.npos) << words;
    Bench alone;
    alone.options = options;
    alone.records(name, 1);
    EXPECT_EQ(alone.sink.lines(), sink.lines()) << "image k of a batch has its own bits";
    return found;
  }
};

std::vector<double> numbers(const JsonObject& r, const std::string& field) { return json_numbers(r.raw(field)); }

}  // namespace

TEST(MeasureInside, Distances) {
  Bench b({"ddpm", "reverse"});
  const std::vector<JsonObject> records = b.checked("distances");
  EXPECT_EQ(records.size(), 2u * (2 + 4 + 2));  // ddpm: two magnitudes, four attacks; reverse: uniform and pgd
  for (const JsonObject& r : records) {
    const bool reverse = r.get_string("sampler") == "reverse";
    const std::vector<double> l2 = numbers(r, "l2"), linf = numbers(r, "linf"), ssim = numbers(r, "ssim"),
                              place = numbers(r, "place");
    ASSERT_EQ(l2.size(), reverse ? 5u : 9u);
    EXPECT_EQ(place.back(), 8);
    EXPECT_EQ(place[0], 0);
    const double budget = r.get_string("start") == "uniform16" ? 16 * kEps : kEps;
    EXPECT_LE(linf[0], budget * (1 + 1e-5));
    EXPECT_GT(linf[0], 0.9 * budget);
    for (size_t k = 0; k < l2.size(); ++k) {
      EXPECT_LE(linf[k], l2[k]);
      EXPECT_LE(l2[k], linf[k] * std::sqrt(768.0));
      EXPECT_LE(ssim[k], 1);
    }
    if (reverse) continue;
    EXPECT_GT(l2[4], l2[0]) << "forward noise leads away";
  }
}

// The variance identity in every record; the radius before purification is that of uniform noise.
TEST(MeasureInside, Randomness) {
  for (const JsonObject& r : Bench().checked("randomness")) {
    const double total = r.get_double("var_total");
    EXPECT_GT(total, 0);
    EXPECT_NEAR(r.get_double("var_input") + r.get_double("var_internal"), total, 1e-12 * total);
    // sqrt(d / 3) eps for single draws; to the centroid of three, sqrt(2 / 3) of it.
    EXPECT_NEAR(r.get_double("radius_start"), std::sqrt(768.0 / 3 * 2 / 3) * kEps, 0.02);
    EXPECT_LE(r.get_double("cosine_noise"), 1);
    EXPECT_GT(r.get_double("radius_both"), r.get_double("radius_fixed_noise"));
  }
}

// The product of the rates is the rate of the chain; eq. 15 in the forward steps; the exact trace within five errors of
// the estimate.
TEST(MeasureInside, Steps) {
  Bench b;
  b.options.inside.exact_trace_size = 1024;
  b.options.inside.probes = 16;
  const std::vector<JsonObject> records = b.checked("steps");
  ASSERT_EQ(records.size(), 2u);
  for (const JsonObject& r : records) {
    const std::vector<double> norm = numbers(r, "norm"), label = numbers(r, "forward_label"),
                              exact = numbers(r, "exact_trace"), trace = numbers(r, "trace"),
                              error = numbers(r, "trace_error");
    ASSERT_EQ(norm.size(), 9u);
    const Schedule s = linear_schedule();
    for (size_t k = 1; k <= 4; ++k) {
      EXPECT_EQ(label[k], k - 1.0);
      EXPECT_NEAR(norm[k] / norm[k - 1], std::sqrt(1 - s.beta[k - 1]), sizeof(real) == 8 ? 1e-12 : 1e-5);
    }
    EXPECT_EQ(r.get_int("first_reverse"), 5);
    const bool first = r.get_int("img") == 4;
    for (size_t k = 0; k < trace.size(); ++k) {
      EXPECT_EQ(std::isfinite(exact[k]), first);
      if (!first) continue;
      EXPECT_LT(std::abs(exact[k] - trace[k]), 5 * error[k]);
    }
    // The chain's rate, measured by analysis/compression_rate under the same chain and draw.
    PurifyOptions p = purify_at(b.options, 0, 4);
    p.forward = ForwardKind::Steps;
    Purifier purifier(b.unet, p, 1, false);
    const std::vector<int64_t> ids = {r.get_int("img")};
    KeyedNoise noise(b.stream, 3, ids);
    Buffer x(1, 3, 16, 16), anchor(1, 3, 16, 16);
    store(std::vector<float>(b.data.image(static_cast<int>(ids[0]) - 4),
                             b.data.image(static_cast<int>(ids[0]) - 4) + kShapeValues),
          x.view());
    const double chain =
        compression_rates(purifier, x.view(), noise, kEps, 1, false, b.stream, 3, ids, anchor.view())[0].draws[0];
    EXPECT_NEAR(norm.back() / norm.front(), chain, 1e-6);
  }
}

TEST(MeasureInside, Gaussian) {
  Bench b;
  const std::vector<JsonObject> records = b.checked("gaussian");
  for (const JsonObject& r : records) {
    EXPECT_NEAR(numbers(r, "rate")[0], 0.901359, 0.01);
    EXPECT_NEAR(r.get_double("on_first"), 0.999, 1e-4);
    EXPECT_NEAR(r.get_double("off_first"), 0.9, 1e-3);
    EXPECT_NE(r.get_string("refusal"), "");
    EXPECT_GT(numbers(r, "printed_growth").back(), 4e5);
  }
}

TEST(MeasureInside, Jacobian) {
  Bench b;  // a sketch of rank 6: exact_jacobian_size is 1 here
  for (const JsonObject& r : b.checked("jacobian")) {
    const std::vector<double> values = numbers(r, "singular");
    ASSERT_EQ(values.size(), 6u);
    EXPECT_TRUE(std::is_sorted(values.rbegin(), values.rend()));
    double squares = 0;
    for (double v : values) squares += v * v;
    EXPECT_LE(squares / 768, 1.5 * r.get_double("mean_square"));
    EXPECT_GE(r.get_double("align_input"), 0);
    EXPECT_LE(r.get_double("align_input"), 1 + 1e-9);
    EXPECT_FALSE(r.get_bool("exact"));
  }
}

TEST(MeasureInside, Manifold) {
  Bench b;
  for (const JsonObject& r : b.checked("manifold")) {
    EXPECT_NEAR(numbers(r, "share_tangent")[0], 1, 1e-5);
    EXPECT_NEAR(numbers(r, "share_normal")[0], 0, 1e-5);
    const double chance = r.get_double("rank") / 768;
    EXPECT_NEAR(numbers(r, "share_uniform")[0], chance, 3 * chance);
    for (const char* start : {"tangent", "normal"})
      EXPECT_NEAR(numbers(r, std::string("norm_") + start)[0], numbers(r, "norm_uniform")[0], 1e-4);
    const std::vector<double> norm = numbers(r, "norm_pgd");
    EXPECT_NEAR(r.get_double("rate_pgd"), norm.back() / norm.front(), 1e-12);
    // The nearest shape is at least as near as the shape that the image was made from.
    EXPECT_LE(r.get_double("anchor_off"), r.get_double("anchor_distance") * (1 + 1e-6));
    EXPECT_LE(r.get_double("off_pgd"), norm[0] * (1 + 1e-5));
    const std::vector<double> latents = numbers(r, "latent_rates");
    ASSERT_EQ(latents.size(), 10u);
    for (size_t k = 0; k < 10; ++k) EXPECT_EQ(std::isfinite(latents[k]), k != 3 || r.get_double("rank") == 10);
  }
  b.options.data = "cifar10:x";
  b.sink = {};
  EXPECT_THROW(b.records("manifold"), Error);
}
