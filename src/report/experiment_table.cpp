// The table of experiments, and the units that most of them are made of.
#include <algorithm>

#include "core/check.h"
#include "io/text.h"
#include "report/experiment_list.h"
#include "report/experiment_tools.h"

namespace purescope {
namespace {

const std::vector<std::string> kThree = {"ddpm", "reverse", "ddim"};
const std::vector<int> kTimes = {10, 20, 50, 100, 150};

std::string sampler_name(const ExperimentOptions& o, int sampler) { return sampler < 0 ? "none" : o.samplers.at(sampler).name; }

}  // namespace

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> table = {
      {ExperimentKind::Cr, "cr", "Compression rates",
       "How much of a perturbation purification passes on, by sampler, t*, magnitude and seed; for uniform noise and for the attack's own perturbations.",
       "v2 Tables 2, 5, 6; v1 section 5", kThree, kTimes, cr_units, cr_judge},
      {ExperimentKind::Law, "law", "Robustness follows compression",
       "Accuracy under PGD with fixed noise against the compression rate, over samplers and t*, with a sigmoid through all points and its value at rate 0 beside the accuracy without attack.",
       "v2 Fig. 3a, Table 2", kThree, kTimes, law_units, law_judge},
      {ExperimentKind::Survival, "survival", "Minimum perturbations",
       "The smallest budget that breaks the classifier alone, at the images and at their purified versions: survival curves, and a normal distribution with a mass at zero.",
       "v2 Fig. 3b, S1", kThree, {100}, survival_units, survival_judge},
      {ExperimentKind::Predict, "predict", "Robustness predicted from compression",
       "The classifier's survival curve, read at the mean compression rate, beside the accuracy measured under PGD with fixed noise.",
       "v2 Tables 3, 4", kThree, {100}, predict_units, predict_judge},
      {ExperimentKind::Protocol, "protocol", "What randomness is worth",
       "Attacks under fixed, free and averaged noise, each judged under every rule; cosines between their perturbations and between gradients.",
       "v2 Tables S2-S5", {"ddpm"}, {100}, protocol_units, protocol_judge},
      {ExperimentKind::Budget, "budget", "The classifier alone under smaller budgets",
       "Accuracy of the classifier without purifier under PGD whose budget is scaled down as purification scales perturbations down, beside the rates of the samplers.",
       "v1 Fig. 3c", kThree, kTimes, budget_units, budget_judge},
      {ExperimentKind::Timesteps, "timesteps", "Accuracy and compression over t*",
       "Accuracy on purified images that were not attacked, and compression rate, up to the purifier's range of t*; with forward noise and reverse-only.",
       "v2 Fig. S6", {"ddpm", "reverse"}, {5, 10, 20, 50, 75, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900, 1000}, timesteps_units, timesteps_judge},
      {ExperimentKind::Examples, "examples", "Examples by compression rate",
       "Images, their adversarial versions, and both purified, from the lowest compression rate to the highest.",
       "v2 App. H", {"ddpm"}, {100}, examples_units, examples_judge},
      {ExperimentKind::Distances, "distances", "Distances to the clean image",
       "l2, l-inf and SSIM to the clean image at every state of purification, from adversarial and from uniform starts: purified images are not clean images.",
       "v2 Fig. 1c, S2-S4, Tables 1, S8, S9; v1 Table 1", kThree, {100}, distances_units, distances_judge},
      {ExperimentKind::Randomness, "randomness", "What the noise does and what the input does",
       "Purification directions, distances to centroids and the decomposition of the variance when the noise varies, the input varies, or both.",
       "v2 Fig. 2, Tables S12, S13", {"ddpm"}, {100}, randomness_units, randomness_judge},
      {ExperimentKind::Steps, "steps", "Compression step by step",
       "The rate of every diffusion step for one tracked perturbation, beside eq. 15 and 16, fresh isotropic perturbations and kappa; the divergence of the noise predictor, estimated and exact.",
       "v2 Fig. 4c, 4d, eq. 15, 16, 19", {"ddpm"}, {100}, steps_units, steps_judge},
      {ExperimentKind::Gaussian, "gaussian", "The score field of a Gaussian",
       "Walks through the field of table S1 against the closed form, with its 0.01 read as a variance; and what the printed reading does. Needs no network.",
       "v2 Fig. 4a, 4b, Table S1, eq. 11-14", {"ddpm"}, {100}, gaussian_units, gaussian_judge},
      {ExperimentKind::Jacobian, "jacobian", "Singular values of the purifier",
       "The spectrum of the Jacobian at clean images, the shares below 0.25 and above 1, and how much the leading directions of two seeds have in common.",
       "v1 Fig. 3a", {"ddpm"}, {100}, jacobian_units, jacobian_judge},
      {ExperimentKind::Manifold, "manifold", "Along and across the manifold",
       "On the built-in images, whose tangent spaces are known: compression of perturbations along and across the manifold, and how much of a perturbation lies along it before and after.",
       "ours; tests the hypothesis of v2 section 6", {"ddpm"}, {100}, manifold_units, manifold_judge},
  };
  return table;
}

