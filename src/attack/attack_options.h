// The threat model, the budget and the settings of an attack.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace purescope {

enum class Norm { Linf, L2 };

// Projected gradient descent as in foolbox 3.3: uniform random start, `steps` times (step, project, clamp to [0, 1]), last iterate.
struct PgdOptions {
  Norm norm = Norm::Linf;
  int steps = 40;
  double relative_step = 0.01 / 0.3;   // step = relative_step * eps, unless absolute_step > 0
  double absolute_step = 0;
  bool random_start = true;
  int restarts = 1;                    // keeps the first success of an image, else the last restart
  bool best_iterate = false;           // return the iterate of highest loss instead of the last
};

// docs/attacks.md explains each. The number of a kind keys its random streams: never reorder.
enum class AttackKind { Pgd = 0, Fgsm, ApgdCe, ApgdDlr, ApgdT, Square, Spsa, Nes, Random, Suite };

// Expectation over transformation (Athalye et al. 2018): what is averaged over the draws of a randomised defence.
enum class EotMode {
  Loss,    // the gradients of the losses of the single draws (eq. 22 of the paper)
  Logits   // the logits; one loss of their mean
};

struct EotOptions {
  int draws = 1;
  EotMode mode = EotMode::Loss;
  bool average = false;   // APGD and Square judge a point by the mean over the draws (otherwise, as AutoAttack does, by the last draw)
};

// Beyond PgdOptions, which every attack shares (norm, steps, step size, restarts).
struct AttackSettings {
  AttackKind kind = AttackKind::Pgd;
  EotOptions eot;
  int apgd_steps = 100;         // iterations of one APGD run
  int targets = 9;              // APGD-T: classes ranked 2nd to (targets + 1)-th
  int queries = 5000;           // Square, SPSA, NES, random search: passes of one restart
  double square_p = 0.8;        // share of pixels of the first squares
  bool square_rescale = false;  // stretch Square's schedule, made for 10,000 iterations, to `queries`
  int samples = 100;            // SPSA, NES: passes per estimated gradient (pairs of opposite points)
  double sigma = 0;             // their distance from the iterate; 0: 0.01 (SPSA), 0.001 (NES)
  double learning_rate = 0.01;  // Adam's, SPSA
};

const char* attack_name(AttackKind kind);                      // pgd, fgsm, apgd-ce, ...
std::vector<std::string> attack_names();                       // all of them, in the order of the enum
AttackKind parse_attack_kind(const std::string& name);         // exit 2 with the list
const char* eot_mode_name(EotMode mode);                       // loss, logits
const char* attack_norms(AttackKind kind);                     // "linf, l2" or "linf"

// The sequence of the suite, in the order in which it runs.
const std::vector<AttackKind>& suite_sequence();

// What the record of an attack says about its settings: "steps 100, restarts 1".
std::string describe_attack(const PgdOptions& pgd, const AttackSettings& settings);

}  // namespace purescope
