// The command experiment: one table or figure of the papers, measured into a run directory and judged from its records.
#pragma once
#include <string>
#include <vector>

#include "cli/options.h"
#include "report/experiment.h"
#ifdef PURESCOPE_REAL_IS_DOUBLE
#include "core/real.h"  // makes the scalar's namespace inline, before it is opened below
#endif

namespace purescope {

// Flags that were not given are 0 or empty here: the experiment, the preset or --quick says what they are then.
struct ExperimentRunOptions {
  AttackOptions run;
  std::string name;                      // of the experiment, or list
  bool quick = false;                    // few images and steps, for a first look
  int attack_images = 0, tries = 0;
  int64_t test_seed = -1;
  std::vector<double> scales;
  int perturbations = 0, noises = 0, probes = 0, rank = 0;   // of the experiments inside the purifier
};
// Every flag that is to be told from "not given" set so.
ExperimentRunOptions experiment_defaults();

// The flags, the experiment and the purifier's range as what is measured on `images` images. `run` receives the same where a run directory
// asks for it. Exit 2 on flags that contradict each other.
ExperimentOptions resolve_experiment(const ExperimentRunOptions& options, const Experiment& experiment, int t_max, int images, AttackOptions& run);
// The purifier, where none was named: the default, or on the built-in images kWidePurifier, if it is there and the wanted t* (given, or the
// list of `timesteps`) go beyond the default's range.
std::string chosen_purifier(const ExperimentRunOptions& options, const Experiment& experiment);
// "--sampler ddpm,reverse,dpmsolver:order=3,grid=time" -> its three entries.
std::vector<std::string> split_samplers(const std::string& text);

// What the section says about the run, in the order in which it is shown.
std::vector<std::pair<std::string, std::string>> experiment_settings(const ExperimentOptions& options, const AttackOptions& run, const std::string& data,
                                                                     const std::string& purifier, const std::string& classifier, const std::string& scalar);

// The settings without those that do not bear on this experiment (an attack where nothing is attacked, networks where there are none).
std::vector<std::pair<std::string, std::string>> settings_that_matter(std::vector<std::pair<std::string, std::string>> settings, ExperimentKind kind);

// What experiment list prints: name, caption, source, cost with these settings and, for the experiment that is in --out, what is left.
// What the networks say: how long one pass of each takes per image, the range of t*, and how many images there are.
struct ExperimentCost { PassSeconds each; int t_max = 1000, images = 0, values = 0; };
int list_experiments(const ExperimentRunOptions& options, const ExperimentCost& cost);
// "1.2e+06 network passes, about 3h05m".
std::string cost_text(const Passes& passes, const PassSeconds& each);
Passes total_passes(const std::vector<ExperimentUnit>& units);

namespace f32 { int run_experiment(const ExperimentRunOptions& options); ExperimentCost experiment_cost(const ExperimentRunOptions& options); }
namespace f64 { int run_experiment(const ExperimentRunOptions& options); ExperimentCost experiment_cost(const ExperimentRunOptions& options); }

}  // namespace purescope
