// How the units of each experiment are measured (report/experiment.h says which there are): one function per experiment, all called
// through measure().
#pragma once
#include "experiment/workbench.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Measures one batch of one unit and puts one record per image. False if stopped before the records were there.
bool measure(ExperimentKind kind, Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// The passes that several experiments are made of, by the first word of the unit's kind:
//   cr:SAMPLER            expected compression rate under the fixed noise, and the predictions there: fields of `cr` records, label,
//                         pred_clean, pred_anchor, l2_anchor
//   attack:RAND:SAMPLER   an attack, fields of `attack` records; SAMPLER none: the classifier alone
//   minimum:clean         minimum perturbation of the classifier alone at the image
//   minimum:anchor:SAMPLER  the same at the anchor point f_xi(x), clamped to [0, 1]
bool measure_passes(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// protocol:SET (one sampler): a set of adversarial images, each judged under every rule (docs/protocol.md, section 11).
bool measure_protocol(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// examples: the picture of its section, from the records and the images that the run kept.
void write_examples(Workbench& bench, const std::vector<ExperimentUnit>& units, const std::vector<std::string>& records, const std::string& path);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
