// The two functions of every experiment that run once for both scalars: what it consists of, and what its records mean.
#pragma once
#include "report/experiment.h"

namespace purescope {

#define PURESCOPE_EXPERIMENT(name)                                        \
  std::vector<ExperimentUnit> name##_units(const ExperimentOptions& o);   \
  void name##_judge(const std::vector<JsonObject>& records, Section& section);

PURESCOPE_EXPERIMENT(cr)
PURESCOPE_EXPERIMENT(law)
PURESCOPE_EXPERIMENT(survival)
PURESCOPE_EXPERIMENT(predict)
PURESCOPE_EXPERIMENT(protocol)
PURESCOPE_EXPERIMENT(budget)
PURESCOPE_EXPERIMENT(timesteps)
PURESCOPE_EXPERIMENT(examples)
PURESCOPE_EXPERIMENT(distances)
PURESCOPE_EXPERIMENT(randomness)
PURESCOPE_EXPERIMENT(steps)
PURESCOPE_EXPERIMENT(gaussian)
PURESCOPE_EXPERIMENT(jacobian)
PURESCOPE_EXPERIMENT(manifold)
#undef PURESCOPE_EXPERIMENT

// The t* at which a single one is looked at: 100 where it is among them, else the last.
int single_time(const ExperimentOptions& options);

// examples: the images of its picture, from the lowest compression rate to the highest; at most kExampleRows, evenly spread.
constexpr int kExampleRows = 12;
std::vector<int64_t> example_images(const std::vector<JsonObject>& records);
constexpr const char* kExamplesFile = "examples.png";

// Units of passes (experiment/measure.h), with their cost; added unless there is one of this kind and setting.
void add_rate_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, int sampler, int t, double eps, int64_t seed);
void add_attack_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, int sampler, int t, double eps, int64_t seed);
// The classifier alone, attacked with this budget.
void add_bare_attack_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, double eps, int64_t seed);
void add_minimum_units(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, double eps);   // at the images themselves
void add_anchor_minimum_unit(std::vector<ExperimentUnit>& units, const ExperimentOptions& o, int sampler, int t, double eps, int64_t seed);

// Adds a unit of any kind unless there is one of this kind and setting.
void add_unit(std::vector<ExperimentUnit>& units, const std::string& kind, int sampler, int t, double eps, int64_t seed, int images, const Passes& passes);

}  // namespace purescope
