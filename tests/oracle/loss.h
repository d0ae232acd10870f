// loss[n] = ln(sum_j exp(z_nj)) - z_n,label.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

template <class T>
std::vector<T> cross_entropy(int classes, const std::vector<int>& labels, const std::vector<T>& logits) {
  std::vector<T> loss;
  for (size_t n = 0; n < labels.size(); ++n) {
    const T* z = logits.data() + n * classes;
    double largest = real_part(z[0]);
    for (int j = 0; j < classes; ++j) largest = std::max(largest, real_part(z[j]));
    T total(0);
    for (int j = 0; j < classes; ++j) total += std::exp(z[j] - largest);
    loss.push_back(std::log(total) + largest - z[labels[n]]);
  }
  return loss;
}

}  // namespace purescope::oracle
