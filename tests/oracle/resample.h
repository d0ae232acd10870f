// Changes of resolution.
#pragma once
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

// y[plane, r, c] = x[plane, r / 2, c / 2].
template <class T>
std::vector<T> upsample_nearest(int planes, int h, int w, const std::vector<T>& x) {
  std::vector<T> y;
  for (int plane = 0; plane < planes; ++plane)
    for (int row = 0; row < 2 * h; ++row)
      for (int col = 0; col < 2 * w; ++col) y.push_back(x[(plane * h + row / 2) * w + col / 2]);
  return y;
}

template <class T>
std::vector<T> global_avg_pool(int planes, int pixels, const std::vector<T>& x) {
  std::vector<T> y(planes, T(0));
  for (int plane = 0; plane < planes; ++plane)
    for (int p = 0; p < pixels; ++p) y[plane] += x[plane * pixels + p] / static_cast<double>(pixels);
  return y;
}

// y[:, before + k] = x[:, k, ::stride, ::stride], zero in the other before + after channels.
template <class T>
std::vector<T> subsample_pad(int stride, int before, int after, int n, int channels, int h, int w, const std::vector<T>& x) {
  std::vector<T> y;
  for (int image = 0; image < n; ++image)
    for (int c = -before; c < channels + after; ++c)
      for (int row = 0; row < h; row += stride)
        for (int col = 0; col < w; col += stride)
          y.push_back(c < 0 || c >= channels ? T(0) : x[((image * channels + c) * h + row) * w + col]);
  return y;
}

}  // namespace purescope::oracle
