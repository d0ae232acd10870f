#include "io/text.h"

#include <cstdio>

namespace purescope {

bool valid_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    if (*p < 0x80) { ++p; continue; }
    const int extra = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
    if (*p < 0xc2 || *p > 0xf4 || end - p <= extra) return false;
    for (int i = 1; i <= extra; ++i)
      if ((p[i] & 0xc0) != 0x80) return false;
    const bool overlong = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    const bool surrogate = *p == 0xed && p[1] > 0x9f;
    const bool too_large = *p == 0xf4 && p[1] > 0x8f;
    if (overlong || surrogate || too_large) return false;
    p += extra + 1;
  }
  return true;
}

std::string printable(std::string_view text, size_t limit) {
  std::string out;
  for (unsigned char c : text.substr(0, limit)) {
    char hex[8];
    std::snprintf(hex, sizeof hex, "\\x%02x", c);
    if (c < 0x20 || c >= 0x7f) out += hex;
    else out += static_cast<char>(c);
  }
  return text.size() > limit ? out + "..." : out;
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (unsigned char c : text) {
    char hex[8];
    std::snprintf(hex, sizeof hex, "\\u%04x", c);
    if (c == '"' || c == '\\') { out += '\\'; out += static_cast<char>(c); }
    else if (c < 0x20) out += hex;
    else out += static_cast<char>(c);
  }
  out += '"';
  return out;
}

std::string bad_tensor_name(std::string_view name) {
  if (name.size() > 1024) return "is longer than 1024 bytes";
  if (name.find('\0') != name.npos) return "contains a NUL byte";
  if (name.find("../") != name.npos || name == "..") return "contains \"../\"";
  if (!valid_utf8(name)) return "is not UTF-8";
  return "";
}

}  // namespace purescope
