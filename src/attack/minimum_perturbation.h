// The smallest budget at which PGD breaks the classifier alone, image by image (semantics of the survival curve: docs/protocol.md).
#pragma once
#include <vector>

#include "attack/pgd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct Probe { double budget; bool broken; };

struct MinimumPerturbation {
  double budget = 0;            // smallest budget at which any success was seen; 0 for an image that is misclassified as it is
  bool censored = false;        // never broken up to max_budget: the true value is larger than `budget`
  std::vector<Probe> probes;    // every budget tried, in order
  int non_monotone = 0;         // pairs (a < b) with success at a and failure at b
};

// Budgets are in units of `unit` (the standard budget, for example 8/255): eps = budget * unit. Doubles from 1/4 until broken or
// max_budget, then bisects `bisections` times, then tries 1.5 and 3 times the threshold (for `non_monotone`). PGD restarts from the same
// seed at every budget, with a step proportional to eps.
std::vector<MinimumPerturbation> minimum_perturbations(Defended& classifier, View x0, const int* labels, double unit,
                                                       const PgdOptions& options, const NoiseStream& stream, int64_t seed,
                                                       const std::vector<int64_t>& images, double max_budget = 16, int bisections = 12);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
