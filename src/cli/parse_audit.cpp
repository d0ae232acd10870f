// audit: is the gradient right, and is the attack as strong as it should be?
#include <memory>

#include "cli/attack_flags.h"
#include "cli/audit_run.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/shared_flags.h"
#include "core/check.h"
#include "io/fraction.h"

namespace purescope {
namespace {

// What the line asks for beside its profile; 0 or empty: as the profile says.
struct Asked {
  bool quick = false, standard = false, thorough = false;
  int steps = 0, directions = 0, proof_images = 0, samples = 0, queries = 0;
  double relative_step = 0;
  std::vector<double> budgets;
  std::vector<int> checks;
};

// Steps that together cross the ball of radius eps two and a half times: an attack too short to reach its border says nothing.
constexpr double kStepsTogether = 2.5;

// The profile's counts, then those of the line.
void settle(const Asked& asked, AuditRunOptions& o) {
  if (asked.quick + asked.standard + asked.thorough > 1)
    fail(kUsage, "more than one profile", "the command line", "give one of --quick, --standard, --thorough");
  int n = 0;
  set_audit_profile(asked.thorough ? "thorough" : asked.standard ? "standard" : "quick", o.audit, n);
  if (o.count < 0) o.count = n;
  auto take = [](int from, int& to) {
    if (from) to = from;
  };
  take(asked.steps, o.audit.pgd.steps);
  o.audit.pgd.relative_step = asked.relative_step > 0 ? asked.relative_step : kStepsTogether / o.audit.pgd.steps;
  take(asked.directions, o.audit.directions);
  take(asked.proof_images, o.audit.proof_images);
  take(asked.samples, o.audit.random_samples);
  take(asked.queries, o.audit.search_queries);
  if (!asked.budgets.empty()) o.audit.budgets = asked.budgets;
  if (!asked.checks.empty()) o.audit.checks = asked.checks;
}

void add_attack(Command& c, AuditRunOptions& o, Asked& asked) {
  c.group("Audited attack");
  c.fraction("--eps", "l-inf budget in [0,1] units (default 8/255)", o.audit.eps);
  c.count("--steps", "PGD steps (default: the profile's)", asked.steps);
  c.fraction("--rel-step", "step in units of eps (default 2.5 / steps)", asked.relative_step);
  c.flag("--best-iterate", "return the iterate of highest loss (default: the last, as foolbox)",
         o.audit.pgd.best_iterate);
  c.option("--backward", "MODE",
           "how it differentiates: full | full-ste | bpda | surrogate:STEPS | forward-noise-only (default full)",
           [&o](const std::string& text, const std::string& flag) { o.audit.backward = parse_backward(text, flag); });
  c.count("--eot",
          "the audited protocol draws noise afresh and averages this many gradients (default: it fixes the noise)",
          o.audit.eot);
  c.group("Counts");
  c.count("--directions", "random directions of the difference test (default 10)", asked.directions);
  c.count("--proof-images", "images of the gradient proof (default: the profile's)", asked.proof_images);
  c.count("--samples", "random samples of check 11 (default: the profile's)", asked.samples);
  c.count("--queries", "queries of check 12 (default: the profile's)", asked.queries);
  c.fractions("--budgets", "budgets of check 10 (default 2/255 to 1)", asked.budgets);
  c.option("--checks", "1,2,...", "only these checks (default: the profile's)",
           [&asked](const std::string& text, const std::string& flag) {
             for (int64_t id : parse_int_list(text, flag, kConnected, kMinimum))
               asked.checks.push_back(static_cast<int>(id));
           });
}

void add_bars(Command& c, AuditBars& b) {
  c.group("Bars");
  c.fraction("--bar-difference", "relative error of check 2 in double (default 1e-4)", b.difference_double);
  c.fraction("--bar-production", "the same in float (default 1e-2)", b.difference_production);
  c.fraction("--bar-precision", "cosine of check 2 between float and double (default 0.99)", b.precision_cosine);
  c.fraction("--bar-recompute", "cosine of check 3 (default 1 - 1e-6)", b.recompute_cosine);
  c.fraction("--bar-clipped", "clipped at the last step, check 5 (default 0.05)", b.clipped_last);
  c.fraction("--bar-zero-gradient", "exact zeros beyond the clipped, check 5 (default 0.01)", b.zero_gradient);
  c.fraction("--bar-straight-through", "points of check 5 (default 1)", b.straight_through);
  c.fraction("--bar-flow", "ratio of check 6 (default 1e6)", b.flow_ratio);
  c.fraction("--bar-steps", "points of check 8 (default 1)", b.more_steps);
  c.fraction("--bar-loss-gain", "relative gain of the mean loss, check 8 (default 0.01)", b.loss_gain);
  c.fraction("--bar-loss-tail", "share of the loss gained in the last 10 steps, check 8 (default 0.05)", b.loss_tail);
  c.fraction("--bar-restarts", "points of check 9 (default 1)", b.restarts);
  c.fraction("--bar-random", "points of check 11 (default 1)", b.random_search);
  c.fraction("--bar-gradient-free", "points of check 12 (default 0.2)", b.gradient_free);
  c.fraction("--bar-transfer", "points of check 13 (default 0)", b.transfer);
  c.fraction("--bar-fixed-noise", "points of check 14 (default 0)", b.fixed_noise);
  c.fraction("--bar-eot", "cosine of check 15 (default 0.9)", b.split_half_cosine);
  c.fraction("--bar-instability", "of check 16 (default 0.1)", b.instability);
  c.fraction("--bar-loss", "points of check 19 (default 1)", b.loss);
  c.fraction("--bar-binary", "success of the attack in check 21, at least (default 0.95)", b.binary_attack);
  c.fraction("--bar-binary-random", "success of random points in check 21, at most (default 0.05)", b.binary_random);
}

void register_trace(Program& program) {
  auto o = std::make_shared<AuditRunOptions>();
  o->purifier.weights = kDefaultPurifier;
  o->classifier.weights = kDefaultClassifier;
  Command& c = program.add("trace", "Study",
                           "One image through the defence and one gradient back: every state, noise, network output, "
                           "clip mask and vector-Jacobian product as .npy.",
                           {"purescope trace --image 3 --t 100 --steps-reverse 10 --out trace",
                            "purescope trace --image 3 --steps-reverse 10 --plant zero-backward --out trace      # "
                            "where does the gradient stop?"},
                           [o] {
                             apply(o->common);
                             if (o->purify.t.size() != 1)
                               fail(kUsage, "--t holds " + std::to_string(o->purify.t.size()) + " values", "--t",
                                    "trace one t* at a time");
                             return o->common.f64 ? f64::run_trace(*o) : f32::run_trace(*o);
                           });
  add_purifier_flags(c, o->purifier);
  add_classifier_flags(c, o->classifier);
  c.group("Image");
  c.text("-d,--data", "SOURCE", "as for audit (default shapes)", o->data);
  c.integer("--image", "position in the source (default 0)", o->first, 0, INT64_C(1) << 40);
  c.text("-o,--out", "DIR", "folder for the arrays and index.jsonl", o->out);
  c.required();
  c.text("--plant", "MASK", "spoil the defence with a known mistake, as for audit", o->plant);
  c.option("--backward", "MODE", "full | full-ste | bpda | surrogate:STEPS | forward-noise-only (default full)",
           [o](const std::string& text, const std::string& flag) { o->audit.backward = parse_backward(text, flag); });
  add_purify_flags(c, o->purify);
  c.fraction("--guidance", "guided purification: weight of the pull towards the noised input (default 0)", o->guidance);
  add_noise_flags(c, o->noise);
  add_json_flag(c, o->common);
  add_common_flags(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max; write into a folder that is not empty");
}

}  // namespace

void register_audit_commands(Program& program) {
  register_trace(program);
  auto o = std::make_shared<AuditRunOptions>();
  auto asked = std::make_shared<Asked>();
  o->purifier.weights = kDefaultPurifier;
  o->classifier.weights = kDefaultClassifier;
  program.on_line([o](const std::vector<std::string>& words) { o->command_line = words; });
  Command& c = program.add(
      "audit", "Run",
      "Is the gradient right, and is the attack as strong as it should be? One line per check, exit 1 on a FAIL.",
      {"purescope audit --quick --t 100 --steps-reverse 10 --out runs/audit",
       "purescope audit --standard -d cifar10:test_batch.bin -c resnet20.safetensors -p cifar10-ddpm --t 100 -n 100",
       "purescope audit --quick --steps-reverse 10 --plant wrong-timestep      # a mistake, to see it caught",
       "purescope audit --gradient g.npy --input x.npy --labels y.npy --noise xi.safetensors --t 100 --steps-reverse "
       "10"},
      [o, asked] {
        apply(o->common);
        settle(*asked, *o);
        if (!o->gradient.empty()) return o->common.f64 ? f64::run_judge_gradient(*o) : f32::run_judge_gradient(*o);
        return run_audit(*o);
      });
  c.group("Profile");
  c.flag("--quick", "checks 1-7, 16, 17, 19, 24 on 8 images (default)", asked->quick);
  c.flag("--standard", "also 8, 10-15, 18, 23, on 100 images", asked->standard);
  c.flag("--thorough", "all, also 9, 20 and 21, with full counts", asked->thorough);
  c.text("--plant", "MASK", "spoil the defence with a known mistake, to see which checks find it", o->plant);
  c.group("A gradient made elsewhere");
  c.text("--gradient", "FILE", "judge this gradient, [n,3,h,w] .npy, instead of attacking", o->gradient);
  c.text("--input", "FILE", "the images it was taken at, in [0, 1]", o->input);
  c.text("--labels", "3,5", "their labels, or a .npy of integers", o->labels);
  add_noise_file_flags(c, o->noise);
  add_purifier_flags(c, o->purifier);
  add_classifier_flags(c, o->classifier);
  add_data_flags(c, *o, "the profile's");
  add_attack(c, *o, *asked);
  add_bars(c, o->bars);
  add_purify_flags(c, o->purify);
  c.fraction("--guidance", "guided purification: weight of the pull towards the noised input (default 0)", o->guidance);
  add_memory_flag(c, o->purify);
  add_noise_flags(c, o->noise);
  c.group("Run");
  c.text("-o,--out", "DIR", "run directory (default runs/audit-HASH8)", o->out);
  c.flag("--resume", "continue a stopped run in --out", o->resume);
  c.count("--batch", "images per pass (default 8; 1 for networks above 32 x 32)", o->batch);
  add_json_flag(c, o->common);
  add_common_flags(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max");
}

}  // namespace purescope
