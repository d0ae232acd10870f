// y = W x + b. Images are the columns of the product; every sum runs over its depth in ascending order (gemm.h).
#include "core/check.h"
#include "cuda/gemm.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

// y[j, m] = value + bias[m]; bias may be null.
struct StoreVectors {
  real* y;
  const real* bias;
  size_t size;
  __device__ void operator()(int, int m, int j, real value) const { y[j * size + m] = bias ? value + bias[m] : value; }
};

// dbias[o] += dy[0, o], dy[1, o], ... in this order.
__global__ void column_sum_kernel(const real* dy, int images, size_t size, real* dbias) {
  const size_t o = element();
  if (o >= size) return;
  real total = dbias[o];
  for (int n = 0; n < images; ++n) total += dy[n * size + o];
  dbias[o] = total;
}

}  // namespace

void linear_forward(const Linear& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.image_size() == static_cast<size_t>(s.in) && y.image_size() == static_cast<size_t>(s.out));
  const size_t in = s.in, out = s.out;
  multiply(1, s.out, x.n, s.in, Rows{weight.data, 0, in, 1}, Rows{x.data, 0, in, 1}, StoreVectors{y.data, bias.data, out});
}

void linear_backward(const Linear& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  const size_t in = s.in, out = s.out;
  if (!dx.empty())
    multiply(1, s.in, dx.n, s.out, Columns{weight.data, 0, 1, in}, Rows{dy.data, 0, out, 1}, StoreVectors{dx.data, nullptr, in});
  if (!dweight.empty())  // the depth is the image
    multiply(1, s.out, s.in, x.n, Columns{dy.data, 0, 1, out}, Columns{x.data, 0, 1, in}, Store{dweight.data, 0, in, 1, 1, true});
  if (!dbias.empty()) PURESCOPE_LAUNCH(column_sum_kernel, blocks_of(out), kThreads, 0)(dy.data, dy.n, out, dbias.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
