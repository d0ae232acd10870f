// What a robustness run measures: on which images, under which randomness, with which budget.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "attack/attack_options.h"
#include "defence/backward_options.h"
#include "diffusion/purify_options.h"

namespace purescope {

// Randomness of the defence while it is attacked and tested (docs/protocol.md).
enum class Rand {
  Fixed,     // attack and test share the noise of the seed (draw 0)
  Free,      // fresh noise at every attack step, another draw for the test
  Transfer,  // crafted under the noise of the seed, tested under that of another seed
  Eot        // as Free, every attack step averaged over several fresh draws
};
// fixed, free, transfer, eot:N (N = draws).
std::string rand_name(Rand rand, int draws = 1);

struct RobustnessOptions {
  PgdOptions pgd;                       // norm, steps and restarts of every attack
  AttackSettings attack;                // which attack, and its own settings; its EOT draws apply to Rand::Eot only
  PurifyOptions purify;                 // t is overwritten by each entry of `t`
  std::vector<int> t = {100};
  int steps_reverse = 0;                // 0: t of them
  std::vector<double> eps = {8.0 / 255};
  std::vector<int64_t> seeds = {0};
  std::vector<Rand> rand = {Rand::Fixed, Rand::Free};
  int64_t test_seed = 0;                // Transfer only
  Backward backward;                    // how the attack's gradient goes through the purifier; in every record
  int draws = 10;                       // of the compression rate
  bool clamp_cr = false;
  bool skip_misclassified = false;
  bool predict = true;                  // minimum perturbations of the classifier alone, for the predicted accuracy
  int predict_steps = 0;                // PGD steps of that search; 0: as pgd.steps
  int t_base = 0;
};

// One line of results: one image under one (seed, t*, eps, rand).
struct AttackRecord {
  int64_t image = 0;
  int label = 0;
  int pred_clean = -1, pred_anchor = -1, pred_adv = -1;   // classifier alone; after the purifier; on the adversarial image
  bool robust = false, adv_on_path = false;
  double loss_start = 0, loss_end = 0;                    // cross-entropy at the start of the attack and under the test noise
  double linf = 0, l2 = 0;                                // of the perturbation, [0,1] units
  double l2_anchor = 0;                                   // ||f(x0) - x0||, [0,1] units
  double cr = 0, cr_error = 0, cr_adv = 0;                // expected compression rate, its standard error; that of the attack's perturbation
  double grad_zero = 0;
  int64_t forwards = 0, backwards = 0;                    // passes through the whole target
  int broken_by = -1;                                     // suite: place of the attack that succeeded, -2 none needed, -1 none
  std::string status = "ok";                              // ok | nan | skipped_misclassified
  std::vector<float> adversarial;                         // [3,h,w]
};

// Everything that is the same for all eps and rand of a batch at one (seed, t*).
struct Setting { int t = 0; int64_t seed = 0; double eps = 0; Rand rand = Rand::Fixed; };

}  // namespace purescope
