// Sums, copies, concatenation, broadcasts and fixed affine maps: one thread per value, one block per plane where a plane is summed.
#include "core/check.h"
#include "cuda/reduce.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

__global__ void add_kernel(const real* a, const real* b, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = a[i] + b[i];
}

__global__ void copy_kernel(const real* x, size_t count, real* y) {
  const size_t i = element();
  if (i < count) y[i] = x[i];
}

// y[n, i] = a[n, i] for i < cut, else b[n, i - cut]; `size` values per image.
__global__ void concat_forward_kernel(const real* a, const real* b, size_t cut, size_t size, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const size_t n = e / size, i = e % size;
  y[e] = i < cut ? a[n * cut + i] : b[n * (size - cut) + i - cut];
}

// Either result may be null.
__global__ void concat_backward_kernel(const real* dy, size_t cut, size_t size, size_t count, real* da, real* db) {
  const size_t e = element();
  if (e >= count) return;
  const size_t n = e / size, i = e % size;
  if (i < cut) {
    if (da) da[n * cut + i] = dy[e];
  } else if (db) {
    db[n * (size - cut) + i - cut] = dy[e];
  }
}

__global__ void add_channel_kernel(const real* x, const real* v, size_t pixels, size_t count, real* y) {
  const size_t e = element();
  if (e < count) y[e] = x[e] + v[e / pixels];
}

// dv[plane] = sum of the plane; one block per plane.
__global__ void plane_sum_kernel(const real* dy, size_t pixels, real* dv) {
  const real* plane = dy + blockIdx.x * pixels;
  accum sum = 0;
  for (size_t i = threadIdx.x; i < pixels; i += kThreads) sum += plane[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) dv[blockIdx.x] = static_cast<real>(sum);
}

// y = x (1 + factor) + offset of the plane; offset may be null. factors [n, 2 c]: c factors, then c offsets.
__global__ void scale_shift_kernel(const real* x, const real* factors, int c, bool shift, size_t pixels, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const size_t plane = e / pixels, at = plane / c * 2 * c + plane % c;
  y[e] = x[e] * (1 + factors[at]) + (shift ? factors[at + c] : real(0));
}

// de of one plane: sum of dy x, sum of dy; one block per plane.
__global__ void scale_shift_sums_kernel(const real* x, const real* dy, int c, size_t pixels, real* de) {
  const size_t first = blockIdx.x * pixels, at = blockIdx.x / c * 2 * c + blockIdx.x % c;
  accum product = 0, sum = 0;
  for (size_t i = threadIdx.x; i < pixels; i += kThreads) {
    product += dy[first + i] * static_cast<accum>(x[first + i]);
    sum += dy[first + i];
  }
  product = block_sum(product);
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;
  de[at] = static_cast<real>(product);
  de[at + c] = static_cast<real>(sum);
}

__global__ void time_embedding_kernel(TimeEmbedding s, const real* t, size_t count, real* y) {
  const size_t e = element();
  if (e >= count) return;
  const int half = s.dim / 2, i = static_cast<int>(e % half);
  const size_t n = e / half;
  const double angle = static_cast<double>(t[n]) * std::exp(-i * std::log(10000.0) / s.divisor);
  y[n * s.dim + (s.sin_first ? i : half + i)] = static_cast<real>(std::sin(angle));
  y[n * s.dim + (s.sin_first ? half + i : i)] = static_cast<real>(std::cos(angle));
}

__global__ void normalize_forward_kernel(Normalize s, const real* x, size_t pixels, size_t count, real* y) {
  const size_t e = element();
  if (e < count) y[e] = (x[e] - s.mean[e / pixels % 3]) / s.std[e / pixels % 3];
}

__global__ void normalize_backward_kernel(Normalize s, const real* dy, size_t pixels, size_t count, real* dx) {
  const size_t e = element();
  if (e < count) dx[e] = dy[e] / s.std[e / pixels % 3];
}

size_t pixels_of(View v) { return static_cast<size_t>(v.h) * v.w; }

}  // namespace

void add_forward(View a, View b, View y) {
  PURESCOPE_LAUNCH(add_kernel, blocks_of(a.size()), kThreads, 0)(a.data, b.data, a.size(), y.data);
}

void copy_forward(View x, View y) { PURESCOPE_LAUNCH(copy_kernel, blocks_of(x.size()), kThreads, 0)(x.data, x.size(), y.data); }

void concat_forward(View a, View b, View y) {
  PURESCOPE_REQUIRE(y.c == a.c + b.c && a.n == b.n && a.h == b.h && a.w == b.w);
  PURESCOPE_LAUNCH(concat_forward_kernel, blocks_of(y.size()), kThreads, 0)
  (a.data, b.data, a.image_size(), y.image_size(), y.size(), y.data);
}

void concat_backward(View dy, View da, View db) {
  const size_t cut = !da.empty() ? da.image_size() : dy.image_size() - db.image_size();
  PURESCOPE_LAUNCH(concat_backward_kernel, blocks_of(dy.size()), kThreads, 0)
  (dy.data, cut, dy.image_size(), dy.size(), da.data, db.data);
}

void add_channel_forward(View x, View v, View y) {
  PURESCOPE_REQUIRE(v.image_size() == static_cast<size_t>(x.c));
  PURESCOPE_LAUNCH(add_channel_kernel, blocks_of(x.size()), kThreads, 0)(x.data, v.data, pixels_of(x), x.size(), y.data);
}

void add_channel_backward(View dy, View dx, View dv) {
  if (!dx.empty()) PURESCOPE_DEVICE_NS::copy_forward(dy, dx);
  if (!dv.empty()) PURESCOPE_LAUNCH(plane_sum_kernel, dim3(dy.n * dy.c), kThreads, 0)(dy.data, pixels_of(dy), dv.data);
}

void scale_shift_forward(View x, View e, View y) {
  PURESCOPE_REQUIRE(e.image_size() == 2 * static_cast<size_t>(x.c));
  PURESCOPE_LAUNCH(scale_shift_kernel, blocks_of(x.size()), kThreads, 0)(x.data, e.data, x.c, true, pixels_of(x), x.size(), y.data);
}

void scale_shift_backward(View x, View e, View dy, View dx, View de) {
  if (!dx.empty())
    PURESCOPE_LAUNCH(scale_shift_kernel, blocks_of(dy.size()), kThreads, 0)(dy.data, e.data, dy.c, false, pixels_of(dy), dy.size(), dx.data);
  if (!de.empty()) PURESCOPE_LAUNCH(scale_shift_sums_kernel, dim3(dy.n * dy.c), kThreads, 0)(x.data, dy.data, dy.c, pixels_of(dy), de.data);
}

void time_embedding_forward(const TimeEmbedding& s, View t, View y) {
  const size_t count = static_cast<size_t>(t.n) * (s.dim / 2);
  PURESCOPE_LAUNCH(time_embedding_kernel, blocks_of(count), kThreads, 0)(s, t.data, count, y.data);
}

void normalize_forward(const Normalize& s, View x, View y) {
  PURESCOPE_REQUIRE(x.c == 3);
  PURESCOPE_LAUNCH(normalize_forward_kernel, blocks_of(x.size()), kThreads, 0)(s, x.data, pixels_of(x), x.size(), y.data);
}

void normalize_backward(const Normalize& s, View dy, View dx) {
  PURESCOPE_LAUNCH(normalize_backward_kernel, blocks_of(dy.size()), kThreads, 0)(s, dy.data, pixels_of(dy), dy.size(), dx.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
