// The one product of matrices behind convolution, linear layers and attention:
//   C(z, m, j) = sum_k A(z, m, k) B(z, k, j),  k ascending,
// by tiles of 64 x 64 in shared memory, 4 x 4 sums per thread. A and B are given by loaders, so that a gathered matrix (a convolution)
// never exists in memory, and C by a store. The order of every sum depends on nothing but k: columns may therefore run over all images of
// a batch, and image k of a batch still gets the same bits as image k alone. (A library promises no such thing: its choice of kernel
// depends on the sizes.) Element (m, j) is computed by one thread, or one warp on its tensor cores, so there is nothing to reduce.
//
// A loader has
//   kAlongDepth   whether neighbours in k (else in the line: m for A, j for B) are neighbours in memory; decides how threads share a load
//   Line          what is worked out once per line
//   line(z, i)    of line i of matrix z;   load(Line, k)   one value
#pragma once
#include "core/math_mode.h"
#include "cuda/launch.h"
#include "cuda/tensor.h"

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
  template <class Sums>
  __device__ void put(typename Sums::Value (*tile)[Sums::kStride]) const {
PURESCOPE_UNROLL
    for (int i = 0; i < kPerThread; ++i) tile[depth_of(i)][line_of(i)] = Sums::rounded(values[i]);
  }
};

// The sums of a tile, as they grow by tiles of kDepth: 4 x 4 of them per thread.
struct ThreadSums {
  using Value = real;
  static constexpr int kStride = kTile + kPerThread;
  real sums[kPerThread][kPerThread] = {};

  __device__ static real rounded(real v) { return v; }
  __device__ static int row() { return threadIdx.x / kSide * kPerThread; }
  __device__ static int column() { return threadIdx.x % kSide * kPerThread; }
  __device__ void add(const real (*a)[kStride], const real (*b)[kStride]) {
PURESCOPE_UNROLL
    for (int d = 0; d < kDepth; ++d) {
      real left[kPerThread], right[kPerThread];
PURESCOPE_UNROLL
      for (int i = 0; i < kPerThread; ++i) left[i] = a[d][row() + i], right[i] = b[d][column() + i];
PURESCOPE_UNROLL
      for (int i = 0; i < kPerThread; ++i)
PURESCOPE_UNROLL
        for (int j = 0; j < kPerThread; ++j) sums[i][j] += left[i] * right[j];
    }
  }
  // tile[m][j] = sums[m, j]
  __device__ void store(real (*tile)[kStride]) const {
    each([tile](int m, int j, real value) { tile[m][j] = value; });
  }
  // visit(m, j, value): those of this thread.
  template <class Visit>
  __device__ void each(const Visit& visit) const {
    for (int i = 0; i < kPerThread; ++i)
      for (int j = 0; j < kPerThread; ++j) visit(row() + i, column() + j, sums[i][j]);
  }
};

#if !PURESCOPE_REAL_IS_DOUBLE
// The same on tensor cores: eight warps, each with 32 x 16 sums.
template <class Number>
struct TensorSums {
  using Value = typename Number::Value;
  static constexpr int kStride = Number::kStride;
  WarpSums<Number> sums;

  __device__ static Value rounded(float v) { return Number::rounded(v); }
  __device__ static int row() { return threadIdx.x / 128 * 32; }
  __device__ static int column() { return threadIdx.x / 32 % 4 * 16; }
  __device__ void add(const Value (*a)[kStride], const Value (*b)[kStride]) {
    for (int d = 0; d < kDepth; d += Number::kDepth) sums.add(&a[d][row()], &b[d][column()]);
  }
  __device__ void store(float (*tile)[kTile + kPerThread]) const {
    sums.store(&tile[row()][column()], kTile + kPerThread);
  }
  // Through shared memory: which sums a thread holds is the card's own matter.
  template <class Visit>
  __device__ void each(const Visit& visit) const {
    alignas(32) __shared__ float tile[kTile][kTile + kPerThread];
    store(tile);
    __syncthreads();
    for (int i = threadIdx.x; i < kTile * kTile; i += kThreads) visit(i / kTile, i % kTile, tile[i / kTile][i % kTile]);
  }
};
#endif

// sums += products over `depth` of the lines that the feeds were begun for, through two tiles of shared memory. Ends when they may be
// overwritten.
template <class Sums, class A, class B>
__device__ void add_products(Sums& sums, Feed<A>& feed_a, const A& a, Feed<B>& feed_b, const B& b, int depth,
                             typename Sums::Value (*a_tile)[Sums::kStride], typename Sums::Value (*b_tile)[Sums::kStride]) {
  feed_a.fetch(a, 0, depth);
  feed_b.fetch(b, 0, depth);
  for (int k = 0; k < depth; k += kDepth) {
    feed_a.template put<Sums>(a_tile);
    feed_b.template put<Sums>(b_tile);
    __syncthreads();
    if (k + kDepth < depth) {  // on their way while the tile is multiplied
      feed_a.fetch(a, k + kDepth, depth);
      feed_b.fetch(b, k + kDepth, depth);
    }
    sums.add(a_tile, b_tile);
    __syncthreads();  // the tiles are overwritten next
  }
}

template <class Sums, class A, class B, class C>
__global__ __launch_bounds__(kThreads) void gemm_kernel(int rows, int columns, int depth, A a, B b, C c) {
  alignas(32) __shared__ typename Sums::Value a_tile[kDepth][Sums::kStride], b_tile[kDepth][Sums::kStride];
  const int z = blockIdx.z, row = blockIdx.y * kTile, column = blockIdx.x * kTile;
  Feed<A> feed_a;
  Feed<B> feed_b;
  feed_a.begin(a, z, row, rows);
  feed_b.begin(b, z, column, columns);
  Sums sums;
  add_products(sums, feed_a, a, feed_b, b, depth, a_tile, b_tile);
  sums.each([&](int m, int j, real value) {
    if (row + m < rows && column + j < columns) c(z, row + m, column + j, value);
  });
}

template <class Sums, class A, class B, class C>
void launch_products(int count, int rows, int columns, int depth, const A& a, const B& b, const C& c) {
  const auto tiles = [](int size) { return static_cast<unsigned>((size + kTile - 1) / kTile); };
  PURESCOPE_LAUNCH((gemm_kernel<Sums, A, B, C>), dim3(tiles(columns), tiles(rows), count), kThreads, 0)(rows, columns, depth, a, b, c);
}

// All matrices z < count, in the arithmetic of the process.
template <class A, class B, class C>
void multiply(int count, int rows, int columns, int depth, const A& a, const B& b, const C& c) {
#if !PURESCOPE_REAL_IS_DOUBLE
  if (current_math() == MathMode::Tf32) return launch_products<TensorSums<Tf32>>(count, rows, columns, depth, a, b, c);
  if (current_math() == MathMode::Bf16) return launch_products<TensorSums<Bf16>>(count, rows, columns, depth, a, b, c);
#endif
  launch_products<ThreadSums>(count, rows, columns, depth, a, b, c);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
