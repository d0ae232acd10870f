// Axes: from values to coordinates, and where the ticks stand.
#pragma once
#include <string>
#include <vector>

#include "report/section.h"

namespace purescope {

// Smallest and largest of the values seen; NaN and infinity are passed over.
struct Range {
  double low = kNoNumber, high = kNoNumber;
  void add(double value);
  void add(const std::vector<double>& values);
  bool empty() const { return low != low; }
};

// Maps [low, high] to [from, to], linearly or by the logarithm.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool logarithmic = false;
  bool whole = false;  // counts: no ticks between whole numbers
  // NaN for NaN, and for 0 and below on a logarithmic axis. Values outside [low, high] land outside [from, to].
  double operator()(double value) const;
  bool holds(double value) const;
};

// The range of an axis: its own limits where it has them, else the data with a margin of 5 % that does not cross zero.
// A single value gets a range around it. A logarithmic axis takes positive values alone.
Scale axis_scale(const Axis& axis, const Range& data, double from, double to);

// Values for ticks: 1, 2 or 5 times a power of ten, about `count` of them; decades (and 2, 5 where these are few) on a
// logarithmic axis.
std::vector<double> tick_values(const Scale& scale, int count);
// Their labels, with as many decimals as tell them apart.
std::vector<std::string> tick_labels(const Scale& scale, const std::vector<double>& values);

}  // namespace purescope
