#include "io/fraction.h"

#include <charconv>
#include <climits>
#include <cmath>

#include "core/check.h"

namespace purescope {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& flag, const std::string& why,
                         const std::string& todo) {
  fail(kUsage, "\"" + text.substr(0, 60) + "\" " + why, flag, todo);
}

enum class Reading { Good, NotANumber, OutOfRange };

// The whole of `text` as a number; from_chars takes no leading space and no plus sign.
template <typename T>
Reading read(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return Reading::NotANumber;
  return error == std::errc::result_out_of_range ? Reading::OutOfRange : Reading::Good;
}

double read_double(const std::string& part, const std::string& text, const std::string& flag, const std::string& todo) {
  double value = 0;
  const Reading reading = read(part, value);
  if (reading == Reading::NotANumber) refuse(text, flag, "is not a number", todo);
  if (reading == Reading::OutOfRange || !std::isfinite(value))
    refuse(text, flag, "is outside the range of a double", todo);
  return value;
}

template <typename T>
T read_integer(const std::string& text, const std::string& flag, T low, T high) {
  const std::string todo = "give a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  T value = 0;
  const Reading reading = read(text, value);
  if (reading == Reading::NotANumber) refuse(text, flag, "is not a whole number", todo);
  if (reading == Reading::OutOfRange || value < low || value > high) refuse(text, flag, "is out of range", todo);
  return value;
}

// Calls parse(item) for each part between commas.
template <typename T, typename Parse>
std::vector<T> read_list(const std::string& text, Parse parse) {
  std::vector<T> values;
  for (size_t begin = 0;;) {
    const size_t comma = text.find(',', begin);
    values.push_back(parse(text.substr(begin, comma - begin)));
    if (comma == std::string::npos) return values;
    begin = comma + 1;
  }
}

}  // namespace

double parse_fraction(const std::string& text, const std::string& flag) {
  const std::string todo = "write a number (0.031) or a fraction (8/255)";
  const size_t slash = text.find('/');
  const double above = read_double(text.substr(0, slash), text, flag, todo);
  const double below = slash == std::string::npos ? 1 : read_double(text.substr(slash + 1), text, flag, todo);
  if (below == 0) refuse(text, flag, "divides by zero", todo);
  const double value = above / below;
  if (std::signbit(above) || std::signbit(below)) refuse(text, flag, "is negative", todo);
  if (!std::isfinite(value) || (value == 0 && above != 0)) refuse(text, flag, "is outside the range of a double", todo);
  return value;
}

std::vector<double> parse_fraction_list(const std::string& text, const std::string& flag) {
  return read_list<double>(text, [&](const std::string& item) { return parse_fraction(item, flag); });
}

int64_t parse_int(const std::string& text, const std::string& flag, int64_t low, int64_t high) {
  return read_integer<int64_t>(text, flag, low, high);
}

std::vector<int64_t> parse_int_list(const std::string& text, const std::string& flag, int64_t low, int64_t high) {
  return read_list<int64_t>(text, [&](const std::string& item) { return parse_int(item, flag, low, high); });
}

int parse_count(const std::string& text, const std::string& flag) {
  return static_cast<int>(read_integer<int64_t>(text, flag, 1, INT_MAX));
}

uint64_t parse_seed(const std::string& text, const std::string& flag) {
  // from_chars reads "-1" as no number for unsigned types, which is what is wanted here.
  return read_integer<uint64_t>(text, flag, 0, UINT64_MAX);
}

std::vector<uint64_t> parse_seed_list(const std::string& text, const std::string& flag) {
  return read_list<uint64_t>(text, [&](const std::string& item) { return parse_seed(item, flag); });
}

std::pair<int64_t, int64_t> parse_range(const std::string& text, const std::string& flag) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) refuse(text, flag, "is not a range", "write FIRST:END, for example 0:100");
  const int64_t first = parse_int(text.substr(0, colon), flag, 0), end = parse_int(text.substr(colon + 1), flag, 0);
  if (first >= end) refuse(text, flag, "is an empty range", "FIRST must be smaller than END");
  return {first, end};
}

uint64_t parse_size(const std::string& text, const std::string& flag) {
  const std::string todo = "write a size like 512M, 4G or 1.5G";
  const std::string units = "KMGT";
  const size_t unit = text.empty() ? std::string::npos : units.find(text.back());
  const std::string digits = unit == std::string::npos ? text : text.substr(0, text.size() - 1);
  const double bytes =
      std::ldexp(read_double(digits, text, flag, todo), unit == std::string::npos ? 0 : 10 * (int(unit) + 1));
  if (!(bytes >= 1 && bytes < 0x1p63) || (unit == std::string::npos && bytes != std::floor(bytes))) {
    refuse(text, flag, "is not a possible size", todo);
  }
  return static_cast<uint64_t>(bytes);
}

}  // namespace purescope
