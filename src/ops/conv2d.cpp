// Convolution by im2col and GEMM, one image at a time, in blocks whose edges depend on the layer alone (never on the batch or on
// the number of threads):
//   forward   y[o, p]      = bias_o + sum_q weight[o, q] col[q, p]        q = (i, a, b), p = output pixel
//   dx        dcol[q, p]   = sum_o weight[o, q] dy[o, p],  dx = col2im(dcol)
//   dweight   dweight[o,q] += sum_p dy[o, p] col[q, p], images in order
#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/gemm.h"
#include "ops/normalise.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kPixelBlock = 256;    // output pixels per forward task
constexpr int kChannelBlock = 32;   // input channels per backward task

real* scratch(size_t count, int slot) { return static_cast<real*>(thread_scratch(count * sizeof(real), slot)); }

// A 1x1 convolution with stride 1 needs no gathering: col is the image.
bool is_pointwise(const Conv2d& s) { return s.kernel == 1 && s.stride == 1 && s.pad_before == 0 && s.pad_after == 0; }

// Copies one row of one tap: out[p] = x[col0 + p * stride] for p in [0, count), zero outside [0, width).
void gather_row(const real* row, int width, int first, int stride, int count, real* out) {
  int p = 0;
  for (; p < count && first + p * stride < 0; ++p) out[p] = 0;
  const int end = first >= width ? p : std::min(count, (width - 1 - first) / stride + 1);
  if (stride == 1) {
    if (end > p) std::memcpy(out + p, row + first + p, (end - p) * sizeof(real));
    p = std::max(p, end);
  } else {
    for (; p < end; ++p) out[p] = row[first + p * stride];
  }
  for (; p < count; ++p) out[p] = 0;
}

// col[(i - first_channel, a, b), p - first] = x[i, stride * row(p) + a - pad, stride * column(p) + b - pad] for output pixels
// [first, last) of width out_w and input channels [first_channel, last_channel).
void im2col(const Conv2d& s, const real* x, int h, int w, int out_w, int first_channel, int last_channel, int first, int last, real* col) {
  const int pixels = last - first;
  for (int i = first_channel; i < last_channel; ++i) {
    const real* plane = x + static_cast<size_t>(i) * h * w;
    for (int a = 0; a < s.kernel; ++a)
      for (int b = 0; b < s.kernel; ++b, col += pixels)
        for (int p = first; p < last;) {
          const int row = p / out_w, column = p % out_w, count = std::min(out_w - column, last - p);
          const int y = row * s.stride + a - s.pad_before;
          real* out = col + (p - first);
          if (y < 0 || y >= h) std::fill(out, out + count, real(0));
          else gather_row(plane + static_cast<size_t>(y) * w, w, column * s.stride + b - s.pad_before, s.stride, count, out);
          p += count;
        }
  }
}

// dx[i, y, x] += dcol at every place that im2col copied from, taps in row-major order. All output pixels.
void col2im(const Conv2d& s, const real* col, int channels, int h, int w, int out_h, int out_w, real* dx) {
  for (int i = 0; i < channels; ++i) {
    real* plane = dx + static_cast<size_t>(i) * h * w;
    std::fill(plane, plane + static_cast<size_t>(h) * w, real(0));
    for (int a = 0; a < s.kernel; ++a)
      for (int b = 0; b < s.kernel; ++b, col += static_cast<size_t>(out_h) * out_w)
        for (int row = 0; row < out_h; ++row) {
          const int y = row * s.stride + a - s.pad_before;
          if (y < 0 || y >= h) continue;
          const real* from = col + static_cast<size_t>(row) * out_w;
          real* to = plane + static_cast<size_t>(y) * w;
          const int shift = b - s.pad_before;
          const int begin = shift < 0 ? (-shift + s.stride - 1) / s.stride : 0;
          const int end = std::min(out_w, w - 1 - shift < 0 ? 0 : (w - 1 - shift) / s.stride + 1);
          if (s.stride == 1) for (int p = begin; p < end; ++p) to[p + shift] += from[p];
          else for (int p = begin; p < end; ++p) to[p * s.stride + shift] += from[p];
        }
  }
}

int blocks(int size, int block) { return (size + block - 1) / block; }

