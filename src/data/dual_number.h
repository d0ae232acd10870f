// A number with its derivatives: forward-mode differentiation. Clifford, Proc. London Math. Soc. 4 (1873): e^2 = 0, so
// f(a + e b) = f(a) + e b f'(a).
#pragma once
#include <cmath>

namespace purescope {

// value + sum_k slope_k e_k. The value is computed as with doubles alone, to the same bits.
template <int N>
struct DualNumber {
  double value = 0, slope[N] = {};

  DualNumber(double value = 0) : value(value) {}
  DualNumber(double value, int which) : value(value) { slope[which] = 1; }  // the which-th variable itself

  DualNumber operator-() const { return of(-value, -1, *this, 0, *this); }
  friend DualNumber operator+(const DualNumber& a, const DualNumber& b) { return of(a.value + b.value, 1, a, 1, b); }
  friend DualNumber operator-(const DualNumber& a, const DualNumber& b) { return of(a.value - b.value, 1, a, -1, b); }
  friend DualNumber operator*(const DualNumber& a, const DualNumber& b) {
    return of(a.value * b.value, b.value, a, a.value, b);
  }
  // d(a/b) = da / b - a/b db / b
  friend DualNumber operator/(const DualNumber& a, const DualNumber& b) {
    const double q = a.value / b.value;
    return of(q, 1 / b.value, a, -q / b.value, b);
  }
  friend DualNumber sqrt(const DualNumber& a) {
    const double root = std::sqrt(a.value);
    return of(root, 0.5 / root, a, 0, a);
  }
  DualNumber& operator*=(const DualNumber& b) { return *this = *this * b; }
  DualNumber& operator+=(const DualNumber& b) { return *this = *this + b; }
  friend bool operator<(const DualNumber& a, const DualNumber& b) { return a.value < b.value; }
  friend bool operator>(const DualNumber& a, const DualNumber& b) { return a.value > b.value; }

 private:
  // value, with slopes p a' + q b'.
  static DualNumber of(double value, double p, const DualNumber& a, double q, const DualNumber& b) {
    DualNumber r(value);
    for (int k = 0; k < N; k++) r.slope[k] = p * a.slope[k] + q * b.slope[k];
    return r;
  }
};

}  // namespace purescope
