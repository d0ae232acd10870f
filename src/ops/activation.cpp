// SiLU and ReLU, element by element.
#include "core/parallel.h"
#include "core/simd.h"
#include "ops/ops.h"
#include "ops/vector_exp.h"

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
  for (size_t i = 0; i < count; ++i) y[i] = x[i] / (1 + vector_exp(-x[i]));
}

PURESCOPE_CLONES
void silu_gradients(const real* x, const real* dy, size_t count, real* dx) {
  for (size_t i = 0; i < count; ++i) {
    const real s = 1 / (1 + vector_exp(-x[i]));
    dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
  }
}

PURESCOPE_CLONES
void relu_values(const real* x, size_t count, real* y) {
  for (size_t i = 0; i < count; ++i) y[i] = x[i] < 0 ? 0 : x[i];  // NaN stays NaN
}

PURESCOPE_CLONES
void relu_gradients(const real* y, const real* dy, size_t count, real* dx) {
  for (size_t i = 0; i < count; ++i) dx[i] = y[i] > 0 ? dy[i] : 0;
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

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
