// Attacks that see logits only: Square, SPSA, NES, and random points of the ball.
#pragma once
#include "attack/attack_task.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Share of pixels of Square's iteration `it`, counted from 0: p / 1, 2, 4, ..., 512 for it <= 10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000
// and beyond. rescale: it counts as it 10000 / queries.
double square_share(int it, const AttackSettings& settings);
// Side of the square: round(sqrt(p h w)), at least 1, at most min(h, w).
int square_side(double share, int height, int width);

// Square attack, l-inf (Andriushchenko et al. 2020). Every image draws its own squares (AutoAttack: one square for a whole batch), so that
// a batch changes nothing. With eot.average a candidate is judged by the mean over the draws.
AttackResult square(const AttackTask& task, const PgdOptions& options, const AttackSettings& settings);

// kind Spsa (Uesato et al. 2018: random signs, margin loss, Adam) or Nes (Ilyas et al. 2018: normal directions, cross-entropy, sign steps).
// Both estimate the gradient from pairs of opposite points, until an iterate is misclassified or the queries are spent.
AttackResult estimated(const AttackTask& task, AttackKind kind, const PgdOptions& options, const AttackSettings& settings);

// Uniform points of the ball (l-inf: corners, every second time) until one is misclassified; the point of highest margin otherwise.
AttackResult random_search(const AttackTask& task, const PgdOptions& options, const AttackSettings& settings);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
