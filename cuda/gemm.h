// The one product of matrices behind convolution, linear layers and attention:
//   C(z, m, j) = sum_k A(z, m, k) B(z, k, j),  k ascending,
// by tiles of 64 x 64 in shared memory, 4 x 4 sums per thread. A and B are given by loaders, so that a gathered matrix (a convolution)
// never exists in memory, and C by a store. The order of every sum depends on nothing but k: columns may therefore run over all images of
// a batch, and image k of a batch still gets the same bits as image k alone. (A library promises no such thing: its choice of kernel
// depends on the sizes.) Element (m, j) is computed by one thread, so there is nothing to reduce afterwards.
//
// A loader has
//   kAlongDepth   whether neighbours in k (else in the line: m for A, j for B) are neighbours in memory; decides how threads share a load
//   Line          what is worked out once per line
//   line(z, i)    of line i of matrix z;   load(Line, k)   one value
#pragma once
#include "cuda/launch.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {

constexpr int kTile = 64, kDepth = 16, kPerThread = 4, kSide = kTile / kPerThread;
static_assert(kSide * kSide == kThreads && kTile * kDepth == kPerThread * kThreads);

// A plain matrix: line i, depth k of matrix z is data[z * next + i * line_stride + k * depth_stride].
template <bool kRowsContiguous>
struct Matrix {
  static constexpr bool kAlongDepth = kRowsContiguous;
  using Line = const real*;
  const real* data;
  size_t next, line_stride, depth_stride;
  __device__ Line line(int z, int i) const { return data + z * next + i * line_stride; }
  __device__ real load(Line from, int k) const { return from[k * depth_stride]; }
};
using Rows = Matrix<true>;      // depth_stride is 1
using Columns = Matrix<false>;  // line_stride is 1

// C as a plain matrix times alpha, overwritten or added to.
struct Store {
  real* data;
  size_t next, row_stride, column_stride;
  real alpha = 1;
  bool add = false;
  __device__ void operator()(int z, int m, int j, real value) const {
    real* to = data + z * next + m * row_stride + j * column_stride;
    *to = add ? *to + alpha * value : alpha * value;
  }
};

// The four values that a thread brings into a tile of kTile lines x kDepth: along depth, one k of four lines, else four k of one line.
template <class Loader>
struct Feed {
  static constexpr bool kAlong = Loader::kAlongDepth;
  static constexpr int kLines = kAlong ? kPerThread : 1;
  typename Loader::Line lines[kLines];
  bool inside[kLines];
  real values[kPerThread];

  __device__ static int line_of(int i) { return kAlong ? threadIdx.x / kDepth + i * (kThreads / kDepth) : threadIdx.x % kTile; }
  __device__ static int depth_of(int i) { return kAlong ? threadIdx.x % kDepth : threadIdx.x / kTile + i * (kThreads / kTile); }

  __device__ void begin(const Loader& from, int z, int first, int count) {
    for (int i = 0; i < kLines; ++i) {
      inside[i] = first + line_of(i) < count;
      lines[i] = from.line(z, inside[i] ? first + line_of(i) : 0);
    }
  }
  __device__ void fetch(const Loader& from, int k, int depth) {
PURESCOPE_UNROLL
    for (int i = 0; i < kPerThread; ++i) {
      const int line = kAlong ? i : 0, at = k + depth_of(i);
      values[i] = inside[line] && at < depth ? from.load(lines[line], at) : real(0);
    }
  }
  __device__ void put(real (*tile)[kTile + kPerThread]) const {
PURESCOPE_UNROLL
    for (int i = 0; i < kPerThread; ++i) tile[depth_of(i)][line_of(i)] = values[i];
  }
};

template <class A, class B, class C>
__global__ __launch_bounds__(kThreads) void gemm_kernel(int rows, int columns, int depth, A a, B b, C c) {
  __shared__ real a_tile[kDepth][kTile + kPerThread], b_tile[kDepth][kTile + kPerThread];
  const int z = blockIdx.z, row = blockIdx.y * kTile, column = blockIdx.x * kTile;
  const int ty = threadIdx.x / kSide * kPerThread, tx = threadIdx.x % kSide * kPerThread;
  Feed<A> feed_a;
  Feed<B> feed_b;
  feed_a.begin(a, z, row, rows);
  feed_b.begin(b, z, column, columns);
  real sums[kPerThread][kPerThread] = {};
  feed_a.fetch(a, 0, depth);
  feed_b.fetch(b, 0, depth);
  for (int k = 0; k < depth; k += kDepth) {
    feed_a.put(a_tile);
    feed_b.put(b_tile);
    __syncthreads();
    if (k + kDepth < depth) {  // on their way while the tile is multiplied
      feed_a.fetch(a, k + kDepth, depth);
      feed_b.fetch(b, k + kDepth, depth);
    }
PURESCOPE_UNROLL
    for (int d = 0; d < kDepth; ++d) {
      real left[kPerThread], right[kPerThread];
PURESCOPE_UNROLL
      for (int i = 0; i < kPerThread; ++i) left[i] = a_tile[d][ty + i], right[i] = b_tile[d][tx + i];
PURESCOPE_UNROLL
      for (int i = 0; i < kPerThread; ++i)
PURESCOPE_UNROLL
        for (int j = 0; j < kPerThread; ++j) sums[i][j] += left[i] * right[j];
    }
    __syncthreads();  // the tiles are overwritten next
  }
  for (int i = 0; i < kPerThread; ++i)
    for (int j = 0; j < kPerThread; ++j)
      if (row + ty + i < rows && column + tx + j < columns) c(z, row + ty + i, column + tx + j, sums[i][j]);
}

// All matrices z < count.
template <class A, class B, class C>
void multiply(int count, int rows, int columns, int depth, const A& a, const B& b, const C& c) {
  const auto tiles = [](int size) { return static_cast<unsigned>((size + kTile - 1) / kTile); };
  PURESCOPE_LAUNCH((gemm_kernel<A, B, C>), dim3(tiles(columns), tiles(rows), count), kThreads, 0)(rows, columns, depth, a, b, c);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
