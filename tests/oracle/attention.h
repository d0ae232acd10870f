// y_ci = sum_j v_cj P_ij,  P_ij = exp(S_ij) / sum_j exp(S_ij),  S_ij = scale sum_c q_ci k_cj, per image and head.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

// softmax of one row; the largest real part is taken out of every exponent.
template <class T>
std::vector<T> softmax(std::vector<T> row) {
  double largest = real_part(row[0]);
  for (const T& v : row) largest = std::max(largest, real_part(v));
  T total(0);
  for (T& v : row) total += v = std::exp(v - largest);
  for (T& v : row) v /= total;
  return row;
}

// q, k, v [n, channels, positions]; head i owns channels [i * size, (i + 1) * size).
template <class T>
std::vector<T> attention(int channels, int heads, double scale, int n, int positions, const std::vector<T>& q, const std::vector<T>& k,
                         const std::vector<T>& v) {
  std::vector<T> y(q.size());
  const int size = channels / heads;
  for (int image = 0; image < n; ++image)
    for (int head = 0; head < heads; ++head) {
      const size_t base = (static_cast<size_t>(image) * channels + head * size) * positions;
      for (int i = 0; i < positions; ++i) {
        std::vector<T> row(positions, T(0));
        for (int j = 0; j < positions; ++j) {
          for (int c = 0; c < size; ++c) row[j] += times(q[base + c * positions + i], k[base + c * positions + j]);
          row[j] *= scale;
        }
        row = softmax(row);
        for (int c = 0; c < size; ++c) {
          T total(0);
          for (int j = 0; j < positions; ++j) total += times(v[base + c * positions + j], row[j]);
          y[base + c * positions + i] = total;
        }
      }
    }
  return y;
}

}  // namespace purescope::oracle
