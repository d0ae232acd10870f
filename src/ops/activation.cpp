// SiLU and ReLU, element by element.
#include <algorithm>

#include "core/parallel.h"
#include "core/simd.h"
#include "ops/ops.h"
#include "ops/silu.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr size_t kBlock = 1 << 14;  // values per task; every value is computed alone, so the edges change nothing

// Calls run(first, count) over blocks of `size` values.
template <class Run>
void for_blocks(size_t size, const Run& run) {
  parallel_for(static_cast<int>((size + kBlock - 1) / kBlock), [&](int task) {
    const size_t first = task * kBlock;
    run(first, first + kBlock < size ? kBlock : size - first);
  });
}

PURESCOPE_CLONES
void silu_values(const real* x, size_t count, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = silu_value(x[i]);
}

PURESCOPE_CLONES
void silu_gradients(const real* x, const real* dy, size_t count, real* dx) {
  for (size_t i = 0; i < count; ++i) dx[i] = silu_gradient(x[i], dy[i]);
}

PURESCOPE_CLONES
void relu_values(const real* x, size_t count, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = x[i] < 0 ? 0 : x[i];  // NaN stays NaN
}

PURESCOPE_CLONES
void relu_gradients(const real* y, const real* dy, size_t count, real* dx) {
  for (size_t i = 0; i < count; ++i) dx[i] = y[i] > 0 ? dy[i] : 0;
}

// Eight values to a byte.
PURESCOPE_CLONES
void pack_signs(const real* y, size_t bytes, unsigned char* bits) {
  for (size_t i = 0; i < bytes; ++i) {
    unsigned byte = 0;
    for (int k = 0; k < 8; ++k) byte |= static_cast<unsigned>(y[8 * i + k] > 0) << k;
    bits[i] = static_cast<unsigned char>(byte);
  }
}

PURESCOPE_CLONES
void masked_by_bits(const unsigned char* bits, const real* dy, size_t bytes, real* dx) {
  for (size_t i = 0; i < bytes; ++i)
    for (int k = 0; k < 8; ++k) dx[8 * i + k] = bits[i] >> k & 1 ? dy[8 * i + k] : 0;
}

}  // namespace

namespace cpu {

void silu_forward(View x, View y) {
  for_blocks(x.size(), [&](size_t first, size_t count) { silu_values(x.data + first, count, y.data + first); });
}

void silu_backward(View x, View dy, View dx) {
  for_blocks(x.size(), [&](size_t first, size_t count) { silu_gradients(x.data + first, dy.data + first, count, dx.data + first); });
}

void relu_forward(View x, View y) {
  for_blocks(x.size(), [&](size_t first, size_t count) { relu_values(x.data + first, count, y.data + first); });
}

void relu_backward(View y, View dy, View dx) {
  for_blocks(y.size(), [&](size_t first, size_t count) { relu_gradients(y.data + first, dy.data + first, count, dx.data + first); });
}

void sign_bits_forward(View y, View bits) {
  const size_t size = y.image_size(), whole = size / 8, bytes = bits.image_size() * sizeof(real);
  parallel_for(y.n, [&](int n) {
    unsigned char* to = reinterpret_cast<unsigned char*>(bits.image(n));
    pack_signs(y.image(n), whole, to);
    std::fill(to + whole, to + bytes, 0);
    for (size_t i = 8 * whole; i < size; ++i) to[whole] |= static_cast<unsigned char>((y.image(n)[i] > 0) << i % 8);
  });
}

void sign_bits_backward(View bits, View dy, View dx) {
  const size_t size = dy.image_size(), whole = size / 8;
  parallel_for(dy.n, [&](int n) {
    const unsigned char* from = reinterpret_cast<const unsigned char*>(bits.image(n));
    masked_by_bits(from, dy.image(n), whole, dx.image(n));
    for (size_t i = 8 * whole; i < size; ++i) dx.image(n)[i] = from[whole] >> i % 8 & 1 ? dy.image(n)[i] : 0;
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