const std::vector<std::pair<std::string, std::string>>& experiments_not_built() {
  static const std::vector<std::pair<std::string, std::string>> list = {
      {"fid, clip (v2 Tables S10, S11, Fig. S5)", "not measured: they need an Inception and a CLIP network, which are not part of this project"}};
  return list;
}

const Experiment& find_experiment(const std::string& name) {
  std::string names;
  for (const Experiment& e : experiments()) {
    if (name == e.name) return e;
    names += std::string(names.empty() ? "" : ", ") + e.name;
  }
  fail(kUsage, "unknown experiment '" + printable(name) + "'", "purescope experiment", "choose " + names + ", or list");
}

Section experiment_section(const Experiment& e, const std::vector<std::string>& records, std::vector<std::pair<std::string, std::string>> settings,
                           const std::string& command) {
  Section section;
  section.name = e.name;
  section.title = e.title;
  section.caption = e.caption;
  section.source = e.source;
  section.settings = std::move(settings);
  section.command = command;
  std::vector<JsonObject> parsed;
  for (const std::string& line : records) parsed.push_back(JsonObject::parse(line, "results"));
  e.judge(parsed, section);
  return section;
}

int single_time(const ExperimentOptions& o) {
  return std::count(o.run.t.begin(), o.run.t.end(), 100) ? 100 : o.run.t.back();
}

void add_unit(std::vector<ExperimentUnit>& units, const std::string& kind, int sampler, int t, double eps, int64_t seed, int images, const Passes& passes) {
  ExperimentUnit unit;
  unit.id.kind = kind;
  unit.id.seed = seed;
  unit.id.t = t;
  unit.id.eps = eps;
  unit.sampler = sampler;
  unit.images = images;
  unit.passes = passes;
  const std::string key = record_id_key(unit.id);
  if (std::none_of(units.begin(), units.end(), [&](const ExperimentUnit& u) { return record_id_key(u.id) == key; })) units.push_back(unit);
}

void add_rate_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, int sampler, int t, double eps, int64_t seed) {
  const Passes passes = rate_passes(o, sampler, t) + chain_passes(o, sampler, t) + Passes{0, 0, 1, 0};
  add_unit(units, "cr:" + sampler_name(o, sampler), sampler, t, eps, seed, o.images, passes);
}

void add_attack_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, int sampler, int t, double eps, int64_t seed) {
  add_unit(units, "attack:fixed:" + sampler_name(o, sampler), sampler, t, eps, seed, o.attack_images, attack_passes(o, sampler, t, Rand::Fixed));
}

void add_bare_attack_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, double eps, int64_t seed) {
  add_unit(units, "attack:fixed:none", -1, 0, eps, seed, o.attack_images, attack_passes(o, -1, 0, Rand::Fixed));
}

void add_minimum_units(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, double eps) {
  add_unit(units, "minimum:clean", -1, 0, eps, 0, o.images, minimum_passes(o));
}

void add_anchor_minimum_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, int sampler, int t, double eps, int64_t seed) {
  add_unit(units, "minimum:anchor:" + sampler_name(o, sampler), sampler, t, eps, seed, o.images, minimum_passes(o) + chain_passes(o, sampler, t));
}

}  // namespace purescope
