// The noise streams of rng/torch_cuda.h and rng/native.h, one thread per value: the same words, by the same rules. Keys travel as kernel
// arguments, up to kImages images per launch. Integers and uniforms are the same bits as on the host; normals in torch-cuda form use the
// device's own log, sine and cosine in float, in native form in double.
#include "cuda/launch.h"
#include "ops/ops.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

constexpr int kImages = 64;
constexpr double kPi = 3.14159265358979323846;

struct Words { uint32_t w[4]; };

// rng/philox.h, for device code.
__device__ Words philox_words(uint64_t key, Words c) {
  constexpr uint32_t m0 = kPhiloxMultiplier[0], m1 = kPhiloxMultiplier[1], s0 = kPhiloxKeyStep[0], s1 = kPhiloxKeyStep[1];
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round, k0 += s0, k1 += s1) {
    const uint64_t a = static_cast<uint64_t>(m0) * c.w[0], b = static_cast<uint64_t>(m1) * c.w[2];
    c = {{static_cast<uint32_t>(b >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(b), static_cast<uint32_t>(a >> 32) ^ c.w[3] ^ k1,
          static_cast<uint32_t>(a)}};
  }
  return c;
}

struct TorchKeys { uint64_t seed[kImages]; };
struct NativeKeys { NativeCounter counter[kImages]; };

// (0, 1] from a word, in one rounding.
__device__ float unit(uint32_t word) { return std::fma(static_cast<float>(word), 0x1p-32f, 0x1p-33f); }

// Value i of image blockIdx.y; `threads` is T of the rule in rng/torch_cuda.h.
__global__ void noise_torch_cuda_kernel(NoiseKind kind, TorchKeys keys, uint64_t threads, size_t size, real* z) {
  const size_t i = element();
  if (i >= size) return;
  const uint64_t block = i / (4 * threads), thread = i % threads;
  const int lane = static_cast<int>(i / threads % 4);
  const Words words = philox_words(keys.seed[blockIdx.y], {{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                                            static_cast<uint32_t>(thread), static_cast<uint32_t>(thread >> 32)}});
  float value;
  if (kind == NoiseKind::Uniform) {
    value = unit(words.w[lane]);
    if (value == 1) value = 0;  // (0, 1] becomes [0, 1)
  } else {
    const float scale = 0x1p-32f * static_cast<float>(2 * kPi);
    const int pair = lane / 2 * 2;
    const float radius = std::sqrt(-2 * std::log(unit(words.w[pair])));
    const float angle = std::fma(static_cast<float>(words.w[pair + 1]), scale, scale / 2);
    value = radius * (lane % 2 == 0 ? std::sin(angle) : std::cos(angle));
  }
  z[blockIdx.y * size + i] = value;
}

// The upper 53 bits of two words.
__device__ double upper_bits(uint32_t high, uint32_t low) {
  return static_cast<double>((static_cast<uint64_t>(high) << 32 | low) >> 11);
}

__global__ void noise_native_kernel(NoiseKind kind, NativeKeys keys, size_t size, real* z) {
  const size_t i = element();
  if (i >= size) return;
  const NativeCounter key = keys.counter[blockIdx.y];
  const size_t block = kind == NoiseKind::Uniform ? i / 4 : i / 2;
  const Words words = philox_words(key.key, {{static_cast<uint32_t>(block), key.c1, key.c2, key.c3}});
  float value;
  if (kind == NoiseKind::Uniform) {
    value = static_cast<float>(words.w[i % 4] >> 8) * 0x1p-24f;
  } else {
    const double u = (upper_bits(words.w[0], words.w[1]) + 1) * 0x1p-53,
                 angle = 2 * kPi * (upper_bits(words.w[2], words.w[3]) * 0x1p-53);
    value = static_cast<float>(std::sqrt(-2 * std::log(u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
  }
  z[blockIdx.y * size + i] = value;
}

}  // namespace

void noise_fill_torch_cuda(NoiseKind kind, const uint64_t* seeds, const CudaLayout& layout, View z) {
  const size_t size = z.image_size();
  for (int n = 0; n < z.n; n += kImages) {
    const int count = std::min(kImages, z.n - n);
    TorchKeys keys{};
    std::copy_n(seeds + n, count, keys.seed);
    PURESCOPE_LAUNCH(noise_torch_cuda_kernel, dim3(blocks_of(size).x, count), kThreads, 0)
    (kind, keys, cuda_thread_count(layout, size), size, z.image(n));
  }
}

void noise_fill_native(NoiseKind kind, const NativeCounter* counters, View z) {
  const size_t size = z.image_size();
  for (int n = 0; n < z.n; n += kImages) {
    const int count = std::min(kImages, z.n - n);
    NativeKeys keys{};
    std::copy_n(counters + n, count, keys.counter);
    PURESCOPE_LAUNCH(noise_native_kernel, dim3(blocks_of(size).x, count), kThreads, 0)(kind, keys, size, z.image(n));
  }
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
