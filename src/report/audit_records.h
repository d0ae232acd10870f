// Records of an audit by kind, image and seed.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/json_text.h"

namespace purescope {

class AuditRecords {
 public:
  using Unit = std::pair<int64_t, int64_t>;  // image, seed
  using Kind = std::map<Unit, JsonObject>;

  explicit AuditRecords(const std::vector<std::string>& lines);
  const Kind& of(const std::string& kind) const;                                  // empty if there is none
  std::vector<std::string> kinds(const std::string& prefix) const;                // that start with it, sorted
  std::vector<double> numbers(const std::string& kind, const char* field) const;  // one per record

 private:
  std::map<std::string, Kind> kinds_;
};

// "[1,2.5,null]" -> 1, 2.5, NaN.
std::vector<double> json_numbers(const std::string& text);

}  // namespace purescope
