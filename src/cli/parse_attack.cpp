// attack, cr, predict, verify: the main job.
#include <cstdlib>
#include <memory>

#include "cli/attack_flags.h"
#include "cli/attack_run.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/protocol.h"
#include "cli/shared_flags.h"
#include "core/check.h"
#include "io/durable.h"
#include "io/fraction.h"
#include "io/json_text.h"

namespace purescope {
namespace {

using Words = std::vector<std::string>;

// The kinds of randomness asked for; EOT takes the place of free randomness.
void choose_randomness(AttackOptions& o) {
  if (o.only_fixed && o.only_free) fail(kUsage, "--fix-random and --no-fix-random", "the command line", "give one, or neither for both columns");
  const bool eot = o.run.attack.eot.draws > 1;
  if (eot && o.only_fixed)
    fail(kUsage, "EOT under fixed randomness would average one draw with itself", "--eot with --fix-random", "leave one of them out");
  const Rand free = eot ? Rand::Eot : Rand::Free;
  o.run.rand = o.only_fixed ? std::vector<Rand>{Rand::Fixed} : o.only_free ? std::vector<Rand>{free} : std::vector<Rand>{Rand::Fixed, free};
  if (o.transfer) o.run.rand.push_back(Rand::Transfer);
}

// After parsing: what the flags say together.
void settle(AttackOptions& o) {
  o.run.t = o.purify.t;
  o.run.seeds = o.noise.seeds;
  o.run.steps_reverse = o.purify.steps_reverse;
  for (int t : o.run.t) o.run.purify = purify_options(o.purify, t);
  if (o.resume && o.out.empty()) fail(kUsage, "--resume without --out", "the command line", "name the run directory to continue");
}

int run(const AttackOptions& o) {
  apply(o.common);
  return o.common.f64 ? f64::run_attack(o) : f32::run_attack(o);
}

std::shared_ptr<AttackOptions> options(RunKind kind) {
  auto o = std::make_shared<AttackOptions>();
  o->kind = kind;
  o->purifier.weights = kDefaultPurifier;
  o->classifier.weights = kDefaultClassifier;
  return o;
}

void register_attack(Program& program, const std::shared_ptr<Words>& line) {
  auto o = options(RunKind::Attack);
  Command& c = program.add("attack", "Run", "Accuracy, compression rate and robustness of a purifier and classifier under attack, with fixed and with free randomness.",
                           {"purescope attack --t 20,50,100 --steps-reverse 10 -n 24 --steps 10 --out runs/first",
                            "purescope attack --data cifar10:test_batch.bin -c resnet20.safetensors -p cifar10-ddpm --t 100 -n 100 --steps 40 --seed 0,1,2 --fix-random --out runs/cifar",
                            "purescope attack --attack suite -p none --eps 8/255       # APGD-CE, APGD-T, Square and PGD on the classifier alone",
                            "purescope attack --t 50 --no-fix-random --eot 15 --eot-mode loss",
                            "purescope attack --t 100 --test-seed 7 --fix-random      # transfer: crafted under --seed, tested under 7"},
                           [o, line] {
                             choose_randomness(*o);
                             o->command_line = *line;
                             settle(*o);
                             return run(*o);
                           });
  add_purifier_flags(c, o->purifier);
  add_classifier_flags(c, o->classifier);
  add_data_flags(c, *o);
  add_method_flags(c, *o);
  add_budget_flags(c, *o, true);
  c.flag("--best-iterate", "keep the iterate of highest loss (default: the last, as foolbox)", o->run.pgd.best_iterate);
  add_backward_flag(c, *o);
  c.group("Randomness");
  c.option("--test-seed", "S", "also transfer: crafted under --seed, tested under S", [o](const std::string& text, const std::string& flag) {
    o->run.test_seed = static_cast<int64_t>(parse_seed(text, flag));
    o->transfer = true;
  });
  c.flag("--fix-random", "fixed randomness only (default: fixed and free, one column each)", o->only_fixed);
  c.flag("--no-fix-random", "free randomness only", o->only_free);
  add_rate_flags(c, *o);
  c.on_off("predict", "minimum perturbations of the classifier alone, for the predicted accuracy (default on)", o->run.predict);
  c.flag("--skip-misclassified", "leave images that the classifier alone gets wrong out of the accuracies", o->run.skip_misclassified);
  c.flag("--save-adv", "write every adversarial image (default: the first 8, for grid.png)", o->save_adv);
  c.flag("--save-gradients", "write the gradient of every EOT draw in every step, before averaging, into gradients/: one .npy each", o->save_gradients);
  add_purify_flags(c, o->purify);
  add_memory_flag(c, o->purify);
  add_noise_flags(c, o->noise);
  add_run_flags(c, *o);
  add_json_flag(c, o->common);
  add_common_flags(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max");
}

void register_protocol(Program& program, const std::shared_ptr<Words>& line) {
  auto p = std::make_shared<ProtocolOptions>();
  AttackOptions& o = p->run;
  o.purifier.weights = kDefaultPurifier;
  o.classifier.weights = kDefaultClassifier;
  o.run.attack.eot.draws = 15;
  o.run.predict = false;
  Command& c = program.add("protocol", "Run", "What randomness is worth: an attack under fixed, free and averaged noise, every result judged under every rule, beside no attack.",
                           {"purescope protocol --t 50 -n 100 --eot 15 --tries 10",
                            "purescope protocol --attack apgd-ce --t 20 -n 24 --steps 20 --eot 5",
                            "purescope protocol --adv adv.npy --labels labels.npy --data npy:clean.npy,labels.npy --t 50    # judge given images"},
                           [p, line] {
                             AttackOptions& run = p->run;
                             if (p->adv.empty() != p->labels.empty()) fail(kUsage, "--adv and --labels belong together", "the command line", "give both or neither");
                             p->data_given = run.data != "shapes" || p->adv.empty();
                             run.command_line = *line;
                             settle(run);
                             apply(run.common);
                             return run.common.f64 ? f64::run_protocol(*p) : f32::run_protocol(*p);
                           });
  add_purifier_flags(c, o.purifier);
  add_classifier_flags(c, o.classifier);
  add_data_flags(c, o);
  c.text("--adv", "X.npy", "judge these images instead of attacking; --data, where given, holds the clean ones for the control", p->adv);
  c.text("--labels", "L.npy", "their labels", p->labels);
  add_method_flags(c, o);
  add_budget_flags(c, o, true);
  c.flag("--best-iterate", "keep the iterate of highest loss (default: the last, as foolbox)", o.run.pgd.best_iterate);
  add_backward_flag(c, o);
  c.group("Randomness");
  c.integer("--test-seed", "the other seed of transfer (default: seed + 1)", p->test_seed, 0, INT64_MAX);
  c.count("--tries", "fresh draws of mean, worst and majority (default 10)", p->tries);
  c.flag("--no-other", "leave out the images crafted under the other seed", p->no_other);
  add_purify_flags(c, o.purify);
  add_noise_flags(c, o.noise);
  add_run_flags(c, o);
  add_json_flag(c, o.common);
  add_common_flags(c, o.common);
  add_force_flag(c, o.common, "go beyond the purifier's t_max");
}

void register_measure(Program& program, RunKind kind, const std::shared_ptr<Words>& line) {
  auto o = options(kind);
  const bool predict = kind == RunKind::Predict;
  Command& c = program.add(kind_name(kind), "Run",
                           predict ? "Robust accuracy predicted from the compression rate and the classifier's survival curve, at clean images and at anchor points."
                                   : "Expected compression rate ||f(x + eta) - f(x)|| / ||eta|| of a purifier, per image.",
                           predict ? std::vector<std::string>{"purescope predict --t 20,50,100 --steps-reverse 10 -n 100", "purescope predict -d cifar10:test_batch.bin -c resnet20.safetensors -p cifar10-ddpm --t 50"}
                                   : std::vector<std::string>{"purescope cr --t 20,50,100 -n 100", "purescope cr -d cifar10:test_batch.bin -c resnet20.safetensors -p cifar10-ddpm --t 10,20,50 --eps 8/255"},
                           [o, line] {
                             o->command_line = *line;
                             settle(*o);
                             return run(*o);
                           });
  add_purifier_flags(c, o->purifier);
  add_classifier_flags(c, o->classifier);
  add_data_flags(c, *o);
  add_budget_flags(c, *o, predict);
  add_rate_flags(c, *o);
  add_purify_flags(c, o->purify);
  add_noise_flags(c, o->noise);
  add_run_flags(c, *o);
  add_json_flag(c, o->common);
  add_common_flags(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max");
}

// verify repeats the command line in the run's header for a sample of its images and compares the records, byte by byte.
int verify(const std::string& folder, int sample, const std::function<int(std::vector<std::string>)>& again) {
  const std::string where = folder + "/header.json";
  const JsonObject header = JsonObject::parse(read_text_file(where), where);
  std::vector<std::string> words = header.get_strings("command_line");
  for (const char* word : {"--verify-run", folder.c_str(), "--sample"}) words.push_back(word);
  words.push_back(std::to_string(sample));
  return again(words);
}

void register_verify(Program& program) {
  auto folder = std::make_shared<std::string>();
  auto sample = std::make_shared<int>(3);
  Command& c = program.add("verify", "Data", "Check the records of a run, and compute some of its images again.", {"purescope verify runs/first", "purescope verify runs/first --sample 10"},
                           [folder, sample, &program] {
                             return verify(*folder, *sample, [&](const std::vector<std::string>& words) {
                               Program fresh;
                               register_attack_commands(fresh);
                               register_experiment_commands(fresh);
                               std::vector<char*> argv;
                               std::vector<std::string> copy = words;
                               for (std::string& w : copy) argv.push_back(w.data());
                               return fresh.run(static_cast<int>(argv.size()), argv.data());
                             });
                           });
  c.argument("RUN", "run directory", *folder);
  c.count("--sample", "images to compute again (default 3)", *sample);
}

}  // namespace

void register_attack_commands(Program& program) {
  auto line = std::make_shared<Words>();
  program.on_line([line](const Words& words) { *line = words; });
  register_attack(program, line);
  register_protocol(program, line);
  register_measure(program, RunKind::Cr, line);
  register_measure(program, RunKind::Predict, line);
  register_verify(program);
}

}  // namespace purescope
