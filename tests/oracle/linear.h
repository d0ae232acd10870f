// y[n,o] = bias_o + sum_i weight[o,i] x[n,i]. bias may be empty.
#pragma once
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

template <class T>
std::vector<T> linear(int in, int out, int n, const std::vector<T>& x, const std::vector<T>& weight, const std::vector<T>& bias) {
  std::vector<T> y(static_cast<size_t>(n) * out);
  for (int image = 0; image < n; ++image)
    for (int o = 0; o < out; ++o) {
      T total = bias.empty() ? T(0) : bias[o];
      for (int i = 0; i < in; ++i) total += times(weight[o * in + i], x[image * in + i]);
      y[image * out + o] = total;
    }
  return y;
}

}  // namespace purescope::oracle
