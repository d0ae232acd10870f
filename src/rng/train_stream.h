// Random numbers of training: each is a function of (seed, step, image in the step, purpose, index), so a run that
// stops and resumes at step n draws what an uninterrupted run draws. Native streams, training domain (rng/native.h).
#pragma once
#include <cstddef>
#include <cstdint>

#include "rng/native.h"

namespace purescope {

// What a number is for; draws of different purposes are independent.
enum class TrainPurpose : uint32_t { Shuffle, Timestep, Noise, Crop, Flip, Color, Dropout, Attack, Init, Other };

struct TrainKey {
  int64_t step = 0;   // optimizer step or epoch, < 2^40
  int64_t image = 0;  // image in the step (or 0), < 2^32
  TrainPurpose purpose = TrainPurpose::Other;
};

class TrainStream {
 public:
  explicit TrainStream(int64_t seed) : seed_(seed) {}

  // Number `index` of this key, 53 bits in [0, 1).
  double uniform(const TrainKey& key, uint32_t index = 0) const;
  // Integer in [0, n), n >= 1, from 64 bits (bias below n / 2^64). Uses the same bits as uniform(key, index).
  uint64_t below(const TrainKey& key, uint64_t n, uint32_t index = 0) const;
  // Arrays, value i of the key: standard normal; uniform in [0, 1) with 24 bits.
  void normal(const TrainKey& key, float* out, size_t count) const;
  void uniform(const TrainKey& key, float* out, size_t count) const;
  // The native counter behind the arrays, for whoever draws them elsewhere (ops/noise).
  NativeCounter counter(const TrainKey& key) const;
  // A permutation of 0..n-1 (n < 2^32), for example of an epoch's images.
  void permutation(const TrainKey& key, int64_t* out, size_t n) const;

 private:
  int64_t seed_;
};

}  // namespace purescope
