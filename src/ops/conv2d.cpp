// Convolution as products of small tiles (tile_kernel.h), one image at a time. Work is cut at edges that depend on the layer
// alone, never on the batch or on the number of threads, so each value has the same bits however it is computed:
//   forward   y[o, p]         = bias_o + sum_q weight[o, q] col[q, p]       q = (i, a, b), p = output pixel
//   dx        the same with dy for x, channels exchanged and taps reversed (stride 1);
//             dcol[q, p]      = sum_o weight[o, q] dy[o, p],  dx = col2im(dcol)   (other strides)
//   dweight   dweight[o, q]  += sum_p padded[i, stride * row(p) + a, stride * column(p) + b] dy[o, p], images in order
// The gathered picture col exists only as panels of one pixel block; the weights are read where they lie.
#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/conv_gather.h"
#include "ops/gemm.h"
#include "ops/normalise.h"
#include "ops/ops.h"
#include "ops/tile_kernel.h"
#include "ops/winograd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kSumBlock = 256;      // terms of a sum before it is added to the result, rounded down to whole channels or rows
constexpr int kChannelBlock = 32;   // input channels per task of dx, stride > 1

int blocks(int size, int block) { return (size + block - 1) / block; }

// The largest block that covers `size` in as few blocks as `most` does.
int even_block(int size, int most) { return blocks(size, blocks(size, most)); }

// y[m, p] += sum over (channel, tap) a[m * row_stride + channel * channel_stride + tap] * col[(channel, tap), p].
struct Correlation {
  const real* a;
  ptrdiff_t row_stride, channel_stride;
  int channels, h, w;           // of one image x
  int kernel, stride, pad;
  bool reversed;                // tap (a, b) looks at (kernel - 1 - a, kernel - 1 - b)
  int rows, out_h, out_w;       // of one image y
};

// How y is cut into tasks: blocks of whole panels of pixels and, for small pictures, blocks of rows.
struct Cut {
  explicit Cut(const Correlation& s) {
    const int all = s.out_h * s.out_w;
    pixels = all > 128 ? std::min(kPixelBlock, blocks(blocks(all, 2), 32) * 32) : all;
    rows = all > 2 * kPixelBlock || s.rows < 48 ? s.rows : all > 128 ? blocks(blocks(s.rows, 2), 12) * 12
                                                                      : blocks(blocks(s.rows, 4), 12) * 12;
    pixel_tasks = blocks(all, pixels);
    row_tasks = blocks(s.rows, rows);
  }
  int pixels, rows, pixel_tasks, row_tasks;
};

// Panels of col for channels [channel, channel + count) and output pixels [first, first + pixels).
void gather_panels(const Correlation& s, const real* x, int channel, int count, int first, int pixels, int panel, real* panels) {
  const int taps = s.kernel * s.kernel, top = first / s.out_w, bottom = (first + pixels - 1) / s.out_w;
  const int rows = (bottom - top) * s.stride + s.kernel, columns = (s.out_w - 1) * s.stride + s.kernel;
  const size_t panel_size = static_cast<size_t>(count) * taps * panel;
  const PixelRuns runs(first, pixels, s.out_w, s.stride, columns, panel, static_cast<int>(panel_size));
  if (pixels % panel != 0) std::fill_n(panels + pixels / panel * panel_size, panel_size, real(0));
  real* window = scratch(static_cast<size_t>(rows) * columns, 1);
  for (int i = 0; i < count; ++i) {
    const real* plane = x + static_cast<size_t>(channel + i) * s.h * s.w;
    if (s.kernel == 1 && s.pad == 0 && columns == s.w && rows <= s.h - top * s.stride) {
      runs.gather(plane + static_cast<size_t>(top) * s.stride * s.w, panels + static_cast<size_t>(i) * panel);
      continue;
    }
    copy_window(plane, s.h, s.w, top * s.stride - s.pad, -s.pad, rows, columns, window);
    for (int t = 0; t < taps; ++t) {
      const int look = s.reversed ? taps - 1 - t : t;
      runs.gather(window + look / s.kernel * columns + look % s.kernel, panels + (static_cast<size_t>(i) * taps + t) * panel);
    }
  }
}

