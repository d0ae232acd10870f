#include "report/svg_scale.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "report/svg_text.h"

namespace purescope {

void Range::add(double value) {
  if (!std::isfinite(value)) return;
  low = empty() ? value : std::min(low, value);
  high = high != high ? value : std::max(high, value);
}

void Range::add(const std::vector<double>& values) {
  for (double v : values) add(v);
}

double Scale::operator()(double value) const {
  if (!std::isfinite(value) || (logarithmic && value <= 0)) return kNoNumber;
  const double share = logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return from + share * (to - from);
}

bool Scale::holds(double value) const {
  const double slack = 1e-9 * (high - low);
  return std::isfinite(value) && value >= low - slack && value <= high + slack;
}

Scale axis_scale(const Axis& axis, const Range& data, double from, double to) {
  Scale s{data.low, data.high, from, to, axis.logarithmic, false};
  if (data.empty()) s.low = axis.logarithmic ? .1 : 0, s.high = 1;
  if (s.logarithmic) {
    if (s.high / s.low < 1.0001) s.low /= 2, s.high *= 2;
    const double margin = std::pow(s.high / s.low, .05);
    s.low /= margin, s.high *= margin;
  } else {
    if (s.high - s.low <= 1e-12 * std::abs(s.high)) {
      const double room = s.high == 0 ? 1 : .1 * std::abs(s.high);
      s.low -= room, s.high += room;
    }
    const double margin = .05 * (s.high - s.low);
    s.low = data.low >= 0 ? std::max(0., s.low - margin) : s.low - margin;
    s.high = data.high <= 0 ? std::min(0., s.high + margin) : s.high + margin;
    if (s.low == s.high) s.high = s.low + 1;
  }
  const bool usable_low = std::isfinite(axis.low) && !(axis.logarithmic && axis.low <= 0),
             usable_high = std::isfinite(axis.high);
  if (usable_low && axis.low < (usable_high ? axis.high : s.high)) s.low = axis.low;
  if (usable_high && axis.high > s.low) s.high = axis.high;
  return s;
}

std::vector<double> tick_values(const Scale& s, int count) {
  std::vector<double> values;
  if (s.logarithmic) {
    const double decades = std::log10(s.high / s.low);
    const int stride = std::max(1, static_cast<int>(std::ceil(decades / count)));
    for (int e = static_cast<int>(std::floor(std::log10(s.low))); e <= std::ceil(std::log10(s.high)); ++e)
      for (double m : {1., 2., 5.})
        if (const double v = m * std::pow(10., e); s.holds(v) && (m == 1 ? e % stride == 0 : decades < 2))
          values.push_back(v);
    return values;
  }
  const double rough = (s.high - s.low) / std::max(1, count), power = std::pow(10., std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double m : {5., 2., 1.})
    if (m * power >= .7 * rough) step = m * power;
  if (s.whole) step = std::max(step, 1.);
  for (double k = std::ceil(s.low / step - 1e-9); k * step <= s.high + 1e-9 * step; ++k) values.push_back(k * step);
  return values;
}

std::vector<std::string> tick_labels(const Scale& s, const std::vector<double>& values) {
  std::vector<std::string> labels;
  const double step = values.size() > 1 ? values[1] - values[0] : std::abs(s.high - s.low);
  const double largest = std::max(std::abs(s.low), std::abs(s.high));
  const bool plain = !s.logarithmic && step >= .99e-4 && largest < 1e6;
  const int decimals = plain ? std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9))) : 0;
  for (double v : values) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, v == 0 ? 0. : v);
    std::string label = plain ? text : short_number(std::abs(v) < 1e-9 * largest && !s.logarithmic ? 0 : v);
    if (label[0] == '-' && label.find_first_of("123456789") == std::string::npos) label.erase(0, 1);
    labels.push_back(label);
  }
  return labels;
}

}  // namespace purescope
