// JSON as text. Writing is ours, so that the bytes of a record depend on its values alone: fixed key order, no
// spaces, floats in the shortest form that reads back to the same bits (null for NaN and Inf). Reading keeps the text
// of each field as it stands in the file.
#pragma once
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace purescope {

// "text" with quotes and escapes. Bytes that are not UTF-8 become U+FFFD, so the result can always be read back.
std::string json_quote(std::string_view text);

// Shortest decimal that reads back to the same float or double; "null" for NaN and Inf.
std::string json_number(double value);
std::string json_number(float value);

// ["a","b"] from JSON texts.
std::string json_array(const std::vector<std::string>& items);

// One object, its keys in the order they are added: JsonLine().add("img", 17).add("robust", false).text().
class JsonLine {
 public:
  JsonLine& add(std::string_view key, std::string_view value) { return raw(key, json_quote(value)); }
  JsonLine& add(std::string_view key, const char* value) { return raw(key, json_quote(value)); }
  JsonLine& add(std::string_view key, const std::string& value) { return raw(key, json_quote(value)); }
  JsonLine& add(std::string_view key, double value) { return raw(key, json_number(value)); }
  JsonLine& add(std::string_view key, float value) { return raw(key, json_number(value)); }
  template <std::integral T>
  JsonLine& add(std::string_view key, T value) {
    if constexpr (std::same_as<T, bool>) return raw(key, value ? "true" : "false");
    else return raw(key, std::to_string(value));
  }
  JsonLine& raw(std::string_view key, std::string_view json);  // an array, an object or null, as it is
  std::string text() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

// A parsed object. Refused (exit 65, with `where`): anything that is not one JSON object, invalid UTF-8, a key given
// twice, numbers outside double, more than 16 levels.
class JsonObject {
 public:
  static JsonObject parse(std::string_view text, const std::string& where);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  bool is_null(std::string_view key) const;
  // These refuse a missing key or a value of another kind (exit 65). A null number reads as NaN.
  std::string get_string(std::string_view key) const;
  int64_t get_int(std::string_view key) const;
  uint64_t get_natural(std::string_view key) const;  // for seeds, 0 ... 2^64 - 1
  double get_double(std::string_view key) const;
  bool get_bool(std::string_view key) const;
  std::vector<std::string> get_strings(std::string_view key) const;  // an array of strings
  const std::string& raw(std::string_view key) const&;               // the text of the value
  const std::string& raw(std::string_view key) && = delete;
  const std::vector<std::pair<std::string, std::string>>& fields() const& { return fields_; }  // key, text; file order
  const std::vector<std::pair<std::string, std::string>>& fields() && =
      delete;  // would outlive the object in a for loop

 private:
  const std::string* find(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key, const std::string& expected) const;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::string where_;
};

}  // namespace purescope
