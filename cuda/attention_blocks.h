// Attention for --math fast: scores exist only as tiles of 64 x 64 in shared memory, never as a matrix of T x T. Two kernels do all of it.
//   row_statistics   of each query i, by blocks of keys with running values: m_i = max_j S_ij, l_i = sum_j exp(S_ij - m_i), and for the
//                    gradient D_i = sum_j P_ij dP_ij;  kept: m, 1 / l, D
//   weighted_sum     out_cx = alpha sum_y a_cy W_yx, the weights computed again tile by tile from scores and statistics:
//                    W = P = exp(S - m) / l, or W = dS = P (dP - D)
//     y_ci = sum_j v_cj P_ij      dv_cj = sum_i dy_ci P_ij      dq_ci = scale sum_j k_cj dS_ij      dk_cj = scale sum_i q_ci dS_ij
// Blocks go through keys (or queries) in ascending order and a value belongs to one thread or warp: no atomics, the same bits for every
// batch. After the running statistics of Milakov and Gimelshein 2018 and the recomputation of Dao et al. 2022 (FlashAttention).
#pragma once
#include <cmath>

#include "cuda/attention_heads.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {

constexpr int kPerTile = kTile * kTile / kThreads;  // values of a tile per thread
constexpr int kLanesPerRow = kThreads / kTile;
constexpr int kStatistics = 3;  // m, 1 / l, D

#if !PURESCOPE_REAL_IS_DOUBLE

// Shared memory of a block: slices of the factors, a tile of scores.
template <class Sums>
struct Tiles {
  alignas(32) typename Sums::Value a[kDepth][Sums::kStride], b[kDepth][Sums::kStride];
  alignas(32) float scores[kTile][kTile + kPerThread];
};

// scores[m][j] = sum over `depth` of line row + m of a times line column + j of b. Ends when all threads may read them.
template <class Sums>
__device__ void score_tile(const Columns& a, const Columns& b, int row, int column, int positions, int depth, Tiles<Sums>& tiles) {
  Feed<Columns> feed_a, feed_b;
  feed_a.begin(a, blockIdx.z, row, positions);
  feed_b.begin(b, blockIdx.z, column, positions);
  Sums sums;
  add_products(sums, feed_a, a, feed_b, b, depth, tiles.a, tiles.b);
  sums.store(tiles.scores);
  __syncthreads();
}

// of(x) over the kLanesPerRow neighbouring threads that share a row, the same in each of them.
template <class T, class Join>
__device__ T over_row(T value, const Join& join) {
  for (int step = kLanesPerRow / 2; step > 0; step /= 2) value = join(value, __shfl_xor_sync(~0u, value, step));
  return value;
}

// Statistics of 64 queries. kGradient: also D, from dy and v. statistics[z][kStatistics][positions].
template <class Sums, bool kGradient>
__global__ __launch_bounds__(kThreads) void row_statistics_kernel(int positions, int size, real scale, Columns q, Columns k, Columns dy,
                                                                  Columns v, real* statistics) {
  __shared__ Tiles<Sums> tiles;
  const int first = blockIdx.x * kTile, line = threadIdx.x / kLanesPerRow, lane = threadIdx.x % kLanesPerRow;
  const auto sum = [](accum a, accum b) { return a + b; };
  const auto larger = [](real a, real b) { return a != a || a > b ? a : b; };
  real largest = -INFINITY;
  accum total = 0, dot = 0;
  for (int key = 0; key < positions; key += kTile) {
    score_tile(q, k, first, key, positions, size, tiles);
    real e[kPerTile], top = largest;
PURESCOPE_UNROLL
    for (int i = 0; i < kPerTile; ++i) {
      const int j = lane + i * kLanesPerRow;
      e[i] = key + j < positions ? scale * tiles.scores[line][j] : real(-INFINITY);
      top = larger(e[i], top);
    }
    top = over_row(top, larger);
    const accum shrink = std::exp(largest - top);
    total *= shrink;
    dot *= shrink;
    largest = top;
PURESCOPE_UNROLL
    for (int i = 0; i < kPerTile; ++i) {
      e[i] = key + lane + i * kLanesPerRow < positions ? std::exp(e[i] - top) : real(0);
      total += e[i];
    }
    if constexpr (kGradient) {
      score_tile(dy, v, first, key, positions, size, tiles);
PURESCOPE_UNROLL
      for (int i = 0; i < kPerTile; ++i) dot += e[i] * tiles.scores[line][lane + i * kLanesPerRow];
    }
  }
  total = over_row(total, sum);
  dot = over_row(dot, sum);
  if (lane != 0 || first + line >= positions) return;
  real* to = statistics + static_cast<size_t>(blockIdx.z) * kStatistics * positions + first + line;
  to[0] = largest;
  to[positions] = static_cast<real>(1 / total);
  to[2 * positions] = static_cast<real>(dot / total);
}

// One array on either side of the scores: what is multiplied to S, and to dP where the weights are dS.
struct Side { Columns scores, gradient; };

