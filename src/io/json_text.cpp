#include "io/json_text.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "core/check.h"

namespace purescope {
namespace {

constexpr int kMaxDepth = 16;

// Length in bytes of the UTF-8 character at text[at], 0 if it is malformed (overlong, surrogate, above U+10FFFF).
size_t utf8_length(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const unsigned first = byte(0), second = byte(1);
  const size_t length = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool outside = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : length;
}

template <typename T>
std::string shortest(T value) {
  if (!std::isfinite(value)) return "null";
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return std::string(digits, end);
}

// Throws a sentence when `text` is not one JSON document, repeats a key or nests too deeply.
void validate(std::string_view text) {
  std::vector<std::set<std::string>> seen(kMaxDepth + 2);
  auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) throw std::runtime_error("nested more than " + std::to_string(kMaxDepth) + " levels");
    if (event == Event::object_start) seen[depth + 1].clear();
    if (event == Event::key && !seen[depth].insert(value.get<std::string>()).second) {
      throw std::runtime_error("key " + value.dump() + " is given twice");
    }
    return true;
  };
  const auto parsed = nlohmann::json::parse(text, watch);
  if (!parsed.is_object()) throw std::runtime_error("not an object");
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// End of the JSON value that begins at text[at]; text is valid JSON.
size_t value_end(std::string_view text, size_t at) {
  int depth = 0;
  for (bool quoted = false; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ':')) {
      break;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return at;
}

// The value at text[at] without the spaces around it; moves `at` to the comma, colon or bracket that follows.
std::string_view take_value(std::string_view text, size_t& at) {
  while (at < text.size() && is_space(text[at])) ++at;
  const size_t begin = at;
  at = value_end(text, at);
  size_t end = at;
  while (end > begin && is_space(text[end - 1])) --end;
  return text.substr(begin, end - begin);
}

template <typename T>
bool read_number(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const unsigned char c = text[i];
    const size_t length = utf8_length(text, i);
    if (length == 0) out += "\xef\xbf\xbd";
    else if (c == '"' || c == '\\') (out += '\\') += text[i];
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c < 0x20 || c == 0x7f) {
      const char* hex = "0123456789abcdef";
      ((out += "\\u00") += hex[c >> 4]) += hex[c & 15];
    } else out += text.substr(i, length);
    i += length ? length : 1;
  }
  return out + "\"";
}

std::string json_number(double value) { return shortest(value); }
std::string json_number(float value) { return shortest(value); }

std::string json_array(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ",";
    out += item;
  }
  return out + "]";
}

JsonLine& JsonLine::raw(std::string_view key, std::string_view json) {
  if (!body_.empty()) body_ += ",";
  ((body_ += json_quote(key)) += ":") += json;
  return *this;
}

JsonObject JsonObject::parse(std::string_view text, const std::string& where) {
  try {
    validate(text);
  } catch (const std::exception& error) {
    fail(kBadInput, std::string("not a valid JSON object: ") + error.what(), where,
         "restore the file or write it again");
  }
  JsonObject object;
  object.where_ = where;
  size_t at = text.find('{') + 1;
  while (true) {
    const std::string_view key = take_value(text, at);
    if (key.empty()) break;
    ++at;  // the colon
    const std::string_view value = take_value(text, at);
    object.fields_.emplace_back(nlohmann::json::parse(key).get<std::string>(), value);
    if (text[at] != ',') break;
    ++at;
  }
  return object;
}

const std::string* JsonObject::find(std::string_view key) const {
  for (const auto& [name, value] : fields_) {
    if (name == key) return &value;
  }
  return nullptr;
}

void JsonObject::refuse(std::string_view key, const std::string& expected) const {
  const std::string* found = find(key);
  fail(kBadInput, "field \"" + std::string(key) + "\" " + (found ? "is " + found->substr(0, 60) : "is missing") +
       ", expected " + expected, where_, "restore the file or write it again");
}

const std::string& JsonObject::raw(std::string_view key) const& {
  const std::string* found = find(key);
  if (!found) refuse(key, "a value");
  return *found;
}

bool JsonObject::is_null(std::string_view key) const {
  const std::string* found = find(key);
  return found && *found == "null";
}

std::string JsonObject::get_string(std::string_view key) const {
  const std::string* found = find(key);
  if (!found || found->front() != '"') refuse(key, "a string");
  return nlohmann::json::parse(*found).get<std::string>();
}

int64_t JsonObject::get_int(std::string_view key) const {
  int64_t value = 0;
  const std::string* found = find(key);
  if (!found || !read_number(*found, value)) refuse(key, "an integer");
  return value;
}

uint64_t JsonObject::get_natural(std::string_view key) const {
  uint64_t value = 0;
  const std::string* found = find(key);
  if (!found || !read_number(*found, value)) refuse(key, "an integer from 0 to 2^64 - 1");
  return value;
}

double JsonObject::get_double(std::string_view key) const {
  double value = std::numeric_limits<double>::quiet_NaN();
  const std::string* found = find(key);
  if (found && *found == "null") return value;
  if (!found || !read_number(*found, value)) refuse(key, "a number");
  return value;
}

bool JsonObject::get_bool(std::string_view key) const {
  const std::string* found = find(key);
  if (!found || (*found != "true" && *found != "false")) refuse(key, "true or false");
  return *found == "true";
}

std::vector<std::string> JsonObject::get_strings(std::string_view key) const {
  const std::string* found = find(key);
  if (!found || found->front() != '[') refuse(key, "a list of strings");
  std::vector<std::string> values;
  for (const auto& item : nlohmann::json::parse(*found)) {
    if (!item.is_string()) refuse(key, "a list of strings");
    values.push_back(item.get<std::string>());
  }
  return values;
}

}  // namespace purescope
