#include "experiment/measure.h"

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
  }
  return false;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
