#include "rng/seed_hash.h"

#include <algorithm>
#include <string>

#include "core/check.h"

namespace purescope {

namespace {
constexpr uint64_t kSeedFactor = 83492791, kImageFactor = 73856093, kStepFactor = 19349663;
constexpr uint64_t kMostSeeds = 1ull << 30;
}  // namespace

// Products and XOR mod 2^32 depend on low bits only: unsigned wrap-around gives the unbounded result, also for s < 0.
uint32_t seed_hash(int64_t s, int64_t i, int64_t k) {
  return static_cast<uint32_t>(seed_hash_unreduced(s, i, k));
}

uint64_t seed_hash_unreduced(int64_t s, int64_t i, int64_t k) {
  const uint64_t seed = kSeedFactor * static_cast<uint64_t>(s), image = kImageFactor * static_cast<uint64_t>(i);
  const uint32_t step = static_cast<uint32_t>(kStepFactor * static_cast<uint64_t>(k));
  return seed ^ image ^ step;
}

int64_t noise_k(Phase phase, int64_t t) {
  PURESCOPE_REQUIRE(t >= 0);
  return 2 * t + (phase == Phase::Reverse ? 1 : 0);
}

size_t repeated_seeds(const std::vector<int64_t>& base_seeds, int64_t images, int64_t k_count) {
  PURESCOPE_REQUIRE(images >= 0 && k_count >= 0);
  const double per_seed = static_cast<double>(images) * static_cast<double>(k_count);
  const double total = static_cast<double>(base_seeds.size()) * per_seed;
  if (total > static_cast<double>(kMostSeeds))
    fail(kUsage, "too many seeds to compare",
         std::to_string(images) + " images x " + std::to_string(k_count) + " draws",
         "use fewer images, steps or base seeds (at most 2^30 seeds together)");
  std::vector<uint32_t> seeds;
  seeds.reserve(static_cast<size_t>(total));
  for (int64_t s : base_seeds)
    for (int64_t i = 0; i < images; ++i)
      for (int64_t k = 0; k < k_count; ++k) seeds.push_back(seed_hash(s, i, k));
  std::sort(seeds.begin(), seeds.end());
  return static_cast<size_t>(seeds.end() - std::unique(seeds.begin(), seeds.end()));
}

}  // namespace purescope
