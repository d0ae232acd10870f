// Training of the two kinds of network that the project needs: the DDPM purifier and the classifier. Runs stop and resume to the bit:
// every random number is keyed by (seed, step, image), and the whole state is in one file.
#pragma once
#include <cstdint>
#include <string>

#include "core/real.h"

namespace purescope {

struct TrainOptions {
  std::string what;              // "ddpm" or "classifier"
  std::string arch;              // architecture of the network
  std::string data;              // training images, as --data of the other commands
  int64_t count = -1;            // how many of them (-1: all)
  std::string held_out;          // images for the printed held-out loss; empty: none
  int64_t held_out_count = 200;
  int64_t steps = 1000;
  int batch = 32;
  double lr = 1e-3;              // peak; linear warm-up over the first 2 % (at most 500 steps), then cosine to 1 % of it
  double ema = 0.999;            // decay of the moving average that is saved; a short run ramps up to it: min(ema, (1 + step) / (10 + step))
  double weight_decay = 0;
  int t_max = 1000;              // ddpm: t is uniform in 0 .. t_max - 1
  std::string augment = "none";  // none | flip | crop-flip (4 pixels of zero padding)
  int64_t seed = 0;
  std::string out;               // weights (safetensors); the state is OUT.state
  std::string init;              // start from these weights (fine-tuning)
  bool resume = false;           // continue from OUT.state
  int64_t save_every = 500;      // steps between states
  std::string command;           // the command line, recorded in the metadata
};

inline namespace PURESCOPE_REAL_NS {

// Trains, prints a line every 100 steps to stderr, writes OUT. Returns kOk, or kStopped when asked to stop (the state is saved).
int train(const TrainOptions& options);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
