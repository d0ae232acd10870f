#include "report/audit_records.h"

#include <cmath>
#include <cstdlib>

namespace purescope {

AuditRecords::AuditRecords(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    JsonObject record = JsonObject::parse(line, "audit record");
    const Unit unit = {record.get_int("img"), record.get_int("seed")};
    kinds_[record.get_string("kind")].insert_or_assign(unit, std::move(record));
  }
}

const AuditRecords::Kind& AuditRecords::of(const std::string& kind) const {
  static const Kind none;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? none : found->second;
}

std::vector<std::string> AuditRecords::kinds(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, records] : kinds_)
    if (name.starts_with(prefix)) names.push_back(name);
  return names;
}

std::vector<double> AuditRecords::numbers(const std::string& kind, const char* field) const {
  std::vector<double> values;
  for (const auto& [unit, record] : of(kind)) values.push_back(record.get_double(field));
  return values;
}

std::vector<double> json_numbers(const std::string& text) {
  std::vector<double> values;
  const char* at = text.c_str() + 1;
  while (*at && *at != ']') {
    if (*at == ',' || *at == ' ') {
      ++at;
      continue;
    }
    char* end = nullptr;
    const double v = std::strtod(at, &end);
    values.push_back(end == at ? NAN : v);
    at = end == at ? at + 1 : end;
    while (*at && *at != ',' && *at != ']') ++at;
  }
  return values;
}

}  // namespace purescope
