// The bodies of the commands that compute, once per scalar: f32::run_train and f64::run_train, and so on. Each returns the exit code.
#pragma once
#include "cli/options.h"

#define PURESCOPE_COMMANDS int run_train(const TrainOptions& options);

namespace purescope {
namespace f32 { PURESCOPE_COMMANDS }
namespace f64 { PURESCOPE_COMMANDS }
}  // namespace purescope
