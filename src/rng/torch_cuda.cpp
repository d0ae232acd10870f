#include "rng/torch_cuda.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.h"
#include "rng/cephes.h"
#include "rng/fma_clones.h"
#include "rng/philox.h"

namespace purescope {

namespace {
constexpr int kBlock = 256;  // threads per CUDA block; T is a multiple of it, so a piece of 256 elements has one lane
constexpr float kTwoPiScaled = 0x1p-32f * static_cast<float>(2.0 * std::numbers::pi);

// The word rounded to float, from its exact halves: CPUs without AVX-512 convert only signed integers in vectors.
inline float rounded(uint32_t word) {
  const auto high = static_cast<int32_t>(word >> 16), low = static_cast<int32_t>(word & 0xffff);
  return std::fma(static_cast<float>(high), 65536.0f, static_cast<float>(low));
}

// (0, 1] from a word: (float(word) 2^-32 + 2^-33) in one rounding.
PURESCOPE_FMA_CLONES
void unit_lanes(const uint32_t* __restrict words, float* __restrict out, int count) {
  for (int i = 0; i < count; ++i) out[i] = std::fma(rounded(words[i]), 0x1p-32f, 0x1p-33f);
}

// radius = sqrt(-2 ln u(first)), out = radius sin v or radius cos v, v = 2 pi (second + 1/2) 2^-32.
PURESCOPE_FMA_CLONES
void normal_lanes(const uint32_t* first, const uint32_t* second, bool cosine_branch, float* out, int count) {
  float u[kBlock], radius[kBlock], angle[kBlock], sine[kBlock], cosine[kBlock];
  unit_lanes(first, u, count);
  log_lanes(u, radius, count);
  for (int i = 0; i < count; ++i) {
    angle[i] = std::fma(rounded(second[i]), kTwoPiScaled, kTwoPiScaled / 2.0f);
    radius[i] = std::sqrt(-2.0f * radius[i]);
  }
  sincos_lanes(angle, sine, cosine, count);
  const float* factor = cosine_branch ? cosine : sine;
  for (int i = 0; i < count; ++i) out[i] = radius[i] * factor[i];
}

// A word and its upper neighbour as the 53 bits cuRAND mixes: low ^ (high << 21).
uint64_t mixed_bits(uint32_t low, uint32_t high) { return static_cast<uint64_t>(high) << 21 ^ low; }
}  // namespace

uint64_t cuda_thread_count(const CudaLayout& layout, uint64_t n) {
  const uint64_t most = static_cast<uint64_t>(layout.sm) * static_cast<uint64_t>(layout.threads / kBlock);
  return kBlock * std::min((n + kBlock - 1) / kBlock, most);
}

// Up to 256 elements from `first` on, which all use value `lane` of their blocks; words[k][j] is word k of element j.
struct TorchCudaGenerator::Piece {
  size_t first;
  int count, lane;
  uint32_t words[4][kBlock];
};

TorchCudaGenerator::TorchCudaGenerator(uint64_t seed, CudaLayout layout, uint64_t offset)
    : seed_(seed), offset_(offset), layout_(layout) {
  PURESCOPE_REQUIRE(layout.sm >= 1 && layout.threads >= kBlock && offset % 4 == 0);
}

// Calls fill(piece) for elements 0..n-1 in order and moves the offset.
template <typename Fill>
void TorchCudaGenerator::for_each_piece(size_t n, int values_per_block, Fill fill) {
  if (n == 0) return;
  const uint64_t threads = cuda_thread_count(layout_, n), per_turn = threads * static_cast<uint64_t>(values_per_block);
  Piece piece;
  for (size_t i = 0; i < n; i += kBlock) {
    piece.first = i;
    piece.count = static_cast<int>(std::min<size_t>(kBlock, n - i));
    piece.lane = static_cast<int>(i / threads % static_cast<uint64_t>(values_per_block));
    const uint64_t block = offset_ / 4 + i / per_turn, thread = i % threads;
    for (int j = 0; j < piece.count; ++j) {
      piece.words[0][j] = static_cast<uint32_t>(block);
      piece.words[1][j] = static_cast<uint32_t>(block >> 32);
      piece.words[2][j] = static_cast<uint32_t>(thread + static_cast<uint64_t>(j));
      piece.words[3][j] = static_cast<uint32_t>((thread + static_cast<uint64_t>(j)) >> 32);
    }
    philox_lanes(seed_, piece.words[0], piece.words[1], piece.words[2], piece.words[3], piece.count);
    fill(piece);
  }
  offset_ += ((n - 1) / per_turn + 1) * 4;
}

void TorchCudaGenerator::rand(float* out, size_t n) { uniform(out, n, 0.0f, 1.0f); }

// x (hi - lo) + lo with x in (0, 1]; a result equal to hi becomes lo, which turns (lo, hi] into [lo, hi).
void TorchCudaGenerator::uniform(float* out, size_t n, float lo, float hi) {
  const float range = hi - lo;
  for_each_piece(n, 4, [&](const Piece& piece) {
    float* to = out + piece.first;
    unit_lanes(piece.words[piece.lane], to, piece.count);
    for (int j = 0; j < piece.count; ++j) {
      const float value = std::fma(to[j], range, lo);
      to[j] = value == hi ? lo : value;
    }
  });
}

void TorchCudaGenerator::randn(float* out, size_t n) {
  for_each_piece(n, 4, [&](const Piece& piece) {
    const int pair = piece.lane / 2 * 2;
    normal_lanes(piece.words[pair], piece.words[pair + 1], piece.lane % 2 == 1, out + piece.first, piece.count);
  });
}

// u = zx 2^-53 + 2^-54, v = zy 2^-52 + 2^-53; s = sqrt(-2 ln u); values s sin(pi v), s cos(pi v).
void TorchCudaGenerator::randn(double* out, size_t n) {
  for_each_piece(n, 2, [&](const Piece& piece) {
    for (int j = 0; j < piece.count; ++j) {
      const uint64_t zx = mixed_bits(piece.words[0][j], piece.words[1][j]);
      const uint64_t zy = mixed_bits(piece.words[2][j], piece.words[3][j]);
      const double u = static_cast<double>(zx) * 0x1p-53 + 0x1p-54, v = static_cast<double>(zy) * 0x1p-52 + 0x1p-53;
      const double radius = std::sqrt(-2.0 * std::log(u)), angle = std::numbers::pi * v;
      out[piece.first + j] = radius * (piece.lane == 0 ? std::sin(angle) : std::cos(angle));
    }
  });
}

void TorchCudaGenerator::randint(int64_t* out, size_t n, int64_t lo, int64_t hi) {
  PURESCOPE_REQUIRE(lo < hi);
  const uint64_t range = static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo);
  const bool wide = range >> 28 != 0;
  for_each_piece(n, wide ? 2 : 4, [&](const Piece& piece) {
    for (int j = 0; j < piece.count; ++j) {
      const int w = wide ? 2 * piece.lane : piece.lane;
      const uint64_t draw = wide ? static_cast<uint64_t>(piece.words[w][j]) << 32 | piece.words[w + 1][j]
                                 : piece.words[w][j];
      out[piece.first + j] = static_cast<int64_t>(draw % range + static_cast<uint64_t>(lo));
    }
  });
}

}  // namespace purescope
