// Every attack by its name, and the suite that runs several in sequence.
#pragma once
#include "attack/attack_task.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// The attack that settings.kind names, on every image of the task. Exit 2 where the attack does not know the norm, 65 for images outside
// [0, 1]. Stops between steps and continues from task.checkpoint.
//
// The suite is AutoAttack's way: one pass decides who is broken without attack; every attack runs on the images still standing; every
// candidate is judged by one more pass. PgdImage::broken_by says which attack broke an image, -2 for none needed. FAB is not part of it,
// PGD is.
AttackResult attack(const AttackTask& task, const PgdOptions& options, const AttackSettings& settings);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
