#include "experiment/measure.h"

#include "experiment/measure_inside.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

bool measure(ExperimentKind kind, Workbench& w, const ExperimentUnit& unit, const ExperimentBatch& batch) {
  switch (kind) {
    case ExperimentKind::Cr:
    case ExperimentKind::Law:
    case ExperimentKind::Survival:
    case ExperimentKind::Predict:
    case ExperimentKind::Budget:
    case ExperimentKind::Timesteps:
    case ExperimentKind::Examples: return measure_passes(w, unit, batch);
    case ExperimentKind::Protocol: return measure_protocol(w, unit, batch);
    case ExperimentKind::Distances: return measure_distances(w, unit, batch);
    case ExperimentKind::Randomness: return measure_randomness(w, unit, batch);
    case ExperimentKind::Steps: return measure_steps(w, unit, batch);
    case ExperimentKind::Gaussian: return measure_gaussian(w, unit, batch);
    case ExperimentKind::Jacobian: return measure_jacobian(w, unit, batch);
    case ExperimentKind::Manifold: return measure_manifold(w, unit, batch);
  }
  return false;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
