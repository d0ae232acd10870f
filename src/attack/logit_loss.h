// Losses of logits that attacks ascend, and their derivatives.
#pragma once
#include <vector>

#include "core/view.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// y: the label, t: the target class, z_(k): the k-th largest logit.
enum class LossKind {
  CrossEntropy,   // logsumexp(z) - z_y
  Dlr,            // -(z_y - max_{j != y} z_j) / (z_(1) - z_(3) + 1e-12)                  (Croce and Hein 2020)
  TargetedDlr,    // -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12)
  Margin          // max_{j != y} z_j - z_y
};

// Classes that a loss needs: 3 for Dlr, 4 for TargetedDlr.
int least_classes(LossKind kind);

// The loss of one row of logits z[classes], in double; dz (may be null) is overwritten by its derivative. CrossEntropy is not built here:
// the ops have it.
double logit_loss(LossKind kind, const real* z, int classes, int label, int target, real* dz);

// First maximum; -1 where a logit is not finite.
int prediction(const real* z, int classes);

// Classes other than `label` by falling logit, the lower index first among equals.
std::vector<int> ranked_others(const real* z, int classes, int label);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
