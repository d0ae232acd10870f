#include "rng/train_stream.h"

#include <utility>

#include "core/check.h"

namespace purescope {

namespace {
// Words 0 and 1 of block `index`, the first as the high half.
uint64_t word64(const NativeCounter& counter, uint32_t index) {
  const PhiloxWords w = native_block(counter, index);
  return static_cast<uint64_t>(w[0]) << 32 | w[1];
}

// floor(a n / 2^64), without a 128-bit type.
uint64_t multiply_high(uint64_t a, uint64_t n) {
  const uint64_t a0 = static_cast<uint32_t>(a), a1 = a >> 32, n0 = static_cast<uint32_t>(n), n1 = n >> 32;
  const uint64_t middle = a1 * n0 + (a0 * n0 >> 32);
  return a1 * n1 + (middle >> 32) + ((a0 * n1 + static_cast<uint32_t>(middle)) >> 32);
}
}  // namespace

NativeCounter TrainStream::counter(const TrainKey& key) const {
  PURESCOPE_REQUIRE(key.step >= 0);
  return native_counter(seed_, Domain::Training, key.image, static_cast<uint64_t>(key.step),
                        static_cast<int64_t>(key.purpose));
}

double TrainStream::uniform(const TrainKey& key, uint32_t index) const {
  return static_cast<double>(word64(counter(key), index) >> 11) * 0x1p-53;
}

uint64_t TrainStream::below(const TrainKey& key, uint64_t n, uint32_t index) const {
  PURESCOPE_REQUIRE(n >= 1);
  return multiply_high(word64(counter(key), index), n);
}

void TrainStream::normal(const TrainKey& key, float* out, size_t count) const {
  native_normal(counter(key), out, count);
}

void TrainStream::uniform(const TrainKey& key, float* out, size_t count) const {
  native_uniform(counter(key), out, count);
}

// Fisher-Yates from the back: for i = n - 1 ... 1 swap value i with value below(i + 1).
void TrainStream::permutation(const TrainKey& key, int64_t* out, size_t n) const {
  PURESCOPE_REQUIRE(n >> 32 == 0);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<int64_t>(i);
  const NativeCounter c = counter(key);
  for (size_t i = n; i > 1; --i) {
    const auto at = static_cast<uint32_t>(i - 1);
    std::swap(out[at], out[multiply_high(word64(c, at), i)]);
  }
}

}  // namespace purescope