// Output channels per forward task: all of them, unless the picture is so small that one task per image would be all there is.
int out_block(const Conv2d& s, int pixels) { return pixels < kPixelBlock && s.out >= 64 ? (s.out + 3) / 4 : s.out; }

void backward_data(const Conv2d& s, View weight, View dy, View dx) {
  const int taps = s.kernel * s.kernel, pixels = dy.h * dy.w, columns = s.in * taps;
  const int tasks = blocks(s.in, kChannelBlock);
  parallel_for(dx.n * tasks, [&](int task) {
    const int n = task / tasks, first = task % tasks * kChannelBlock, count = std::min(kChannelBlock, s.in - first);
    const real* w = weight.data + static_cast<size_t>(first) * taps;
    if (is_pointwise(s)) {
      gemm(true, false, count, pixels, s.out, 1, w, columns, dy.image(n), pixels, 0, dx.plane(n, first), pixels);
      return;
    }
    real* col = scratch(static_cast<size_t>(count) * taps * pixels, 0);
    gemm(true, false, count * taps, pixels, s.out, 1, w, columns, dy.image(n), pixels, 0, col, pixels);
    col2im(s, col, count, dx.h, dx.w, dy.h, dy.w, dx.plane(n, first));
  });
}

void backward_weight(const Conv2d& s, View x, View dy, View dweight) {
  const int taps = s.kernel * s.kernel, pixels = dy.h * dy.w, columns = s.in * taps;
  parallel_for(blocks(s.in, kChannelBlock), [&](int task) {
    const int first = task * kChannelBlock, count = std::min(kChannelBlock, s.in - first);
    real* dw = dweight.data + static_cast<size_t>(first) * taps;
    for (int n = 0; n < x.n; ++n) {
      const real* col = x.plane(n, first);
      if (!is_pointwise(s)) {
        real* gathered = scratch(static_cast<size_t>(count) * taps * pixels, 0);
        im2col(s, x.image(n), x.h, x.w, dy.w, first, first + count, 0, pixels, gathered);
        col = gathered;
      }
      gemm(false, true, s.out, count * taps, pixels, 1, dy.image(n), pixels, col, pixels, 1, dw, columns);
    }
  });
}

}  // namespace

namespace cpu {

void conv2d_forward(const Conv2d& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.c == s.in && y.c == s.out && y.h == conv2d_size(s, x.h) && y.w == conv2d_size(s, x.w) && x.n == y.n);
  const int columns = s.in * s.kernel * s.kernel, pixels = y.h * y.w;
  const int step = out_block(s, pixels), pixel_tasks = blocks(pixels, kPixelBlock), out_tasks = blocks(s.out, step);
  parallel_for(x.n * pixel_tasks * out_tasks, [&](int task) {
    const int out_first = task % out_tasks * step, outs = std::min(step, s.out - out_first);
    const int first = task / out_tasks % pixel_tasks * kPixelBlock, count = std::min(kPixelBlock, pixels - first);
    const int n = task / out_tasks / pixel_tasks;
    const real* col = x.image(n) + first;
    int stride = pixels;
    if (!is_pointwise(s)) {
      real* gathered = scratch(static_cast<size_t>(columns) * count, 0);
      im2col(s, x.image(n), x.h, x.w, y.w, 0, s.in, first, first + count, gathered);
      col = gathered;
      stride = count;
    }
    real* out = y.plane(n, out_first) + first;
    if (!bias.empty())
      for (int o = 0; o < outs; ++o) std::fill_n(out + static_cast<size_t>(o) * pixels, count, bias.data[out_first + o]);
    gemm(false, false, outs, count, columns, 1, weight.data + static_cast<size_t>(out_first) * columns, columns, col, stride,
         bias.empty() ? 0 : 1, out, pixels);
  });
}

void conv2d_backward(const Conv2d& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  if (!dx.empty()) backward_data(s, weight, dy, dx);
  if (!dweight.empty()) backward_weight(s, x, dy, dweight);
  if (!dbias.empty())
    parallel_for(s.out, [&](int o) {
      for (int n = 0; n < dy.n; ++n) dbias.data[o] += static_cast<real>(moments(dy.plane(n, o), static_cast<size_t>(dy.h) * dy.w, 0).a);
    });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
