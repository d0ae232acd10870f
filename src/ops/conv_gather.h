// Gathering for convolution: pieces of pictures with their zero padding, and panels of the gathered matrix
//   col[(channel, tap), p] = padded[channel, stride * row(p) + tap row, stride * column(p) + tap column].
#pragma once
#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

inline real* scratch(size_t count, int slot) { return static_cast<real*>(thread_scratch(count * sizeof(real), slot)); }

// A window of one plane of h x w: rows [top, top + rows), columns [left, left + columns), zero outside the plane. Overwrites out.
inline void copy_window(const real* plane, int h, int w, int top, int left, int rows, int columns, real* out) {
  const int begin = std::clamp(-left, 0, columns), end = std::clamp(w - left, begin, columns);
  for (int r = 0; r < rows; ++r, out += columns) {
    const int y = top + r;
    if (y < 0 || y >= h) {
      std::fill_n(out, columns, real(0));
      continue;
    }
    std::fill_n(out, begin, real(0));
    std::memcpy(out + begin, plane + static_cast<size_t>(y) * w + left + begin, (end - begin) * sizeof(real));
    std::fill_n(out + end, columns - end, real(0));
  }
}

constexpr int kPixelBlock = 256;  // most output pixels gathered at once

// Which values of a padded window belong to output pixels [first, first + count) of a picture out_w wide, as runs that stay within
// one picture row and one panel. The window begins at the row of `first`.
class PixelRuns {
 public:
  PixelRuns(int first, int count, int out_w, int stride, int columns, int panel, int panel_size) : stride_(stride) {
    const int top = first / out_w;
    for (int p = 0; p < count; ++count_) {
      const int row = (first + p) / out_w, column = (first + p) % out_w, lane = p % panel;
      const int length = std::min({out_w - column, count - p, panel - lane});
      runs_[count_] = {((row - top) * columns + column) * stride, p / panel * panel_size + lane, length};
      equal_ = equal_ && length == runs_[0].length;
      p += length;
    }
  }

  // panels[...] = the pixels as seen by one tap, `window` being where the tap looks for pixel (0, 0).
  void gather(const real* window, real* panels) const {
    if (stride_ != 1) return gather_strided(window, panels);
    switch (equal_ ? runs_[0].length : 0) {
      case 4: return gather_equal<4>(window, panels);
      case 8: return gather_equal<8>(window, panels);
      case 16: return gather_equal<16>(window, panels);
      case 32: return gather_equal<32>(window, panels);
    }
    for (int i = 0; i < count_; ++i)
      std::memcpy(panels + runs_[i].to, window + runs_[i].from, runs_[i].length * sizeof(real));
  }

 private:
  struct Run { int from, to, length; };

  template <int kLength>
  void gather_equal(const real* window, real* panels) const {
    for (int i = 0; i < count_; ++i) std::memcpy(panels + runs_[i].to, window + runs_[i].from, kLength * sizeof(real));
  }
  void gather_strided(const real* window, real* panels) const {
    for (int i = 0; i < count_; ++i)
      for (int k = 0; k < runs_[i].length; ++k) panels[runs_[i].to + k] = window[runs_[i].from + k * stride_];
  }

  Run runs_[kPixelBlock];
  int count_ = 0, stride_;
  bool equal_ = true;
};

// panels[j / panel][p][j % panel] = rows[j * row_stride + p] for j in [0, count), p in [0, pixels): a transpose, zero lanes at the end.
inline void transpose_to_panels(const real* rows, ptrdiff_t row_stride, int count, int pixels, int panel, real* panels) {
  for (int first = 0; first < count; first += panel, panels += static_cast<size_t>(pixels) * panel) {
    const int lanes = std::min(panel, count - first);
    for (int block = 0; block < pixels; block += 16)
      for (int j = 0; j < panel; ++j) {
        const real* from = rows + (first + j) * row_stride;
        for (int p = block; p < std::min(block + 16, pixels); ++p) panels[p * panel + j] = j < lanes ? from[p] : real(0);
      }
  }
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
