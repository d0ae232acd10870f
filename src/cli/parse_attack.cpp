// attack, cr, predict, verify: the main job.
#include <cstdlib>
#include <memory>

#include "cli/attack_run.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/shared_flags.h"
#include "core/check.h"
#include "io/durable.h"
#include "io/fraction.h"
#include "io/json_text.h"

namespace purescope {
namespace {

using Words = std::vector<std::string>;

void add_data_flags(Command& c, AttackOptions& o) {
  c.group("Images");
  c.text("-d,--data", "SOURCE", "shapes[:SEED], cifar10:FILE.bin or folder, folder:DIR[,LIST], npy:X.npy,LABELS.npy (default shapes)", o.data);
  c.option("-n,--n-images", "N", "how many (default 100, or all if there are fewer)",
           [&o](const std::string& text, const std::string& flag) { o.count = parse_count(text, flag); });
  c.option("--subset", "A:B", "images A to B - 1 of the source; their noise is that of the full run",
           [&o](const std::string& text, const std::string& flag) {
             const auto [first, last] = parse_range(text, flag);
             o.first = first;
             o.count = last - first;
           });
}

void add_run_flags(Command& c, AttackOptions& o) {
  c.group("Run");
  c.text("-o,--out", "DIR", "run directory (default runs/COMMAND-HASH8)", o.out);
  c.flag("--resume", "continue a stopped run in --out", o.resume);
  c.flag("--repair", "move damaged records aside instead of refusing them", o.repair);
  c.flag("--force-mixed", "continue a run of another program version", o.force_mixed);
  c.count("--batch", "images per pass; the bits do not depend on it (default 8; 1 for networks above 32 x 32)", o.batch);
  c.text("--verify-run", "DIR", "compare with the records of this run instead (see purescope verify)", o.verify_run);
  c.count("--sample", "images that --verify-run computes again (default 3)", o.sample);
}

void add_budget_flags(Command& c, AttackOptions& o, bool pgd) {
  c.group("Budget");
  c.fractions("--eps", "l-inf (or l2) budgets in [0,1] units, e.g. 8/255 or 2/255,8/255 (default 8/255)", o.run.eps);
  if (!pgd) return;
  c.option("--norm", "linf|l2", "norm of the budget (default linf)", [&o](const std::string& text, const std::string& flag) {
    if (text != "linf" && text != "l2") fail(kUsage, "unknown norm '" + text + "'", flag, "linf or l2");
    o.run.pgd.norm = text == "l2" ? Norm::L2 : Norm::Linf;
    if (text == "l2") o.run.pgd.relative_step = 0.025;   // foolbox's default for l2
  });
  c.count("--steps", "PGD steps (default 40)", o.run.pgd.steps);
  c.fraction("--rel-step", "step in units of eps (default 0.01/0.3; 0.025 for l2)", o.run.pgd.relative_step);
  c.fraction("--abs-step", "step in [0,1] units, instead", o.run.pgd.absolute_step);
  c.on_off("random-start", "start at a random point of the ball (default on)", o.run.pgd.random_start);
  c.count("--restarts", "runs from different starts; the first success counts (default 1)", o.run.pgd.restarts);
}

void add_rate_flags(Command& c, AttackOptions& o) {
  c.group("Compression rate");
  c.count("--draws", "perturbations per image (default 10)", o.run.draws);
  c.flag("--clamp-cr", "clamp x + eta to [0, 1] (default: unclamped, as the papers' numbers imply)", o.run.clamp_cr);
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
  Command& c = program.add("attack", "Run", "Accuracy, compression rate and robustness of a purifier and classifier under PGD, with fixed and with free randomness.",
                           {"purescope attack --t 20,50,100 --steps-reverse 10 -n 24 --steps 10 --out runs/first",
                            "purescope attack --data cifar10:test_batch.bin -c resnet20.safetensors -p cifar10-ddpm --t 100 -n 100 --steps 40 --seed 0,1,2 --fix-random --out runs/cifar",
                            "purescope attack --t 100 --test-seed 7 --fix-random      # transfer: crafted under --seed, tested under 7"},
                           [o, line] {
                             if (o->only_fixed && o->only_free) fail(kUsage, "--fix-random and --no-fix-random", "the command line", "give one, or neither for both columns");
                             if (o->only_fixed) o->run.rand = {Rand::Fixed};
                             if (o->only_free) o->run.rand = {Rand::Free};
                             if (o->transfer) o->run.rand.push_back(Rand::Transfer);
                             o->command_line = *line;
                             settle(*o);
                             return run(*o);
                           });
  add_purifier_flags(c, o->purifier);
  add_classifier_flags(c, o->classifier);
  add_data_flags(c, *o);
  add_budget_flags(c, *o, true);
  c.flag("--best-iterate", "keep the iterate of highest loss (default: the last, as foolbox)", o->run.pgd.best_iterate);
  c.option("--backward", "full|bpda", "gradient through the purifier: exact, or the identity (default full)", [o](const std::string& text, const std::string& flag) {
    if (text != "full" && text != "bpda") fail(kUsage, "unknown backward mode '" + text + "'", flag, "full or bpda");
    o->run.bpda = text == "bpda";
  });
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
  add_purify_flags(c, o->purify);
  add_memory_flag(c, o->purify);
  add_noise_flags(c, o->noise);
  add_run_flags(c, *o);
  add_json_flag(c, o->common);
  add_common_flags(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max");
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
  register_measure(program, RunKind::Cr, line);
  register_measure(program, RunKind::Predict, line);
  register_verify(program);
}

}  // namespace purescope
