// y[n,o,r,c] = bias_o + sum_{i,a,b} weight[o,i,a,b] x[n,i,stride*r + a - pad,stride*c + b - pad], x = 0 outside the picture.
#pragma once
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

struct ConvSize { int in, out, kernel, stride, pad, h, w, out_h, out_w; };

// bias may be empty.
template <class T>
std::vector<T> conv2d(const ConvSize& s, int n, const std::vector<T>& x, const std::vector<T>& weight, const std::vector<T>& bias) {
  std::vector<T> y;
  for (int image = 0; image < n; ++image)
    for (int o = 0; o < s.out; ++o)
      for (int row = 0; row < s.out_h; ++row)
        for (int col = 0; col < s.out_w; ++col) {
          T total = bias.empty() ? T(0) : bias[o];
          for (int i = 0; i < s.in; ++i)
            for (int a = 0; a < s.kernel; ++a)
              for (int b = 0; b < s.kernel; ++b) {
                const int r = s.stride * row + a - s.pad, c = s.stride * col + b - s.pad;
                if (r < 0 || r >= s.h || c < 0 || c >= s.w) continue;
                total += times(weight[((static_cast<size_t>(o) * s.in + i) * s.kernel + a) * s.kernel + b],
                               x[((static_cast<size_t>(image) * s.in + i) * s.h + r) * s.w + c]);
              }
          y.push_back(total);
        }
  return y;
}

}  // namespace purescope::oracle
