// The native streams: Philox4x32-10 with every field of a draw in its own bits, so two different draws never share a
// counter and any value can be computed alone.
//
//   key          the base seed (64 bits)
//   counter 0    block within the draw, from 0
//   counter 1    image
//   counter 2    bits 0-19: diffusion step t, or purpose of a training draw; bits 20-23: domain;
//                bits 24-31: the upper 8 bits of `draw` (EOT draw, restart, training step)
//   counter 3    the lower 32 bits of `draw`
//
// Domains: 0 forward noise, 1 reverse noise, 2 uniform start, 3 normal start, 4 noise of the compression rate,
// 15 training. Limits: image < 2^32, t < 2^20, draw < 2^40, 2^33 values per draw; beyond them exit 2.
#pragma once
#include <cstddef>
#include <cstdint>

#include "rng/philox.h"

namespace purescope {

enum class Domain : uint32_t {
  Forward = 0,
  Reverse = 1,
  StartUniform = 2,
  StartNormal = 3,
  CrUniform = 4,
  Training = 15,
};

struct NativeCounter {
  uint64_t key = 0;
  uint32_t c1 = 0, c2 = 0, c3 = 0;
};

// Packs the fields; exit 2 if one does not fit.
NativeCounter native_counter(int64_t seed, Domain domain, int64_t image, uint64_t draw, int64_t t);

// The words of one block.
inline PhiloxWords native_block(const NativeCounter& counter, uint32_t block) {
  return philox(counter.key, PhiloxWords{block, counter.c1, counter.c2, counter.c3});
}

// [0, 1): value i is the upper 24 bits of word i mod 4 of block i / 4, times 2^-24.
void native_uniform(const NativeCounter& counter, float* out, size_t count);

// Standard normal values by Box and Muller: block j gives u = (a + 1) 2^-53 and v = b 2^-53 with a, b the upper 53 bits
// of words (0, 1) and (2, 3); values 2j and 2j + 1 are sqrt(-2 ln u) cos(2 pi v) and sqrt(-2 ln u) sin(2 pi v).
// Computed in double and rounded once to float: machines whose C libraries differ in the last bit of a double log, sin
// or cos give the same float, except where that bit decides the rounding (of the order of one value in 10^8).
void native_normal(const NativeCounter& counter, float* out, size_t count);

}  // namespace purescope
