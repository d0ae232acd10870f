#include "cli/attack_flags.h"

#include "core/check.h"
#include "io/fraction.h"

namespace purescope {

void add_run_flags(Command& c, AttackOptions& o) {
  c.group("Run");
  c.text("-o,--out", "DIR", "run directory (default runs/COMMAND-HASH8)", o.out);
  c.flag("--resume", "continue a stopped run in --out", o.resume);
  c.flag("--repair", "move damaged records aside instead of refusing them", o.repair);
  c.flag("--force-mixed", "continue a run of another program version", o.force_mixed);
  c.option("--batch", "N|auto", "images per pass, or as many as fit into memory, up to 256; the bits do not depend on it (default 8; 1 for networks above 32 x 32)",
           [&o](const std::string& text, const std::string& flag) { o.batch = text == "auto" ? kAutoBatch : parse_count(text, flag); });
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
  c.option("--steps", "N", "steps of PGD (default 40) and of one APGD run (default 100)", [&o](const std::string& text, const std::string& flag) {
    o.run.pgd.steps = o.run.attack.apgd_steps = parse_count(text, flag);
  });
  c.fraction("--rel-step", "step in units of eps (default 0.01/0.3; 0.025 for l2)", o.run.pgd.relative_step);
  c.fraction("--abs-step", "step in [0,1] units, instead", o.run.pgd.absolute_step);
  c.on_off("random-start", "start at a random point of the ball (default on)", o.run.pgd.random_start);
  c.count("--restarts", "runs from different starts; the first success counts (default 1)", o.run.pgd.restarts);
}

void add_method_flags(Command& c, AttackOptions& o) {
  AttackSettings& a = o.run.attack;
  c.group("Attack");
  c.option("--attack", "NAME", "pgd | fgsm | apgd-ce | apgd-dlr | apgd-t | square | spsa | nes | random | suite (default pgd)",
           [&a](const std::string& text, const std::string&) { a.kind = parse_attack_kind(text); });
  c.count("--eot", "draws averaged in every step under free randomness; 1: one fresh draw (default 1; protocol 15)", a.eot.draws);
  c.option("--eot-mode", "loss|logits", "average the loss gradients of the draws, or their logits (default loss)", [&a](const std::string& text, const std::string& flag) {
    if (text != "loss" && text != "logits") fail(kUsage, "unknown EOT mode '" + text + "'", flag, "loss or logits");
    a.eot.mode = text == "loss" ? EotMode::Loss : EotMode::Logits;
  });
  c.flag("--eot-average", "APGD and Square judge points by all draws (default: by the last one, as AutoAttack)", a.eot.average);
  c.count("--targets", "apgd-t: target classes (default 9, or all others if fewer)", a.targets);
  c.count("--queries", "square, spsa, nes, random: passes per restart (default 5000)", a.queries);
  c.fraction("--square-p", "square: share of pixels of the first squares (default 0.8)", a.square_p);
  c.flag("--square-rescale", "square: stretch the schedule to --queries (default: as for 10,000)", a.square_rescale);
  c.count("--samples", "spsa, nes: passes per estimated gradient (default 100)", a.samples);
  c.fraction("--sigma", "spsa, nes: distance of these points (default 0.01, 0.001)", a.sigma);
  c.fraction("--learning-rate", "spsa: of Adam (default 0.01)", a.learning_rate);
}

void add_backward_flag(Command& c, AttackOptions& o) {
  c.option("--backward", "MODE", "gradient through the purifier: full | full-ste | bpda | surrogate:STEPS | forward-noise-only (default full)",
           [&o](const std::string& text, const std::string& flag) { o.run.backward = parse_backward(text, flag); });
}

void add_rate_flags(Command& c, AttackOptions& o) {
  c.group("Compression rate");
  c.count("--draws", "perturbations per image (default 10)", o.run.draws);
  c.flag("--clamp-cr", "clamp x + eta to [0, 1] (default: unclamped, as the papers' numbers imply)", o.run.clamp_cr);
}

}  // namespace purescope
