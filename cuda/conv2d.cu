// Convolution as a product of matrices whose gathered side is read where it lies (gemm.h). p runs over the output pixels of all images,
// q = (i, a, b) over input channels and taps:
//   forward   y[o, p]        = bias_o + sum_q weight[o, q] x[n, i, stride row(p) + a - pad, stride col(p) + b - pad]
//   dx        dx[i, p]       = sum_(o, a, b) weight[o, i, a, b] dy[n, o, (row(p) + pad - a) / stride, (col(p) + pad - b) / stride],
//                              where both divide and lie inside
//   dweight   partial[n][o, q] = sum_p dy[n, o, p] x[n, ... as above];  dweight += partial[0], partial[1], ... in image order
#include "core/check.h"
#include "cuda/gemm.h"
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <algorithm>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

constexpr size_t kPartialBytes =
    size_t{64} << 20;  // workspace of the weight gradient: as many images at a time as fit, at least one

// Sizes of a convolution. kKernel 0 means: only known when it runs.
struct Shape { int in, out, kernel, stride, pad, h, w, out_h, out_w; };

template <int kKernel>
__device__ int kernel_of(const Shape& s) { return kKernel ? kKernel : s.kernel; }

// B of the forward product: line j is output pixel p of image n, depth is q.
template <int kKernel>
struct Gather {
  static constexpr bool kAlongDepth = false;
  struct Line { const real* image; int top, left; };
  const real* x;
  Shape s;
  __device__ Line line(int, int j) const {
    const int pixels = s.out_h * s.out_w, n = j / pixels, p = j % pixels;
    return {x + static_cast<size_t>(n) * s.in * s.h * s.w, p / s.out_w * s.stride - s.pad, p % s.out_w * s.stride - s.pad};
  }
  __device__ real load(const Line& from, int q) const {
    const int kernel = kernel_of<kKernel>(s), taps = kernel * kernel, i = q / taps, tap = q % taps;
    const int row = from.top + tap / kernel, col = from.left + tap % kernel;
    const bool inside = row >= 0 && row < s.h && col >= 0 && col < s.w;
    return inside ? from.image[(static_cast<size_t>(i) * s.h + row) * s.w + col] : real(0);
  }
};

// B of dx: line j is input pixel p of image n, depth is (o, a, b).
template <int kKernel>
struct GatherBack {
  static constexpr bool kAlongDepth = false;
  struct Line { const real* image; int bottom, right; };
  const real* dy;
  Shape s;
  __device__ Line line(int, int j) const {
    const int pixels = s.h * s.w, n = j / pixels, p = j % pixels;
    return {dy + static_cast<size_t>(n) * s.out * s.out_h * s.out_w, p / s.w + s.pad, p % s.w + s.pad};
  }
  __device__ real load(const Line& from, int q) const {
    const int kernel = kernel_of<kKernel>(s), taps = kernel * kernel, o = q / taps, tap = q % taps;
    const int row = from.bottom - tap / kernel, col = from.right - tap % kernel;
    if (row < 0 || col < 0 || row % s.stride != 0 || col % s.stride != 0) return 0;
    const int r = row / s.stride, c = col / s.stride;
    return r < s.out_h && c < s.out_w ? from.image[(static_cast<size_t>(o) * s.out_h + r) * s.out_w + c] : real(0);
  }
};

// A of dx: line i is an input channel, depth is (o, a, b).
template <int kKernel>
struct WeightBack {
  static constexpr bool kAlongDepth = true;
  using Line = const real*;
  const real* weight;
  Shape s;
  __device__ Line line(int, int i) const {
    return weight + static_cast<size_t>(i) * kernel_of<kKernel>(s) * kernel_of<kKernel>(s);
  }
  __device__ real load(Line from, int k) const {
    const int taps = kernel_of<kKernel>(s) * kernel_of<kKernel>(s);
    return from[static_cast<size_t>(k / taps) * s.in * taps + k % taps];
  }
};

// B of dweight for image z: line is q, depth is the output pixel.
template <int kKernel>
struct GatherLine {
  static constexpr bool kAlongDepth = true;
  struct Line { const real* plane; int top, left; };
  const real* x;
  Shape s;
  __device__ Line line(int z, int q) const {
    const int kernel = kernel_of<kKernel>(s), taps = kernel * kernel;
    return {x + (static_cast<size_t>(z) * s.in + q / taps) * s.h * s.w, q % taps / kernel - s.pad, q % taps % kernel - s.pad};
  }
  __device__ real load(const Line& from, int p) const {
    const int row = from.top + p / s.out_w * s.stride, col = from.left + p % s.out_w * s.stride;
    const bool inside = row >= 0 && row < s.h && col >= 0 && col < s.w;
    return inside ? from.plane[static_cast<size_t>(row) * s.w + col] : real(0);
  }
};

