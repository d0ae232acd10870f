// Training of the two kinds of network that the project needs: the DDPM purifier and the classifier. Runs stop and resume to the bit:
// every random number is keyed by (seed, step, image), and the whole state is in one file.
#pragma once
#include "core/real.h"
#include "train/train_options.h"

namespace purescope {

inline namespace PURESCOPE_REAL_NS {

// Trains, prints a line every 100 steps to stderr, writes OUT. Returns kOk, or kStopped when asked to stop (the state is saved).
int train(const TrainOptions& options);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
