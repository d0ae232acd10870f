// The one place that knows of tensor cores: the sums of one warp, 32 x 16, grown by products of tiles in shared memory whose values were
// rounded to a shorter number. The emulator has the same words in emulator/tensor.h.
//   Tf32  10 bits of mantissa, the exponent of a float: relative error of a factor up to 2^-11, products and sums in float
//   Bf16   7 bits: up to 2^-8
// A tile lies depth first: value (k, line) at [k * kStride + line]. kDepth is the depth of one instruction; rows are padded so that the
// addresses of instructions stay multiples of 32 bytes.
#pragma once
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <mma.h>

namespace purescope {

struct Tf32 {
  using Value = float;
  using Factor = nvcuda::wmma::precision::tf32;
  static constexpr int kDepth = 8, kStride = 68;
  __device__ static Value rounded(float v) { return nvcuda::wmma::__float_to_tf32(v); }
};

struct Bf16 {
  using Value = __nv_bfloat16;
  using Factor = __nv_bfloat16;
  static constexpr int kDepth = 16, kStride = 72;
  __device__ static Value rounded(float v) { return __float2bfloat16_rn(v); }
};

template <class Number>
class WarpSums {
  template <class Use, class Value, class... Layout>
  using Fragment = nvcuda::wmma::fragment<Use, 16, 16, Number::kDepth, Value, Layout...>;

 public:
  __device__ WarpSums() {
    for (auto& sum : sums_) nvcuda::wmma::fill_fragment(sum, 0.0f);
  }
  // sums[m, j] += sum_k a[k, m] b[k, j] over kDepth values of k; by all threads of the warp.
  __device__ void add(const typename Number::Value* a, const typename Number::Value* b) {
    Fragment<nvcuda::wmma::matrix_b, typename Number::Factor, nvcuda::wmma::row_major> right;
    nvcuda::wmma::load_matrix_sync(right, b, Number::kStride);
    for (int half = 0; half < 2; ++half) {
      Fragment<nvcuda::wmma::matrix_a, typename Number::Factor, nvcuda::wmma::col_major> left;
      nvcuda::wmma::load_matrix_sync(left, a + 16 * half, Number::kStride);
      nvcuda::wmma::mma_sync(sums_[half], left, right, sums_[half]);
    }
  }
  // to[m * stride + j] = sums[m, j]
  __device__ void store(float* to, int stride) const {
    for (int half = 0; half < 2; ++half)
      nvcuda::wmma::store_matrix_sync(to + 16 * half * stride, sums_[half], stride, nvcuda::wmma::mem_row_major);
  }

 private:
  Fragment<nvcuda::wmma::accumulator, float> sums_[2];
};

}  // namespace purescope
#else
#include "cuda/emulator/tensor.h"
#endif
