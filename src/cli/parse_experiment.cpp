// experiment NAME: a table or figure of the papers; experiment list: which there are.
#include <memory>

#include "cli/attack_flags.h"
#include "cli/bundled.h"
#include "cli/experiment_run.h"
#include "cli/shared_flags.h"
#include "core/check.h"

namespace purescope {
namespace {

void add_own_flags(Command& c, ExperimentRunOptions& o) {
  c.group("Experiment");
  c.flag("--quick", "16 images, 8 of them attacked, 8 attack steps, chains of at most 5 steps: for a first look", o.quick);
  c.count("--attack-images", "attack the first N images only (default: all that are measured)", o.attack_images);
  c.count("--tries", "protocol: fresh draws of mean, worst and majority (default 10)", o.tries);
  c.integer("--test-seed", "protocol: the other seed of transfer (default: seed + 1)", o.test_seed, 0, INT64_MAX);
  c.count("--perturbations", "randomness: perturbed inputs per image (default 10)", o.perturbations);
  c.count("--noises", "randomness: seeds per input (default 10)", o.noises);
  c.count("--probes", "steps: sign vectors of Hutchinson's estimator (default 8)", o.probes);
  c.count("--rank", "jacobian: this many leading singular values by a sketch (default: all where an image has up to 1024 values, else 48)", o.rank);
  c.fractions("--scales", "budget: budgets of the classifier alone, in units of eps (default 0.02 to 1)", o.scales);
}

int list(const ExperimentRunOptions& o) {
  ExperimentRunOptions timed = o;   // the networks whose passes are timed
  if (timed.run.purifier.weights.empty()) timed.run.purifier.weights = kDefaultPurifier;
  return list_experiments(o, o.run.common.f64 ? f64::experiment_cost(timed) : f32::experiment_cost(timed));
}

int run(ExperimentRunOptions o) {
  apply(o.run.common);
  if (o.name == "list") return list(o);
  o.run.purifier.weights = chosen_purifier(o, find_experiment(o.name));
  return o.run.common.f64 ? f64::run_experiment(o) : f32::run_experiment(o);
}

}  // namespace

void register_experiment_commands(Program& program) {
  auto o = std::make_shared<ExperimentRunOptions>(experiment_defaults());
  AttackOptions& a = o->run;
  a.purifier.weights = kDefaultPurifier;
  a.classifier.weights = kDefaultClassifier;
  program.on_line([o](const std::vector<std::string>& words) { o->run.command_line = words; });
  Command& c = program.add("experiment", "Run", "One table or figure of the papers for this purifier and classifier: measured, resumable, beside the papers' values.",
                           {"purescope experiment list",
                            "purescope experiment law --quick --out runs/law",
                            "purescope experiment law -d cifar10:test_batch.bin -c resnet20.safetensors -p cifar10-ddpm --preset cifar10 -n 100 --attack-images 32 --steps 20 --steps-reverse 20 --out runs/law",
                            "purescope experiment list --out runs/law -n 100 --attack-images 32 --steps 20 --steps-reverse 20     # how long is left?"},
                           [o] {
                             if (o->run.resume && o->run.out.empty()) fail(kUsage, "--resume without --out", "the command line", "name the run directory to continue");
                             if (o->quick && o->run.count < 0) o->run.count = 16;
                             return run(*o);
                           });
  c.argument("NAME", "the experiment, or list", o->name);
  add_own_flags(c, *o);
  add_purifier_flags(c, a.purifier);
  a.purifier.weights.clear();   // to be told from "given"; chosen_purifier() fills it
  add_classifier_flags(c, a.classifier);
  add_data_flags(c, a);
  add_method_flags(c, a);
  add_budget_flags(c, a, true);
  c.flag("--best-iterate", "keep the iterate of highest loss (default: the last, as foolbox)", a.run.pgd.best_iterate);
  add_backward_flag(c, a);
  add_rate_flags(c, a);
  add_purify_flags(c, a.purify);
  add_memory_flag(c, a.purify);
  add_noise_flags(c, a.noise);
  add_run_flags(c, a);
  add_json_flag(c, a.common);
  add_common_flags(c, a.common);
  add_force_flag(c, a.common, "go beyond the purifier's t_max");
}

}  // namespace purescope
