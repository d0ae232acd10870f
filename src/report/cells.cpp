#include "report/cells.h"

#include <cmath>
#include <cstdio>

#include "io/json_text.h"

namespace purescope {
namespace {

constexpr double kNormal95 = 1.959963984540054;   // 97.5 % point of the standard normal distribution

}  // namespace

Cell word_cell(const std::string& text) {
  Cell c;
  c.text = text;
  return c;
}

Cell value_cell(double value, int n) {
  Cell c;
  c.value = value;
  c.n = n;
  return c;
}

Cell count_cell(int64_t value) { return value_cell(static_cast<double>(value)); }

Cell percent_cell(const Proportion& p) {
  Cell c;
  if (p.n == 0) return word_cell("-");
  c.value = 100 * p.value;
  c.low = 100 * p.low;
  c.high = 100 * p.high;
  c.n = p.n;
  return c;
}

Cell spread_cell(const std::vector<double>& values) {
  if (values.empty()) return word_cell("-");
  Cell c;
  c.value = mean(values);
  c.deviation = standard_deviation(values);
  c.n = static_cast<int>(values.size());
  return c;
}

Cell mean_cell(const std::vector<double>& values) {
  if (values.empty()) return word_cell("-");
  Cell c = spread_cell(values);
  const double half = kNormal95 * standard_error(values);
  c.low = c.value - half;
  c.high = c.value + half;
  return c;
}

Cell papers_cell(double value, double deviation) {
  if (std::isnan(value)) return word_cell("-");
  Cell c;
  c.value = value;
  c.deviation = deviation;
  c.papers = true;
  return c;
}

std::string p_words(double p) { return p < 1e-4 ? "p < 0.0001" : "p = " + number_words(p, 4); }

std::string percent_text(const Proportion& p) { return p.text(); }

std::string proportion_json(const Proportion& p) {
  return JsonLine().add("k", p.k).add("n", p.n).add("value", p.value).add("low", p.low).add("high", p.high).text();
}

std::string number_words(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace purescope
