// What the oracles need so that one formula runs in double and in std::complex<double>. The complex instantiation serves the complex
// step: Im f(x + i h) / h = f'(x) to rounding, without cancellation, for functions that are analytic. Max and comparisons look at the
// real part.
#pragma once
#include <complex>
#include <vector>

namespace purescope::oracle {

using Complex = std::complex<double>;

inline double real_part(double x) { return x; }
inline double real_part(Complex x) { return x.real(); }

inline double times(double a, double b) { return a * b; }
// The product without the library's recovery from infinities, which costs more than the product.
inline Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// The arguments of an op: inputs, parameters and running statistics, each a dense array, n images.
template <class T>
struct Args {
  int n = 0;
  std::vector<std::vector<T>> in, param, state;
  std::vector<T> bias(size_t index) const { return index < param.size() ? param[index] : std::vector<T>{}; }  // empty if absent
};

}  // namespace purescope::oracle
