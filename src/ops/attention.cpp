// Attention over all positions of a picture, one matrix of T x T at a time (T = h * w), T in row-major order.
//   S_ij = scale * sum_c q_ci k_cj,  P = softmax over j,  y_ci = sum_j v_cj P_ij
#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "ops/gemm.h"
#include "ops/ops.h"
#include "ops/vector_exp.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kQueryBlock = 64;  // query positions per forward task

real* scratch(size_t count, int slot) { return static_cast<real*>(thread_scratch(count * sizeof(real), slot)); }

PURESCOPE_CLONES
void exponentials(real* row, int count, real largest) {
  for (int j = 0; j < count; ++j) row[j] = vector_exp(row[j] - largest);
}

// In place: each of `rows` rows becomes softmax(row).
void softmax_rows(real* s, int rows, int count) {
  for (int i = 0; i < rows; ++i, s += count) {
    exponentials(s, count, *std::max_element(s, s + count));
    accum total = 0;
    for (int j = 0; j < count; ++j) total += s[j];
    const real factor = static_cast<real>(1 / total);
    for (int j = 0; j < count; ++j) s[j] *= factor;
  }
}

// P for query positions [first, first + count) of one head.
void probabilities(const Attention& s, const real* q, const real* k, int size, int positions, int first, int count, real* p) {
  gemm(true, false, count, positions, size, static_cast<real>(s.scale), q + first, positions, k, positions, 0, p, positions);
  softmax_rows(p, count, positions);
}

}  // namespace

namespace cpu {

void attention_forward(const Attention& s, View q, View k, View v, View y) {
  PURESCOPE_REQUIRE(q.c == s.channels && s.channels % s.heads == 0);
  const int size = s.channels / s.heads, positions = q.h * q.w, blocks = (positions + kQueryBlock - 1) / kQueryBlock;
  parallel_for(q.n * s.heads * blocks, [&](int task) {
    const int first = task % blocks * kQueryBlock, count = std::min(kQueryBlock, positions - first);
    const int n = task / blocks / s.heads, c = task / blocks % s.heads * size;
    real* p = scratch(static_cast<size_t>(count) * positions, 0);
    probabilities(s, q.plane(n, c), k.plane(n, c), size, positions, first, count, p);
    gemm(false, true, size, count, positions, 1, v.plane(n, c), positions, p, positions, 0, y.plane(n, c) + first, positions);
  });
}

void attention_backward(const Attention& s, View q, View k, View v, View dy, View dq, View dk, View dv) {
  const int size = s.channels / s.heads, positions = q.h * q.w;
  const size_t square = static_cast<size_t>(positions) * positions;
  const real scale = static_cast<real>(s.scale);
  parallel_for(q.n * s.heads, [&](int task) {
    const int n = task / s.heads, c = task % s.heads * size;
    real *p = scratch(square, 0), *ds = scratch(square, 1);
    probabilities(s, q.plane(n, c), k.plane(n, c), size, positions, 0, positions, p);
    if (!dv.empty()) gemm(false, false, size, positions, positions, 1, dy.plane(n, c), positions, p, positions, 0, dv.plane(n, c), positions);
    if (dq.empty() && dk.empty()) return;
    gemm(true, false, positions, positions, size, 1, dy.plane(n, c), positions, v.plane(n, c), positions, 0, ds, positions);
    for (int i = 0; i < positions; ++i) {
      real *row = ds + static_cast<size_t>(i) * positions, *prob = p + static_cast<size_t>(i) * positions;
      accum dot = 0;
      for (int j = 0; j < positions; ++j) dot += row[j] * prob[j];
      for (int j = 0; j < positions; ++j) row[j] = prob[j] * (row[j] - static_cast<real>(dot));
    }
    if (!dq.empty()) gemm(false, true, size, positions, positions, scale, k.plane(n, c), positions, ds, positions, 0, dq.plane(n, c), positions);
    if (!dk.empty()) gemm(false, false, size, positions, positions, scale, q.plane(n, c), positions, ds, positions, 0, dk.plane(n, c), positions);
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
