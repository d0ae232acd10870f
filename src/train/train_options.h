// What a training run is told; no scalar type in it, so that the command line can fill it in.
#pragma once
#include <cstdint>
#include <string>

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
  double noise_augment = 0;      // classifier: normal noise with a deviation uniform in 0 .. this ([0,1] units), new for every image
  int64_t seed = 0;
  std::string out;               // weights (safetensors); the state is OUT.state
  std::string init;              // start from these weights (fine-tuning)
  bool resume = false;           // continue from OUT.state
  int64_t save_every = 500;      // steps between states
  std::string command;           // the command line, recorded in the metadata
};

}  // namespace purescope
