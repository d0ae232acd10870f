// The experiments of the papers as data: what each consists of (units, one record per image and unit) and what its records mean (a
// Section, made from the records alone). How a unit is measured: experiment/measure.h. docs/experiments.md says how to add one.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "analysis/robustness_options.h"
#include "io/json_text.h"
#include "report/attack_table.h"
#include "report/inside_options.h"
#include "report/section.h"

namespace purescope {

// Every case needs one entry in experiments(), and one in measure() (compiled once per scalar).
enum class ExperimentKind {
  Cr, Law, Survival, Predict, Protocol, Budget, Timesteps, Examples,
  Distances, Randomness, Steps, Gaussian, Jacobian, Manifold   // inside the purifier
};

struct SamplerChoice {
  std::string name;        // as on the command line: ddpm, reverse, ddim, eta:0.5, vpsde, dpm20, ...
  PurifyOptions purify;    // t and steps_reverse are set by purify_at()
};

// What one run of an experiment measures: flags where given, else the experiment's own defaults.
struct ExperimentOptions {
  RobustnessOptions run;                 // t, eps, seeds, attack, draws of the compression rate
  std::vector<SamplerChoice> samplers;
  int images = 0, attack_images = 0;     // measured without and with gradients (the first of the measured ones)
  int steps_at_most = 0;                 // reverse steps of a chain: the largest divisor of t* up to this; 0: t*
  int64_t test_seed = -1;                // protocol: the other seed; -1: seed + 1
  int tries = 10;                        // protocol: test draws
  std::vector<double> scales;            // budget: budgets in units of eps; empty: 0.05 to 1
  InsideOptions inside;                  // how much the experiments inside the purifier measure
  std::string data;                      // the data source as it was named; manifold knows the tangent spaces of `shapes`
  int values = 0;                        // of an image: c h w
};

// The sampler at one t*, with its reverse steps.
PurifyOptions purify_at(const ExperimentOptions& options, int sampler, int t);

// Network passes, counted per image (a pass of a batch of n counts n).
struct Passes {
  double unet_forward = 0, unet_backward = 0, classifier_forward = 0, classifier_backward = 0;
  Passes operator+(const Passes& b) const;
  Passes operator*(double factor) const;
};
using PassSeconds = Passes;              // how long one of each takes
double seconds(const Passes& count, const PassSeconds& each);

// Of one image: the chain with its classifier, the gradient through both, expected compression rate, an attack with everything its
// record holds, the search for the minimum perturbation (about; it depends on the image).
Passes chain_passes(const ExperimentOptions& options, int sampler, int t);
Passes gradient_passes(const ExperimentOptions& options, int sampler, int t);
Passes rate_passes(const ExperimentOptions& options, int sampler, int t);
Passes attack_passes(const ExperimentOptions& options, int sampler, int t, Rand rand);   // sampler < 0: the classifier alone
Passes minimum_passes(const ExperimentOptions& options);

// One setting, measured on `images` images: one record each.
struct ExperimentUnit {
  RecordId id;             // its image is left open; kinds are unique per unit: "cr:ddpm", "attack:fixed:reverse", "minimum:clean"
  int sampler = -1;        // index into options.samplers; -1: no purifier
  int images = 0;
  Passes passes;           // of one image
  Rand rand = Rand::Fixed;
  bool keep_images = false;   // adversarial images go to the folder of the run
};

// One result line: v, run, kind, img, src, seed, t, eps, sampler, reverse_steps; further fields are added behind.
JsonLine experiment_line(const RunFacts& facts, const ExperimentOptions& options, const ExperimentUnit& unit, int64_t image, const std::string& source);
// A line that ends with "}", with more fields.
std::string with_fields(std::string line, const JsonLine& more);

struct Experiment {
  ExperimentKind kind;
  const char *name, *title, *caption, *source;     // source: tables and figures of the papers; v2 is the later one
  std::vector<std::string> samplers;               // defaults
  std::vector<int> t;                              // those beyond the purifier's range are left out
  std::vector<ExperimentUnit> (*units)(const ExperimentOptions&);
  // Fills findings, tables and plots. Records: every line of the run, parsed, in the order (img, seed, t, eps, kind).
  void (*judge)(const std::vector<JsonObject>& records, Section& section);
};

const std::vector<Experiment>& experiments();
const Experiment& find_experiment(const std::string& name);   // exit 2, with the names and the nearest

// The section of a run: the experiment's own words, these settings and command, and what judge() makes of the records.
Section experiment_section(const Experiment& experiment, const std::vector<std::string>& records,
                           std::vector<std::pair<std::string, std::string>> settings, const std::string& command);

// Experiments of the papers that need networks which are not part of this project, for the list: name and what is missing.
const std::vector<std::pair<std::string, std::string>>& experiments_not_built();

}  // namespace purescope
