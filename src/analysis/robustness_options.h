// What a robustness run measures: on which images, under which randomness, with which budget.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "attack/attack_options.h"
#include "diffusion/purify_options.h"

namespace purescope {

// Randomness of the defence while it is attacked and tested (docs/protocol.md).
enum class Rand {
  Fixed,     // attack and test share the noise of the seed (draw 0)
  Free,      // fresh noise at every attack step, another draw for the test
  Transfer   // crafted under the noise of the seed, tested under that of another seed
};
const char* rand_name(Rand rand);

struct RobustnessOptions {
  PgdOptions pgd;
  PurifyOptions purify;                 // t is overwritten by each entry of `t`
  std::vector<int> t = {100};
  int steps_reverse = 0;                // 0: t of them
  std::vector<double> eps = {8.0 / 255};
  std::vector<int64_t> seeds = {0};
  std::vector<Rand> rand = {Rand::Fixed, Rand::Free};
  int64_t test_seed = 0;                // Transfer only
  bool bpda = false;
  int draws = 10;                       // of the compression rate; 0: do not measure it
  bool clamp_cr = false;
  bool skip_misclassified = false;
  bool predict = true;                  // minimum perturbations of the classifier alone, for the predicted accuracy
  int predict_steps = 0;                // PGD steps of that search; 0: as pgd.steps
  int t_base = 0;
};

}  // namespace purescope
