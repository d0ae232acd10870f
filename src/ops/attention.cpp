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

// Where the arrays of one head of one image lie; each is [size][positions]. Null: not wanted.
struct Head { const real *q, *k, *v, *dy; real *y, *dq, *dk, *dv; };

void forward_head(const Attention& s, const Head& head, int size, int positions, int first, int count) {
  real* p = scratch(static_cast<size_t>(count) * positions, 0);
  probabilities(s, head.q, head.k, size, positions, first, count, p);
  gemm(false, true, size, count, positions, 1, head.v, positions, p, positions, 0, head.y + first, positions);
}

void backward_head(const Attention& s, const Head& head, int size, int positions) {
  const size_t square = static_cast<size_t>(positions) * positions;
  const real scale = static_cast<real>(s.scale);
  real *p = scratch(square, 0), *ds = scratch(square, 1);
  probabilities(s, head.q, head.k, size, positions, 0, positions, p);
  if (head.dv) gemm(false, false, size, positions, positions, 1, head.dy, positions, p, positions, 0, head.dv, positions);
  if (!head.dq && !head.dk) return;
  gemm(true, false, positions, positions, size, 1, head.dy, positions, head.v, positions, 0, ds, positions);
  for (int i = 0; i < positions; ++i) {
    real *row = ds + static_cast<size_t>(i) * positions, *prob = p + static_cast<size_t>(i) * positions;
    accum dot = 0;
    for (int j = 0; j < positions; ++j) dot += row[j] * prob[j];
    for (int j = 0; j < positions; ++j) row[j] = prob[j] * (row[j] - static_cast<real>(dot));
  }
  if (head.dq) gemm(false, true, size, positions, positions, scale, head.k, positions, ds, positions, 0, head.dq, positions);
  if (head.dk) gemm(false, false, size, positions, positions, scale, head.q, positions, ds, positions, 0, head.dk, positions);
}

// Every head of every image; at(n, i) says where head i of image n lies.
template <class At>
void forward_heads(const Attention& s, int images, int positions, const At& at) {
  const int blocks = (positions + kQueryBlock - 1) / kQueryBlock;
  parallel_for(images * s.heads * blocks, [&](int task) {
    const int first = task % blocks * kQueryBlock, count = std::min(kQueryBlock, positions - first);
    forward_head(s, at(task / blocks / s.heads, task / blocks % s.heads), s.channels / s.heads, positions, first, count);
  });
}

template <class At>
void backward_heads(const Attention& s, int images, int positions, const At& at) {
  parallel_for(images * s.heads, [&](int task) { backward_head(s, at(task / s.heads, task % s.heads), s.channels / s.heads, positions); });
}

// Place of head i in a packed array: q at the first, k at the second, v at the third third of its channels.
real* packed(const Attention& s, View z, int n, int i, int third) {
  const int size = s.channels / s.heads;
  return z.plane(n, (3 * i + third) * size);
}

}  // namespace

namespace cpu {

void attention_forward(const Attention& s, View q, View k, View v, View y) {
  PURESCOPE_REQUIRE(q.c == s.channels && s.channels % s.heads == 0);
  const int size = s.channels / s.heads;
  forward_heads(s, q.n, q.h * q.w, [&](int n, int i) {
    return Head{q.plane(n, i * size), k.plane(n, i * size), v.plane(n, i * size), nullptr, y.plane(n, i * size), nullptr, nullptr, nullptr};
  });
}

void attention_backward(const Attention& s, View q, View k, View v, View dy, View dq, View dk, View dv) {
  const int size = s.channels / s.heads;
  const auto place = [&](View a, int n, int i) { return a.empty() ? nullptr : a.plane(n, i * size); };
  backward_heads(s, q.n, q.h * q.w, [&](int n, int i) {
    return Head{place(q, n, i), place(k, n, i), place(v, n, i), place(dy, n, i), nullptr, place(dq, n, i), place(dk, n, i), place(dv, n, i)};
  });
}

void attention_packed_forward(const Attention& s, View z, View y) {
  PURESCOPE_REQUIRE(z.c == 3 * s.channels && y.c == s.channels && s.channels % s.heads == 0);
  const int size = s.channels / s.heads;
  forward_heads(s, z.n, z.h * z.w, [&](int n, int i) {
    return Head{packed(s, z, n, i, 0), packed(s, z, n, i, 1), packed(s, z, n, i, 2), nullptr, y.plane(n, i * size), nullptr, nullptr, nullptr};
  });
}

void attention_packed_backward(const Attention& s, View z, View dy, View dz) {
  const int size = s.channels / s.heads;
  backward_heads(s, z.n, z.h * z.w, [&](int n, int i) {
    return Head{packed(s, z, n, i, 0), packed(s, z, n, i, 1), packed(s, z, n, i, 2), dy.plane(n, i * size), nullptr,
                packed(s, dz, n, i, 0), packed(s, dz, n, i, 1), packed(s, dz, n, i, 2)};
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
