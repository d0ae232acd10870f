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

constexpr int kBlock = 64;  // positions per task

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

// dP becomes dS = P (dP - sum_j dP_ij P_ij), in place.
void softmax_backward_rows(const real* p, int rows, int count, real* d) {
  for (int i = 0; i < rows; ++i, p += count, d += count) {
    accum dot = 0;
    for (int j = 0; j < count; ++j) dot += d[j] * p[j];
    for (int j = 0; j < count; ++j) d[j] = p[j] * (d[j] - static_cast<real>(dot));
  }
}

// task(first, count) for blocks of positions, in parallel unless the heads already are.
template <class Task>
void for_blocks(int positions, const Task& task) {
  parallel_for((positions + kBlock - 1) / kBlock, [&](int block) { task(block * kBlock, std::min(kBlock, positions - block * kBlock)); });
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

// Two rounds: rows of P and dS by blocks of queries, then what is summed over the queries by blocks of keys.
void backward_head(const Attention& s, const Head& head, int size, int positions) {
  const size_t square = static_cast<size_t>(positions) * positions;
  const real scale = static_cast<real>(s.scale);
  const bool wants_scores = head.dq || head.dk;
  real *p = scratch(square, 0), *ds = wants_scores ? scratch(square, 1) : nullptr;
  for_blocks(positions, [&](int first, int count) {
    real* p_rows = p + static_cast<size_t>(first) * positions;
    probabilities(s, head.q, head.k, size, positions, first, count, p_rows);
    if (!wants_scores) return;
    real* ds_rows = ds + static_cast<size_t>(first) * positions;
    gemm(true, false, count, positions, size, 1, head.dy + first, positions, head.v, positions, 0, ds_rows, positions);
    softmax_backward_rows(p_rows, count, positions, ds_rows);
    if (head.dq) gemm(false, true, size, count, positions, scale, head.k, positions, ds_rows, positions, 0, head.dq + first, positions);
  });
  for_blocks(positions, [&](int first, int count) {
    if (head.dv) gemm(false, false, size, count, positions, 1, head.dy, positions, p + first, positions, 0, head.dv + first, positions);
    if (head.dk) gemm(false, false, size, count, positions, scale, head.q, positions, ds + first, positions, 0, head.dk + first, positions);
  });
}

// Every head of every image; at(n, i) says where head i of image n lies.
template <class At>
void forward_heads(const Attention& s, int images, int positions, const At& at) {
  const int blocks = (positions + kBlock - 1) / kBlock;
  parallel_for(images * s.heads * blocks, [&](int task) {
    const int first = task % blocks * kBlock, count = std::min(kBlock, positions - first);
    forward_head(s, at(task / blocks / s.heads, task / blocks % s.heads), s.channels / s.heads, positions, first, count);
  });
}

template <class At>
void backward_heads(const Attention& s, int images, int positions, const At& at) {
  const auto one = [&](int task) { backward_head(s, at(task / s.heads, task % s.heads), s.channels / s.heads, positions); };
  // Blocks are the same either way, and so are the bits.
  if (images * s.heads >= thread_count()) return parallel_for(images * s.heads, one);
  for (int task = 0; task < images * s.heads; ++task) one(task);
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
