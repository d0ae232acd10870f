// Auto-PGD (Croce and Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks"), with
// the behaviour of AutoAttack's code: docs/attacks.md.
#pragma once
#include <vector>

#include "attack/attack_task.h"
#include "attack/logit_loss.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Iterations after which the step size is checked, counted from 1: N = 100 gives 22, 41, 57, 70, 80, 87, 93, 99.
std::vector<int> apgd_checkpoints(int iterations);

// True if the loss rose in at most 3/4 of the last k steps: loss[i-j] > loss[i-j-1] for j = 0 ... k - 1. Entry -1 is the last of the list,
// which is still 0 at the first check: AutoAttack's wrap-around, kept.
bool apgd_oscillates(const std::vector<double>& loss, int i, int k);

// kind: ApgdCe, ApgdDlr or ApgdT. Restarts (and, for ApgdT, targets) run for the images that stand. Broken images come back as their last
// misclassified iterate, the others as x0.
AttackResult apgd(const AttackTask& task, AttackKind kind, const PgdOptions& options, const AttackSettings& settings);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
