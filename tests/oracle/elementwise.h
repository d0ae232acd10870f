// Activations, sums, concatenation, broadcast.
#pragma once
#include <cmath>
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

// y = x / (1 + e^-x), written without overflow for very negative x.
template <class T>
std::vector<T> silu(const std::vector<T>& x) {
  std::vector<T> y;
  for (const T& v : x) y.push_back(real_part(v) >= 0 ? v / (1.0 + std::exp(-v)) : times(v, std::exp(v)) / (1.0 + std::exp(v)));
  return y;
}

template <class T>
std::vector<T> relu(const std::vector<T>& x) {
  std::vector<T> y;
  for (const T& v : x) y.push_back(real_part(v) > 0 ? v : T(0));
  return y;
}

template <class T>
std::vector<T> add(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> y(a.size());
  for (size_t i = 0; i < a.size(); ++i) y[i] = a[i] + b[i];
  return y;
}

// Images of a_size and b_size values, one after the other.
template <class T>
std::vector<T> concat(int n, size_t a_size, size_t b_size, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> y;
  for (int image = 0; image < n; ++image) {
    for (size_t i = 0; i < a_size; ++i) y.push_back(a[image * a_size + i]);
    for (size_t i = 0; i < b_size; ++i) y.push_back(b[image * b_size + i]);
  }
  return y;
}

// planes = n * c: one value of v per plane of x.
template <class T>
std::vector<T> add_channel(int planes, int pixels, const std::vector<T>& x, const std::vector<T>& v) {
  std::vector<T> y;
  for (int plane = 0; plane < planes; ++plane)
    for (int p = 0; p < pixels; ++p) y.push_back(x[plane * pixels + p] + v[plane]);
  return y;
}

// [sin(t f_i), cos(t f_i)], f_i = 10000^(-i / divisor), i < dim / 2, in long double.
inline std::vector<double> time_embedding(int dim, int divisor, bool sin_first, const std::vector<double>& t) {
  std::vector<double> y;
  for (const double time : t)
    for (int j = 0; j < dim; ++j) {
      const int i = j % (dim / 2);
      const long double angle = time * std::pow(10000.0L, -static_cast<long double>(i) / divisor);
      y.push_back(static_cast<double>((j < dim / 2) == sin_first ? std::sin(angle) : std::cos(angle)));
    }
  return y;
}

}  // namespace purescope::oracle
