// The one comparison of every test. It reports the worst element, counts bad ones with !(error <= tolerance), so that NaN is bad,
// and refuses to call two arrays of zeros, or two empty arrays, equal.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace purescope {

struct Comparison {
  bool ok = false;
  size_t count = 0;        // elements compared
  size_t bad = 0;          // elements outside the tolerance
  size_t worst_index = 0;  // a NaN counts as worst of all
  double worst = 0;        // error relative to scale; for bitwise the largest difference
  double scale = 0;        // max |expected|, unless given
  std::string message;     // readable in both cases
  explicit operator bool() const { return ok; }
};

namespace compare_detail {

inline std::string text(const char* format, double a, double b = 0, double c = 0, double d = 0) {
  char buffer[200];
  std::snprintf(buffer, sizeof buffer, format, a, b, c, d);
  return buffer;
}

inline void conclude(Comparison& r, bool nonzero, double tolerance, double actual, double expected) {
  r.ok = r.count > 0 && nonzero && r.bad == 0;
  if (r.count == 0) r.message = "nothing was compared: the arrays are empty";
  else if (!nonzero) r.message = "nothing was compared: all " + std::to_string(r.count) + " expected values are zero";
  else
    r.message = std::to_string(r.bad) + " of " + std::to_string(r.count) + " elements bad; worst error " +
                text("%.3g of scale %.6g (tolerance %.3g): ", r.worst, r.scale, tolerance) + "actual[" +
                std::to_string(r.worst_index) + "] = " + text("%.17g, expected %.17g", actual, expected);
}

}  // namespace compare_detail

// error_i = |actual_i - expected_i| / scale, scale = max |expected| (or the one given, when it is positive); ok if every
// error_i <= tolerance, there is at least one element, and some expected value is not zero.
template <class A, class E>
Comparison compare(const A* actual, const E* expected, size_t count, double tolerance, double given_scale = 0) {
  Comparison r;
  r.count = count;
  double largest = 0;
  for (size_t i = 0; i < count; ++i)
    if (std::fabs(static_cast<double>(expected[i])) > largest) largest = std::fabs(static_cast<double>(expected[i]));
  r.scale = given_scale > 0 ? given_scale : largest;
  for (size_t i = 0; i < count; ++i) {
    const double error = std::fabs(static_cast<double>(actual[i]) - static_cast<double>(expected[i])) / (r.scale > 0 ? r.scale : 1);
    if (!(error <= tolerance)) ++r.bad;
    if (!std::isnan(r.worst) && !(error <= r.worst)) { r.worst = error; r.worst_index = i; }
  }
  compare_detail::conclude(r, largest > 0, tolerance, count ? static_cast<double>(actual[r.worst_index]) : 0,
                           count ? static_cast<double>(expected[r.worst_index]) : 0);
  return r;
}

// error = |actual - expected|_2 / |expected|_2; one number for the whole array.
template <class A, class E>
Comparison compare_l2(const A* actual, const E* expected, size_t count, double tolerance) {
  Comparison r = compare(actual, expected, count, tolerance);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    difference += d * d;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  const double error = std::sqrt(difference) / (norm > 0 ? std::sqrt(norm) : 1);
  const std::string elements = r.message;
  r.bad = !(error <= tolerance);
  r.worst = error;
  r.ok = count > 0 && !(norm == 0) && r.bad == 0;
  if (count > 0 && norm != 0)
    r.message = compare_detail::text("relative l2 error %.3g (tolerance %.3g); by element: ", error, tolerance) + elements;
  return r;
}

// The same bits, element by element; NaN never equals anything, +0 and -0 differ, and zeros may be compared.
template <class A, class E>
Comparison compare_bits(const A* actual, const E* expected, size_t count) {
  static_assert(std::is_same_v<A, E>, "only values of one type can have the same bits");
  Comparison r;
  r.count = count;
  for (size_t i = 0; i < count; ++i) {
    if (std::memcmp(actual + i, expected + i, sizeof(A)) == 0 && actual[i] == expected[i]) continue;
    const double error = std::fabs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
    if (r.bad++ == 0 || (!std::isnan(r.worst) && !(error <= r.worst))) { r.worst = error; r.worst_index = i; }
  }
  r.ok = count > 0 && r.bad == 0;
  if (count == 0) r.message = "nothing was compared: the arrays are empty";
  else
    r.message = std::to_string(r.bad) + " of " + std::to_string(count) + " elements differ in their bits; largest difference at [" +
                std::to_string(r.worst_index) + "]: " +
                compare_detail::text("%.17g against %.17g", static_cast<double>(actual[r.worst_index]), static_cast<double>(expected[r.worst_index]));
  return r;
}

// The same for vectors; different sizes are not ok.
template <class A, class E>
Comparison compare(const std::vector<A>& actual, const std::vector<E>& expected, double tolerance, double given_scale = 0) {
  if (actual.size() == expected.size()) return compare(actual.data(), expected.data(), expected.size(), tolerance, given_scale);
  Comparison r;
  r.message = "sizes differ: " + std::to_string(actual.size()) + " and " + std::to_string(expected.size());
  return r;
}

template <class A>
Comparison compare_bits(const std::vector<A>& actual, const std::vector<A>& expected) {
  if (actual.size() == expected.size()) return compare_bits(actual.data(), expected.data(), expected.size());
  Comparison r;
  r.message = "sizes differ: " + std::to_string(actual.size()) + " and " + std::to_string(expected.size());
  return r;
}

}  // namespace purescope
