// Attention over all positions of a picture, one matrix of T x T per image and head (T = h * w), as many at a time as the workspace holds.
//   S_ij = scale * sum_c q_ci k_cj,  P = softmax over j,  y_ci = sum_j v_cj P_ij
//   dv_cj = sum_i dy_ci P_ij;  dP_ij = sum_c dy_ci v_cj;  dS = P * (dP - rowsum(dP * P));
//   dq_ci = scale * sum_j k_cj dS_ij;  dk_cj = scale * sum_i q_ci dS_ij
// Channels of a head are contiguous, so matrix z = image * heads + head of q begins at z * size * T.
#include "core/check.h"
#include "cuda/gemm.h"
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <algorithm>
#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

constexpr size_t kSquareBytes = size_t{64} << 20;  // workspace for P, and as much for dS; at least one matrix each

// In place: each row of `count` becomes softmax(row). One block per row.
__global__ void softmax_kernel(real* rows, int count) {
  real* row = rows + static_cast<size_t>(blockIdx.x) * count;
  real largest = row[0];
  for (int j = threadIdx.x; j < count; j += kThreads) largest = row[j] != row[j] || row[j] > largest ? row[j] : largest;
  largest = block_max(largest);
  accum total = 0;
  for (int j = threadIdx.x; j < count; j += kThreads) {
    const real e = std::exp(row[j] - largest);
    row[j] = e;
    total += e;
  }
  const real factor = static_cast<real>(1 / block_sum(total));
  for (int j = threadIdx.x; j < count; j += kThreads) row[j] *= factor;
}

// ds = p * (ds - sum(ds * p)) per row. One block per row.
__global__ void softmax_backward_kernel(const real* p, real* ds, int count) {
  p += static_cast<size_t>(blockIdx.x) * count;
  ds += static_cast<size_t>(blockIdx.x) * count;
  accum dot = 0;
  for (int j = threadIdx.x; j < count; j += kThreads) dot += ds[j] * p[j];
  const real sum = static_cast<real>(block_sum(dot));
  for (int j = threadIdx.x; j < count; j += kThreads) ds[j] = p[j] * (ds[j] - sum);
}

// Where the matrices of a run lie: matrix z begins at data + z * next.
struct Part { real* data; size_t next; };

// One run of matrices [first, first + count): sizes, and where the parts of an array begin.
struct Heads {
  int count, size, positions;
  size_t first;
  real scale;
  size_t matrix() const { return static_cast<size_t>(size) * positions; }
  size_t square() const { return static_cast<size_t>(positions) * positions; }
  // An array that holds one matrix per head, or the `third` of three.
  Part part(View v) const { return {v.data + first * matrix(), matrix()}; }
  Part part(View z, int third) const { return {z.data + (3 * first + third) * matrix(), 3 * matrix()}; }
  // As loaders: line = channel and depth = position, or the other way round.
  Rows by_channel(Part v) const { return {v.data, v.next, static_cast<size_t>(positions), 1}; }
  Columns by_position(Part v) const { return {v.data, v.next, 1, static_cast<size_t>(positions)}; }
  Rows by_row(const real* s) const { return {s, square(), static_cast<size_t>(positions), 1}; }
  Columns by_column(const real* s) const { return {s, square(), 1, static_cast<size_t>(positions)}; }
  Store store(Part v, real alpha) const { return {v.data, v.next, static_cast<size_t>(positions), 1, alpha}; }
  Store store_square(real* s, real alpha) const { return {s, square(), static_cast<size_t>(positions), 1, alpha}; }
};

// Calls run(heads) for runs of matrices whose squares fit the workspace.
template <class Run>
void for_each_run(const Attention& s, int images, int positions, const Run& run) {
  Heads h{0, s.channels / s.heads, positions, 0, static_cast<real>(s.scale)};
  const int all = images * s.heads, together = static_cast<int>(std::clamp<size_t>(kSquareBytes / (h.square() * sizeof(real)), 1, 32768));
  for (int first = 0; first < all; first += together) {
    h.count = std::min(together, all - first);
    h.first = first;
    run(h);
  }
}

// p = P of a run.
void probabilities(const Heads& h, Part q, Part k, real* p) {
  multiply(h.count, h.positions, h.positions, h.size, h.by_position(q), h.by_position(k), h.store_square(p, h.scale));
  PURESCOPE_LAUNCH(softmax_kernel, dim3(h.count * h.positions), kThreads, 0)(p, h.positions);
}

void forward_run(const Heads& h, Part q, Part k, Part v, Part y) {
  real* p = workspace<real>(h.count * h.square(), 0);
  probabilities(h, q, k, p);
  multiply(h.count, h.size, h.positions, h.positions, h.by_channel(v), h.by_row(p), h.store(y, 1));
}

// Null: not wanted.
void backward_run(const Heads& h, Part q, Part k, Part v, Part dy, const Part* dq, const Part* dk, const Part* dv) {
  real *p = workspace<real>(h.count * h.square(), 0), *ds = workspace<real>(h.count * h.square(), 1);
  probabilities(h, q, k, p);
  if (dv) multiply(h.count, h.size, h.positions, h.positions, h.by_channel(dy), h.by_column(p), h.store(*dv, 1));
  if (!dq && !dk) return;
  multiply(h.count, h.positions, h.positions, h.size, h.by_position(dy), h.by_position(v), h.store_square(ds, 1));
  PURESCOPE_LAUNCH(softmax_backward_kernel, dim3(h.count * h.positions), kThreads, 0)(p, ds, h.positions);
  if (dq) multiply(h.count, h.size, h.positions, h.positions, h.by_channel(k), h.by_row(ds), h.store(*dq, h.scale));
  if (dk) multiply(h.count, h.size, h.positions, h.positions, h.by_channel(q), h.by_column(ds), h.store(*dk, h.scale));
}

}  // namespace

void attention_forward(const Attention& s, View q, View k, View v, View y) {
  PURESCOPE_REQUIRE(q.c == s.channels && s.channels % s.heads == 0);
  for_each_run(s, q.n, q.h * q.w, [&](const Heads& h) { forward_run(h, h.part(q), h.part(k), h.part(v), h.part(y)); });
}

void attention_backward(const Attention& s, View q, View k, View v, View dy, View dq, View dk, View dv) {
  for_each_run(s, q.n, q.h * q.w, [&](const Heads& h) {
    const Part to_q = h.part(dq), to_k = h.part(dk), to_v = h.part(dv);
    backward_run(h, h.part(q), h.part(k), h.part(v), h.part(dy), dq.empty() ? nullptr : &to_q, dk.empty() ? nullptr : &to_k,
                 dv.empty() ? nullptr : &to_v);
  });
}

void attention_packed_forward(const Attention& s, View z, View y) {
  PURESCOPE_REQUIRE(z.c == 3 * s.channels && y.c == s.channels && s.channels % s.heads == 0);
  for_each_run(s, z.n, z.h * z.w, [&](const Heads& h) { forward_run(h, h.part(z, 0), h.part(z, 1), h.part(z, 2), h.part(y)); });
}

void attention_packed_backward(const Attention& s, View z, View dy, View dz) {
  for_each_run(s, z.n, z.h * z.w, [&](const Heads& h) {
    const Part dq = h.part(dz, 0), dk = h.part(dz, 1), dv = h.part(dz, 2);
    backward_run(h, h.part(z, 0), h.part(z, 1), h.part(z, 2), h.part(dy), &dq, &dk, &dv);
  });
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
