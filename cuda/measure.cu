// One number per image, in double, returned to the host: one block per image. Sums over whole tensors: kParts blocks each, whose parts
// the host adds in order.
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <cmath>
#include <vector>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

constexpr unsigned kParts = 64;

// The largest value (none negative) of the block, given to every thread.
__device__ accum block_largest(accum value) {
  __shared__ accum partial[kThreads];
  __syncthreads();
  partial[threadIdx.x] = value;
  __syncthreads();
  accum largest = 0;
  for (int i = 0; i < kThreads; ++i) largest = partial[i] > largest ? partial[i] : largest;
  return largest;
}

__global__ void first_maximum_kernel(const real* x, size_t size, int* index) {
  const real* row = x + blockIdx.x * size;
  real largest = row[0];
  accum bad = 0;
  for (size_t i = threadIdx.x; i < size; i += kThreads) {
    largest = row[i] > largest ? row[i] : largest;
    bad += std::isfinite(row[i]) ? 0 : 1;
  }
  bad = block_sum(bad);
  largest = block_max(largest);
  accum before = 0;  // size - place of the first maximum among this thread's values
  for (size_t i = threadIdx.x; i < size; i += kThreads)
    if (row[i] == largest && before == 0) before = static_cast<accum>(size - i);
  before = block_largest(before);
  if (threadIdx.x == 0) index[blockIdx.x] = bad > 0 ? -1 : static_cast<int>(size - static_cast<size_t>(before));
}

__global__ void count_values_kernel(const real* x, size_t size, accum* counts) {
  const real* image = x + blockIdx.x * size;
  accum zeros = 0, bad = 0;
  for (size_t i = threadIdx.x; i < size; i += kThreads) {
    zeros += image[i] == 0;
    bad += std::isfinite(image[i]) ? 0 : 1;
  }
  zeros = block_sum(zeros);
  bad = block_sum(bad);
  if (threadIdx.x == 0) {
    counts[2 * blockIdx.x] = zeros;
    counts[2 * blockIdx.x + 1] = bad;
  }
}

__global__ void distances_kernel(const real* a, const real* b, size_t size, accum* results) {
  a += blockIdx.x * size;
  b += blockIdx.x * size;
  accum square = 0, largest = 0;
  for (size_t i = threadIdx.x; i < size; i += kThreads) {
    const accum d = static_cast<accum>(a[i]) - b[i];
    square += d * d;
    largest = std::fabs(d) > largest ? std::fabs(d) : largest;
  }
  square = block_sum(square);
  largest = block_largest(largest);
  if (threadIdx.x == 0) {
    results[2 * blockIdx.x] = std::sqrt(square);
    results[2 * blockIdx.x + 1] = largest;
  }
}

__global__ void square_sum_kernel(const real* x, size_t count, accum* parts) {
  accum sum = 0;
  for (size_t i = element(); i < count; i += static_cast<size_t>(kParts) * kThreads) sum += static_cast<accum>(x[i]) * x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// dx may be null.
__global__ void squared_error_kernel(const real* x, const real* target, double scale, size_t count, real* dx, accum* parts) {
  accum sum = 0;
  for (size_t i = element(); i < count; i += static_cast<size_t>(kParts) * kThreads) {
    const accum d = x[i] - target[i];
    sum += d * d;
    if (dx) dx[i] = static_cast<real>(scale * d);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// `count` values of device memory, on the host.
template <class T>
std::vector<T> fetch(const T* values, size_t count) {
  std::vector<T> host(count);
  device_copy(Device::Cpu, host.data(), PURESCOPE_DEVICE, values, count * sizeof(T));
  return host;
}

}  // namespace

void first_maximum(View x, int* index) {
  int* result = workspace<int>(x.n, 0);
  PURESCOPE_LAUNCH(first_maximum_kernel, dim3(x.n), kThreads, 0)(x.data, x.image_size(), result);
  device_copy(Device::Cpu, index, PURESCOPE_DEVICE, result, x.n * sizeof(int));
}

void count_values(View x, size_t* zeros, size_t* not_finite) {
  accum* counts = workspace<accum>(2 * x.n, 0);
  PURESCOPE_LAUNCH(count_values_kernel, dim3(x.n), kThreads, 0)(x.data, x.image_size(), counts);
  const std::vector<accum> host = fetch(counts, 2 * x.n);
  for (int n = 0; n < x.n; ++n) {
    zeros[n] = static_cast<size_t>(host[2 * n]);
    not_finite[n] = static_cast<size_t>(host[2 * n + 1]);
  }
}

void distances(View a, View b, double* l2, double* linf) {
  accum* results = workspace<accum>(2 * a.n, 0);
  PURESCOPE_LAUNCH(distances_kernel, dim3(a.n), kThreads, 0)(a.data, b.data, a.image_size(), results);
  const std::vector<accum> host = fetch(results, 2 * a.n);
  for (int n = 0; n < a.n; ++n) {
    if (l2) l2[n] = host[2 * n];
    if (linf) linf[n] = host[2 * n + 1];
  }
}

void square_sums(const View* x, int count, double* sums) {
  accum* parts = workspace<accum>(static_cast<size_t>(count) * kParts, 0);
  for (int k = 0; k < count; ++k)
    PURESCOPE_LAUNCH(square_sum_kernel, dim3(kParts), kThreads, 0)(x[k].data, x[k].size(), parts + static_cast<size_t>(k) * kParts);
  const std::vector<accum> host = fetch(parts, static_cast<size_t>(count) * kParts);
  for (int k = 0; k < count; ++k) {
    sums[k] = 0;
    for (unsigned part = 0; part < kParts; ++part) sums[k] += host[static_cast<size_t>(k) * kParts + part];
  }
}

void squared_error(View x, View target, double scale, View dx, double* sum) {
  accum* parts = workspace<accum>(kParts, 0);
  PURESCOPE_LAUNCH(squared_error_kernel, dim3(kParts), kThreads, 0)(x.data, target.data, scale, x.size(), dx.data, parts);
  *sum = 0;
  for (accum part : fetch(parts, kParts)) *sum += part;
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