// Column j of the product is pixel p of image n; bias may be null.
struct StoreImages {
  real* y;
  const real* bias;
  int channels, pixels;
  __device__ void operator()(int, int m, int j, real value) const {
    y[(static_cast<size_t>(j / pixels) * channels + m) * pixels + j % pixels] = bias ? value + bias[m] : value;
  }
};

// sum[i] += part[0][i], part[1][i], ... in this order.
__global__ void add_parts_kernel(const real* parts, int count, size_t size, real* sum) {
  const size_t i = element();
  if (i >= size) return;
  real total = sum[i];
  for (int n = 0; n < count; ++n) total += parts[n * size + i];
  sum[i] = total;
}

// dbias[o] += sum of plane (n, o), images in order; one block per channel.
__global__ void bias_gradient_kernel(const real* dy, int images, int channels, size_t pixels, real* dbias) {
  const int o = blockIdx.x;
  real total = dbias[o];
  for (int n = 0; n < images; ++n) {
    const real* plane = dy + (static_cast<size_t>(n) * channels + o) * pixels;
    accum sum = 0;
    for (size_t i = threadIdx.x; i < pixels; i += kThreads) sum += plane[i];
    total += static_cast<real>(block_sum(sum));
  }
  if (threadIdx.x == 0) dbias[o] = total;
}

Shape shape_of(const Conv2d& s, View x, View y) { return {s.in, s.out, s.kernel, s.stride, s.pad_before, x.h, x.w, y.h, y.w}; }

template <int kKernel>
void forward(const Shape& s, View x, View weight, View bias, View y) {
  const size_t depth = static_cast<size_t>(s.in) * s.kernel * s.kernel;
  multiply(1, s.out, y.n * s.out_h * s.out_w, static_cast<int>(depth), Rows{weight.data, 0, depth, 1}, Gather<kKernel>{x.data, s},
           StoreImages{y.data, bias.data, s.out, s.out_h * s.out_w});
}

template <int kKernel>
void backward_data(const Shape& s, View weight, View dy, View dx) {
  multiply(1, s.in, dx.n * s.h * s.w, s.out * s.kernel * s.kernel, WeightBack<kKernel>{weight.data, s},
           GatherBack<kKernel>{dy.data, s}, StoreImages{dx.data, nullptr, s.in, s.h * s.w});
}

template <int kKernel>
void backward_weight(const Shape& s, View x, View dy, View dweight) {
  const int columns = s.in * s.kernel * s.kernel, pixels = s.out_h * s.out_w;
  const size_t size = static_cast<size_t>(s.out) * columns;
  const int together = static_cast<int>(std::clamp<size_t>(kPartialBytes / (size * sizeof(real)), 1, 1024));
  real* parts = workspace<real>(size * std::min(together, x.n), 0);
  for (int n = 0; n < x.n; n += together) {
    const int count = std::min(together, x.n - n);
    multiply(count, s.out, columns, pixels, Rows{dy.image(n), dy.image_size(), static_cast<size_t>(pixels), 1},
             GatherLine<kKernel>{x.image(n), s}, Store{parts, size, static_cast<size_t>(columns), 1});
    PURESCOPE_LAUNCH(add_parts_kernel, blocks_of(size), kThreads, 0)(parts, count, size, dweight.data);
  }
}

}  // namespace

void conv2d_forward(const Conv2d& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.c == s.in && y.c == s.out && y.h == conv2d_size(s, x.h) && y.w == conv2d_size(s, x.w) && x.n == y.n);
  const Shape shape = shape_of(s, x, y);
  if (s.kernel == 3) forward<3>(shape, x, weight, bias, y);
  else if (s.kernel == 1) forward<1>(shape, x, weight, bias, y);
  else forward<0>(shape, x, weight, bias, y);
}

void conv2d_backward(const Conv2d& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  if (!dx.empty()) {
    const Shape shape = shape_of(s, dx, dy);
    if (s.kernel == 3) backward_data<3>(shape, weight, dy, dx);
    else if (s.kernel == 1) backward_data<1>(shape, weight, dy, dx);
    else backward_data<0>(shape, weight, dy, dx);
  }
  if (!dweight.empty()) {
    const Shape shape = shape_of(s, x, dy);
    if (s.kernel == 3) backward_weight<3>(shape, x, dy, dweight);
    else if (s.kernel == 1) backward_weight<1>(shape, x, dy, dweight);
    else backward_weight<0>(shape, x, dy, dweight);
  }
  if (!dbias.empty())
    PURESCOPE_LAUNCH(bias_gradient_kernel, dim3(s.out), kThreads, 0)
    (dy.data, dy.n, s.out, static_cast<size_t>(dy.h) * dy.w, dbias.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
