// Cross-entropy with natural logarithm, one block per image, in double inside. `labels` points to device memory; a label outside the
// classes cannot be reported from here and gives NaN.
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// logsumexp of one row of logits, given to every thread of the block.
__device__ accum log_sum_exp(const real* z, int count) {
  real largest = z[0];
  for (int j = threadIdx.x; j < count; j += kThreads) largest = z[j] != z[j] || z[j] > largest ? z[j] : largest;
  largest = block_max(largest);
  accum total = 0;
  for (int j = threadIdx.x; j < count; j += kThreads) total += std::exp(static_cast<accum>(z[j]) - static_cast<accum>(largest));
  return static_cast<accum>(largest) + std::log(block_sum(total));
}

__device__ bool is_class(int label, int classes) { return label >= 0 && label < classes; }

__global__ void cross_entropy_forward_kernel(const real* logits, const int* labels, int classes, real* loss) {
  const real* z = logits + static_cast<size_t>(blockIdx.x) * classes;
  const int label = labels[blockIdx.x];
  const accum total = log_sum_exp(z, classes);
  if (threadIdx.x == 0)
    loss[blockIdx.x] = is_class(label, classes) ? static_cast<real>(total - z[label]) : static_cast<real>(NAN);
}

__global__ void cross_entropy_backward_kernel(const real* logits, const int* labels, int classes, double scale, real* dlogits) {
  const size_t begin = static_cast<size_t>(blockIdx.x) * classes;
  const int label = labels[blockIdx.x];
  const accum total = log_sum_exp(logits + begin, classes);
  for (int j = threadIdx.x; j < classes; j += kThreads) {
    const accum p = std::exp(logits[begin + j] - total);
    dlogits[begin + j] =
        is_class(label, classes) ? static_cast<real>(scale * (p - (j == label ? 1 : 0))) : static_cast<real>(NAN);
  }
}

}  // namespace

void cross_entropy_forward(View logits, const int* labels, View loss) {
  PURESCOPE_LAUNCH(cross_entropy_forward_kernel, dim3(logits.n), kThreads, 0)
  (logits.data, labels, static_cast<int>(logits.image_size()), loss.data);
}

void cross_entropy_backward(View logits, const int* labels, double scale, View dlogits) {
  PURESCOPE_LAUNCH(cross_entropy_backward_kernel, dim3(logits.n), kThreads, 0)
  (logits.data, labels, static_cast<int>(logits.image_size()), scale, dlogits.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
