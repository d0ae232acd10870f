// The papers' seed per image and diffusion step (equations 23 and 24 of the paper on diffusion-based purification,
// version 2): hash(s, i, k) = ((83492791 s) XOR (73856093 i) XOR (19349663 k)) mod 2^32.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace purescope {

enum class Phase : unsigned char { Forward, Reverse };

// s: base seed, i: image (position in the data source, from 0), k: noise_k below or the number of a stream of our own.
uint32_t seed_hash(int64_t s, int64_t i, int64_t k);

// The same formula as Python reads it without brackets: only the last product is reduced mod 2^32, so that the seed
// exceeds 32 bits from s = 52 or i = 59 on. (CUDA generators use all 64 bits; CPU generators only the low 32.)
uint64_t seed_hash_unreduced(int64_t s, int64_t i, int64_t k);

// k of one diffusion step t >= 0: 2t forward, 2t + 1 reverse.
int64_t noise_k(Phase phase, int64_t t);

// How many of the seeds hash(s, i, k), s in `base_seeds`, 0 <= i < images, 0 <= k < k_count, repeat an earlier one:
// total - distinct. Memory: 4 bytes per seed; more than 2^30 of them is an error (exit 2).
size_t repeated_seeds(const std::vector<int64_t>& base_seeds, int64_t images, int64_t k_count);

}  // namespace purescope
