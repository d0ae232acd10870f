// What the ImageNet and score-SDE networks add.
#pragma once
#include <algorithm>
#include <vector>

#include "oracle/attention.h"
#include "oracle/scalar.h"

namespace purescope::oracle {

// y[n,c] = x[n,c] (1 + e[n,c]) + e[n,channels + c].
template <class T>
std::vector<T> scale_shift(int n, int channels, int pixels, const std::vector<T>& x, const std::vector<T>& e) {
  std::vector<T> y;
  for (int image = 0; image < n; ++image)
    for (int c = 0; c < channels; ++c)
      for (int p = 0; p < pixels; ++p)
        y.push_back(times(x[(image * channels + c) * pixels + p], 1.0 + e[image * 2 * channels + c]) + e[image * 2 * channels + channels + c]);
  return y;
}

// h, w: sizes of y.
template <class T>
std::vector<T> avg_pool(int planes, int h, int w, const std::vector<T>& x) {
  std::vector<T> y;
  for (int plane = 0; plane < planes; ++plane)
    for (int row = 0; row < h; ++row)
      for (int col = 0; col < w; ++col) {
        T total(0);
        for (int a = 0; a < 2; ++a)
          for (int b = 0; b < 2; ++b) total += x[(plane * 2 * h + 2 * row + a) * 2 * w + 2 * col + b];
        y.push_back(total / 4.0);
      }
  return y;
}

template <class T>
std::vector<T> max_pool(int kernel, int stride, int pad, int planes, int h, int w, const std::vector<T>& x) {
  std::vector<T> y;
  for (int plane = 0; plane < planes; ++plane)
    for (int row = -pad; row + kernel <= h + pad; row += stride)
      for (int col = -pad; col + kernel <= w + pad; col += stride) {
        const T* best = nullptr;
        for (int r = std::max(row, 0); r < std::min(row + kernel, h); ++r)
          for (int c = std::max(col, 0); c < std::min(col + kernel, w); ++c) {
            const T* v = &x[(plane * h + r) * w + c];
            if (!best || real_part(*v) > real_part(*best)) best = v;
          }
        y.push_back(*best);
      }
  return y;
}

// z [n, heads, {q, k, v}, size, positions]: unpacked, then plain attention.
template <class T>
std::vector<T> attention_packed(int channels, int heads, double scale, int n, int positions, const std::vector<T>& z) {
  std::vector<T> part[3];
  const size_t block = static_cast<size_t>(channels / heads) * positions;
  for (size_t at = 0; at < z.size(); ++at) part[at / block % 3].push_back(z[at]);
  return attention(channels, heads, scale, n, positions, part[0], part[1], part[2]);
}

// y[n,o,p] = b_o + sum_i W[i,o] x[n,i,p].
template <class T>
std::vector<T> nin(int in, int out, int n, int pixels, const std::vector<T>& x, const std::vector<T>& weight, const std::vector<T>& bias) {
  std::vector<T> y;
  for (int image = 0; image < n; ++image)
    for (int o = 0; o < out; ++o)
      for (int p = 0; p < pixels; ++p) {
        T total = bias[o];
        for (int i = 0; i < in; ++i) total += times(weight[i * out + o], x[(image * in + i) * pixels + p]);
        y.push_back(total);
      }
  return y;
}

// The hat function of the source pixels around the coordinate of an output, clamped at the edges: sum_s hat(p - s) x_s.
template <class T>
std::vector<T> resize_bilinear(int planes, int in_h, int in_w, int out_h, int out_w, const std::vector<T>& x) {
  auto weights = [](int in, int out, int i) {
    const double p = std::min(std::max((i + 0.5) * in / out - 0.5, 0.0), in - 1.0);
    std::vector<double> w(in);
    for (int s = 0; s < in; ++s) w[s] = std::max(0.0, 1 - std::abs(p - s));
    return w;
  };
  std::vector<std::vector<double>> rows, columns;
  for (int i = 0; i < out_h; ++i) rows.push_back(weights(in_h, out_h, i));
  for (int i = 0; i < out_w; ++i) columns.push_back(weights(in_w, out_w, i));
  std::vector<T> y;
  for (int plane = 0; plane < planes; ++plane)
    for (int row = 0; row < out_h; ++row)
      for (int col = 0; col < out_w; ++col) {
        T total(0);
        for (int r = 0; r < in_h; ++r)
          for (int c = 0; rows[row][r] != 0 && c < in_w; ++c)
            if (columns[col][c] != 0) total += rows[row][r] * columns[col][c] * x[(static_cast<size_t>(plane) * in_h + r) * in_w + c];
        y.push_back(total);
      }
  return y;
}

}  // namespace purescope::oracle
