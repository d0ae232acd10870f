// Tensor cores for a C++ compiler (cuda/tensor.h): each thread of the warp adds up the 16 elements it owns. Factors are rounded as on a
// card; the order in which a card adds the products of one instruction is not documented, here it is ascending.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "cuda/emulator/block.h"

namespace purescope {

struct Tf32 {
  using Value = float;
  static constexpr int kDepth = 8, kStride = 68;
  // To nearest, a tie away from zero.
  static Value rounded(float v) { return std::isnan(v) ? v : std::bit_cast<float>((std::bit_cast<uint32_t>(v) + 0x1000u) & ~0x1fffu); }
};

struct Bf16 {
  class Value {
   public:
    Value() = default;
    explicit Value(uint16_t bits) : bits_(bits) {}
    operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits_) << 16); }

   private:
    uint16_t bits_;
  };
  static constexpr int kDepth = 16, kStride = 72;
  // To nearest, a tie to even.
  static Value rounded(float v) {
    const uint32_t bits = std::bit_cast<uint32_t>(v);
    if (std::isnan(v)) return Value(static_cast<uint16_t>(bits >> 16 | 0x40));
    return Value(static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
  }
};

template <class Number>
class WarpSums {
 public:
  void add(const typename Number::Value* a, const typename Number::Value* b) {
    for (int i = 0; i < 16; ++i)
      for (int k = 0; k < Number::kDepth; ++k)
        sums_[i] += static_cast<float>(a[k * Number::kStride + row(i)]) * static_cast<float>(b[k * Number::kStride + column()]);
  }
  void store(float* to, int stride) const {
    for (int i = 0; i < 16; ++i) to[row(i) * stride + column()] = sums_[i];
  }

 private:
  static int row(int i) { return 2 * i + emulator::lane() / 16; }
  static int column() { return emulator::lane() % 16; }

  float sums_[16] = {};
};

}  // namespace purescope
