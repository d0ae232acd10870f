// Attention over all positions of a picture, T = h * w. Exact: one matrix of T x T per image and head, as many at a time as the workspace
// holds. --math fast: by blocks, without that matrix (attention_blocks.h).
//   S_ij = scale * sum_c q_ci k_cj,  P = softmax over j,  y_ci = sum_j v_cj P_ij
//   dv_cj = sum_i dy_ci P_ij;  dP_ij = sum_c dy_ci v_cj;  dS = P * (dP - rowsum(dP * P));
//   dq_ci = scale * sum_j k_cj dS_ij;  dk_cj = scale * sum_i q_ci dS_ij
// Channels of a head are contiguous, so matrix z = image * heads + head of q begins at z * size * T.
#include "core/check.h"
#include "cuda/attention_blocks.h"
#include "cuda/reduce.h"

#include <algorithm>
#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;  // for P, and as much for dS (by blocks: for the statistics); at least one matrix each

// In double there is no other arithmetic than the exact one.
bool by_blocks() { return sizeof(real) == sizeof(float) && current_math() != MathMode::Exact; }

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

// Calls run(heads) for runs of matrices whose squares, or statistics, fit the workspace.
template <class Run>
void for_each_run(const Attention& s, int images, int positions, const Run& run) {
  Heads h{0, s.channels / s.heads, positions, 0, static_cast<real>(s.scale)};
  const size_t bytes = (by_blocks() ? kStatistics * static_cast<size_t>(positions) : h.square()) * sizeof(real);
  const int all = images * s.heads, together = static_cast<int>(std::clamp<size_t>(kWorkspaceBytes / bytes, 1, 32768));
  for (int first = 0; first < all; first += together) {
    h.count = std::min(together, all - first);
    h.first = first;
    run(h);
  }
}

#if !PURESCOPE_REAL_IS_DOUBLE
void run_by_blocks(const Heads& h, const AttentionArrays& a) {
  attend_by_blocks(h, a, workspace<real>(static_cast<size_t>(h.count) * kStatistics * h.positions, 0));
}
#endif

// p = P of a run.
void probabilities(const Heads& h, Part q, Part k, real* p) {
  multiply(h.count, h.positions, h.positions, h.size, h.by_position(q), h.by_position(k), h.store_square(p, h.scale));
  PURESCOPE_LAUNCH(softmax_kernel, dim3(h.count * h.positions), kThreads, 0)(p, h.positions);
}

void forward_run(const Heads& h, Part q, Part k, Part v, Part y) {
#if !PURESCOPE_REAL_IS_DOUBLE
  if (by_blocks()) return run_by_blocks(h, {.q = &q, .k = &k, .v = &v, .dy = nullptr, .y = &y, .dq = nullptr, .dk = nullptr, .dv = nullptr});
#endif
  real* p = workspace<real>(h.count * h.square(), 0);
  probabilities(h, q, k, p);
  multiply(h.count, h.size, h.positions, h.positions, h.by_channel(v), h.by_row(p), h.store(y, 1));
}

// Null: not wanted.
void backward_run(const Heads& h, Part q, Part k, Part v, Part dy, const Part* dq, const Part* dk, const Part* dv) {
#if !PURESCOPE_REAL_IS_DOUBLE
  if (by_blocks()) return run_by_blocks(h, {.q = &q, .k = &k, .v = &v, .dy = &dy, .y = nullptr, .dq = dq, .dk = dk, .dv = dv});
#endif
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
