// Sums over the threads of a block, always in the same order: lanes of a warp in a butterfly, then the warps one after the other.
#pragma once
#include "cuda/launch.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {

constexpr int kWarpSize = 32, kWarps = kThreads / kWarpSize;

struct Pair { accum a = 0, b = 0; };

// The sum of `value` over the kThreads threads of the block, given to all of them. Every thread must call it.
__device__ inline accum block_sum(accum value) {
  __shared__ accum partial[kWarps];
  for (int step = kWarpSize / 2; step > 0; step /= 2) value += __shfl_xor_sync(~0u, value, step);
  __syncthreads();  // an earlier sum may still be read
  if (threadIdx.x % kWarpSize == 0) partial[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  accum total = 0;
  for (int w = 0; w < kWarps; ++w) total += partial[w];
  return total;
}

__device__ inline Pair block_sum(Pair value) { return {block_sum(value.a), block_sum(value.b)}; }

// The largest value of the block; NaN if there is one.
__device__ inline real block_max(real value) {
  __shared__ real partial[kWarps];
  auto larger = [](real a, real b) { return a != a || a > b ? a : b; };
  for (int step = kWarpSize / 2; step > 0; step /= 2) value = larger(value, __shfl_xor_sync(~0u, value, step));
  __syncthreads();
  if (threadIdx.x % kWarpSize == 0) partial[threadIdx.x / kWarpSize] = value;
  __syncthreads();
  real largest = partial[0];
  for (int w = 1; w < kWarps; ++w) largest = larger(largest, partial[w]);
  return largest;
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