// Rows [row, row + count) and pixels [first, first + pixels) of y for one image.
void correlate(const Correlation& s, const real* x, int row, int count, int first, int pixels, real* y) {
  const TileKernel& kernel = tile_kernel();
  const int taps = s.kernel * s.kernel, step = even_block(s.channels, std::max(1, kSumBlock / taps));
  const int tile = even_block(count, kernel.rows), out_size = s.out_h * s.out_w;
  real* panels = scratch(static_cast<size_t>(step) * taps * blocks(pixels, kernel.panel) * kernel.panel, 0);
  for (int channel = 0; channel < s.channels; channel += step) {
    const int channels = std::min(step, s.channels - channel);
    gather_panels(s, x, channel, channels, first, pixels, kernel.panel, panels);
    for (int m = row; m < row + count; m += tile)
      for (int p = 0; p < pixels; p += kernel.panel) {
        TileProduct t;
        t.a = s.a + m * s.row_stride + channel * s.channel_stride;
        t.row_stride = s.row_stride;
        t.channel_stride = s.channel_stride;
        t.channels = channels;
        t.taps = taps;
        t.b = panels + static_cast<size_t>(p) * channels * taps;
        t.c = y + static_cast<size_t>(m) * out_size + first + p;
        t.c_stride = out_size;
        kernel.multiply(std::min(tile, row + count - m), std::min(kernel.panel, pixels - p), t);
      }
  }
}

// All images of y = bias + correlation of x. bias may be null: then 0.
void correlate_images(const Correlation& s, View x, const real* bias, View y) {
  const Cut cut(s);
  const int out_size = s.out_h * s.out_w;
  parallel_for(x.n * cut.pixel_tasks * cut.row_tasks, [&](int task) {
    const int row = task % cut.row_tasks * cut.rows, rows = std::min(cut.rows, s.rows - row);
    const int first = task / cut.row_tasks % cut.pixel_tasks * cut.pixels, pixels = std::min(cut.pixels, out_size - first);
    const int n = task / cut.row_tasks / cut.pixel_tasks;
    for (int m = row; m < row + rows; ++m) std::fill_n(y.plane(n, m) + first, pixels, bias ? bias[m] : real(0));
    correlate(s, x.image(n), row, rows, first, pixels, y.image(n));
  });
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

void backward_data_strided(const Conv2d& s, View weight, View dy, View dx) {
  const int taps = s.kernel * s.kernel, pixels = dy.h * dy.w, columns = s.in * taps;
  const int tasks = blocks(s.in, kChannelBlock);
  parallel_for(dx.n * tasks, [&](int task) {
    const int n = task / tasks, first = task % tasks * kChannelBlock, count = std::min(kChannelBlock, s.in - first);
    real* col = scratch(static_cast<size_t>(count) * taps * pixels, 0);
    gemm(true, false, count * taps, pixels, s.out, 1, weight.data + static_cast<size_t>(first) * taps, columns, dy.image(n), pixels, 0,
         col, pixels);
    col2im(s, col, count, dx.h, dx.w, dy.h, dy.w, dx.plane(n, first));
  });
}

void backward_data(const Conv2d& s, View weight, View dy, View dx) {
  if (s.stride != 1) return backward_data_strided(s, weight, dy, dx);
  const int taps = s.kernel * s.kernel;
  const Correlation back{weight.data, taps, static_cast<ptrdiff_t>(s.in) * taps, s.out, dy.h, dy.w,
                         s.kernel, 1, s.kernel - 1 - s.pad_before, true, s.in, dx.h, dx.w};
  correlate_images(back, dy, nullptr, dx);
}

// Sizes of a task of dweight: `channels` input channels and `outs` output channels, summed over blocks of `rows` output rows.
struct WeightCut {
  WeightCut(const Conv2d& s, const View& dy, int panel)
      : channels(s.kernel == 1 ? 192 : 48), outs(64), rows(even_block(dy.h, std::max(1, kSumBlock / dy.w))),
        ld(blocks(std::min(outs, s.out), panel) * panel) {}
  int channels, outs, rows, ld;
};

// sums[tap, i, o] += the products of one image's output rows [row, row + rows) for `channels` channels from `channel` on and outputs
// in panels; sums has rows of cut.ld.
void weight_products(const Conv2d& s, const real* x, int h, int w, int channel, int channels, int row, int rows, int out_w, int outs,
                     const real* panels, int ld, real* sums) {
  const TileKernel& kernel = tile_kernel();
  const int height = (rows - 1) * s.stride + s.kernel, width = (out_w - 1) * s.stride + s.kernel, plane = height * width;
  real* windows = scratch(static_cast<size_t>(channels) * plane, 1);
  for (int i = 0; i < channels; ++i)
    copy_window(x + static_cast<size_t>(channel + i) * h * w, h, w, row * s.stride - s.pad_before, -s.pad_before, height, width,
                windows + static_cast<size_t>(i) * plane);
  TileProduct t;
  t.row_stride = plane;
  t.channel_stride = static_cast<ptrdiff_t>(s.stride) * width;
  t.tap_stride = s.stride;
  t.channels = rows;
  t.taps = out_w;
  t.c_stride = ld;
  const int tile = even_block(channels, kernel.rows);
  for (int i = 0; i < channels; i += tile)
    for (int o = 0; o < outs; o += kernel.panel)
      for (int a = 0; a < s.kernel; ++a)
        for (int b = 0; b < s.kernel; ++b) {
          t.a = windows + static_cast<size_t>(i) * plane + a * width + b;
          t.b = panels + static_cast<size_t>(o) * rows * out_w;
          t.c = sums + (static_cast<size_t>(a * s.kernel + b) * channels + i) * ld + o;
          kernel.multiply(std::min(tile, channels - i), std::min(kernel.panel, outs - o), t);
        }
}

void backward_weight(const Conv2d& s, View x, View dy, View dweight) {
  const int panel = tile_kernel().panel, taps = s.kernel * s.kernel, pixels = dy.h * dy.w;
  const WeightCut cut(s, dy, panel);
  const int out_tasks = blocks(s.out, cut.outs);
  parallel_for(blocks(s.in, cut.channels) * out_tasks, [&](int task) {
    const int out = task % out_tasks * cut.outs, outs = std::min(cut.outs, s.out - out);
    const int channel = task / out_tasks * cut.channels, channels = std::min(cut.channels, s.in - channel), columns = channels * taps;
    real* sums = scratch(static_cast<size_t>(columns) * cut.ld, 2);
    real* dw = dweight.data + (static_cast<size_t>(out) * s.in + channel) * taps;
    const auto each = [&](auto&& action) {
      for (int block = 0; block < columns; block += 16)  // a cache line of weights at a time
        for (int o = 0; o < outs; ++o)
          for (int q = block; q < std::min(block + 16, columns); ++q)
            action(dw[static_cast<size_t>(o) * s.in * taps + q], sums[(static_cast<size_t>(q % taps) * channels + q / taps) * cut.ld + o]);
    };
    each([](real& weight, real& sum) { sum = weight; });
    for (int n = 0; n < x.n; ++n)
      for (int row = 0; row < dy.h; row += cut.rows) {
        const int rows = std::min(cut.rows, dy.h - row);
        real* panels = scratch(static_cast<size_t>(rows) * dy.w * cut.ld, 0);
        transpose_to_panels(dy.plane(n, out) + static_cast<size_t>(row) * dy.w, pixels, outs, rows * dy.w, panel, panels);
        weight_products(s, x.image(n), x.h, x.w, channel, channels, row, rows, dy.w, outs, panels, cut.ld, sums);
      }
    each([](real& weight, real& sum) { weight = sum; });
  });
}

}  // namespace

