// A pointwise convolution whose weight is stored [in, out]: one product per image; every sum runs over its depth in ascending order.
#include "core/check.h"
#include "cuda/gemm.h"
#include "cuda/reduce.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// y[z, m, j] = value + bias[m].
struct StorePlanes {
  real* y;
  const real* bias;
  size_t image, pixels;
  __device__ void operator()(int z, int m, int j, real value) const { y[z * image + m * pixels + j] = value + bias[m]; }
};

// dbias[o] += sum of plane o of image 0, 1, ... in this order; one block per o.
__global__ void plane_sums_kernel(const real* dy, int images, size_t planes, size_t pixels, real* dbias) {
  real total = dbias[blockIdx.x];
  for (int n = 0; n < images; ++n) {
    const real* plane = dy + (n * planes + blockIdx.x) * pixels;
    accum sum = 0;
    for (size_t i = threadIdx.x; i < pixels; i += kThreads) sum += plane[i];
    total += static_cast<real>(block_sum(sum));
  }
  if (threadIdx.x == 0) dbias[blockIdx.x] = total;
}

}  // namespace

void nin_forward(const Linear& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.c == s.in && y.c == s.out && x.h == y.h && x.w == y.w);
  const size_t out = s.out, pixels = static_cast<size_t>(x.h) * x.w;
  multiply(x.n, s.out, static_cast<int>(pixels), s.in, Columns{weight.data, 0, 1, out}, Columns{x.data, x.image_size(), 1, pixels},
           StorePlanes{y.data, bias.data, y.image_size(), pixels});
}

void nin_backward(const Linear& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  const size_t out = s.out, pixels = static_cast<size_t>(dy.h) * dy.w;
  if (!dx.empty())
    multiply(dy.n, s.in, static_cast<int>(pixels), s.out, Rows{weight.data, 0, out, 1}, Columns{dy.data, dy.image_size(), 1, pixels},
             Store{dx.data, dx.image_size(), pixels, 1});
  if (!dweight.empty())
    for (int n = 0; n < x.n; ++n)
      multiply(1, s.in, s.out, static_cast<int>(pixels), Rows{x.image(n), 0, pixels, 1}, Rows{dy.image(n), 0, pixels, 1},
               Store{dweight.data, 0, out, 1, 1, true});
  if (!dbias.empty()) PURESCOPE_LAUNCH(plane_sums_kernel, dim3(s.out), kThreads, 0)(dy.data, dy.n, out, pixels, dbias.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