// 64 positions x of the output, kWide * 64 channels; y runs over the positions of the sum. kQueries: x are queries and y keys, else the
// other way round. kGradient: W = dS, else P. One block per multiprocessor is enough: asked for more, the compiler spills registers.
template <class Sums, bool kGradient, bool kQueries, int kWide>
__global__ __launch_bounds__(kThreads, 1) void weighted_sum_kernel(int positions, int size, real scale, Side x, Side y,
                                                                   const real* statistics, Rows from, Store to) {
  __shared__ Tiles<Sums> tiles;
  alignas(32) __shared__ typename Sums::Value weights[kTile][Sums::kStride];
  const int column = blockIdx.x * kTile, channel = blockIdx.y * kTile * kWide, j = threadIdx.x % kTile;
  statistics += static_cast<size_t>(blockIdx.z) * kStatistics * positions;
  Sums sums[kWide];
  for (int row = 0; row < positions; row += kTile) {
    score_tile(y.scores, x.scores, row, column, positions, size, tiles);
PURESCOPE_ROLLED
    for (int m = threadIdx.x / kTile; m < kTile; m += kLanesPerRow) {
      const int query = kQueries ? column + j : row + m;
      const bool inside = row + m < positions && column + j < positions;
      const real p = inside ? std::exp(scale * tiles.scores[m][j] - statistics[query]) * statistics[positions + query] : real(0);
      weights[m][j] = Sums::rounded(p);
    }
    if constexpr (kGradient) {
      score_tile(y.gradient, x.gradient, row, column, positions, size, tiles);
PURESCOPE_ROLLED
      for (int m = threadIdx.x / kTile; m < kTile; m += kLanesPerRow) {
        const int query = kQueries ? column + j : row + m;
        const bool inside = row + m < positions && column + j < positions;
        const real p = static_cast<float>(weights[m][j]);
        if (inside) weights[m][j] = Sums::rounded(p * (tiles.scores[m][j] - statistics[2 * positions + query]));
      }
    }
PURESCOPE_ROLLED
    for (int d = 0; d < kTile; d += kDepth) {
PURESCOPE_UNROLL
      for (int part = 0; part < kWide; ++part) {
        if (channel + part * kTile >= size) continue;  // all threads alike
        Feed<Rows> feed;
        feed.begin(from, blockIdx.z, channel + part * kTile, size);
        feed.fetch(from, row + d, positions);
        feed.template put<Sums>(tiles.a);
        __syncthreads();
        sums[part].add(tiles.a, &weights[d]);
        __syncthreads();  // the slice, and after the last one the weights, are overwritten next
      }
    }
  }
PURESCOPE_UNROLL
  for (int part = 0; part < kWide; ++part) {
    sums[part].store(tiles.scores);
    __syncthreads();
    for (int i = threadIdx.x; i < kTile * kTile; i += kThreads) {
      const int c = channel + part * kTile + i / kTile, at = column + i % kTile;
      if (c < size && at < positions) to(blockIdx.z, c, at, tiles.scores[i / kTile][i % kTile]);
    }
    __syncthreads();
  }
}

// Arrays of a run; null: not there, or not wanted.
struct AttentionArrays { const Part *q, *k, *v, *dy, *y, *dq, *dk, *dv; };

template <class Sums>
struct BlockAttention {
  const Heads& h;
  const AttentionArrays& a;
  real* statistics;

  static unsigned tiles(int size, int tile = kTile) { return static_cast<unsigned>((size + tile - 1) / tile); }
  Columns at(const Part* p) const { return h.by_position(*p); }

  template <bool kGradient>
  void rows() const {
    const Columns unused{};
    PURESCOPE_LAUNCH((row_statistics_kernel<Sums, kGradient>), dim3(tiles(h.positions), 1, h.count), kThreads, 0)
    (h.positions, h.size, h.scale, at(a.q), at(a.k), kGradient ? at(a.dy) : unused, kGradient ? at(a.v) : unused, statistics);
  }
  template <bool kGradient, bool kQueries, int kWide>
  void launch(const Part* from, const Part* to, real alpha) const {
    const Side query{at(a.q), kGradient ? at(a.dy) : Columns{}}, key{at(a.k), kGradient ? at(a.v) : Columns{}};
    PURESCOPE_LAUNCH((weighted_sum_kernel<Sums, kGradient, kQueries, kWide>), dim3(tiles(h.positions), tiles(h.size, kTile * kWide), h.count),
                     kThreads, 0)
    (h.positions, h.size, h.scale, kQueries ? query : key, kQueries ? key : query, statistics, h.by_channel(*from), h.store(*to, alpha));
  }
  // A head of more channels has its scores computed once for four tiles of them.
  template <bool kGradient, bool kQueries>
  void sum(const Part* from, const Part* to, real alpha) const {
    if (!to) return;
    if (h.size <= kTile) launch<kGradient, kQueries, 1>(from, to, alpha);
    else launch<kGradient, kQueries, 4>(from, to, alpha);
  }
  void run() const {
    const bool scores = a.dq || a.dk;
    if (scores) rows<true>();
    else rows<false>();
    sum<false, true>(a.v, a.y, 1);
    sum<false, false>(a.dy, a.dv, 1);
    sum<true, true>(a.k, a.dq, h.scale);
    sum<true, false>(a.q, a.dk, h.scale);
  }
};

// Everything of `a` that is wanted, in the arithmetic of the process. statistics: count * kStatistics * positions values.
inline void attend_by_blocks(const Heads& h, const AttentionArrays& a, real* statistics) {
  if (current_math() == MathMode::Tf32) return BlockAttention<TensorSums<Tf32>>{h, a, statistics}.run();
  if (current_math() == MathMode::Bf16) return BlockAttention<TensorSums<Bf16>>{h, a, statistics}.run();
  BlockAttention<ThreadSums>{h, a, statistics}.run();
}

#endif

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