namespace cpu {

void conv2d_forward(const Conv2d& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.c == s.in && y.c == s.out && y.h == conv2d_size(s, x.h) && y.w == conv2d_size(s, x.w) && x.n == y.n);
  if (s.algorithm != ConvAlgorithm::Exact) return winograd_forward(s, x, weight, bias, y);
  const int taps = s.kernel * s.kernel;
  const Correlation forward{weight.data, static_cast<ptrdiff_t>(s.in) * taps, taps, s.in, x.h, x.w,
                            s.kernel, s.stride, s.pad_before, false, s.out, y.h, y.w};
  correlate_images(forward, x, bias.empty() ? nullptr : bias.data, y);
}

void conv2d_backward(const Conv2d& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  const bool exact = s.algorithm == ConvAlgorithm::Exact;
  if (!dx.empty()) (exact ? backward_data : winograd_backward_data)(s, weight, dy, dx);
  if (!dweight.empty()) (exact ? backward_weight : winograd_backward_weight)(s, x, dy, dweight);
  if (!dbias.empty())
    parallel_for(s.out, [&](int o) {
      for (int n = 0; n < dy.n; ++n) dbias.data[o] += static_cast<real>(moments(dy.plane(n, o), static_cast<size_t>(dy.h) * dy.w, 0).a);
    });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
