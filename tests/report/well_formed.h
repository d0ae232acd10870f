// A small checker of markup: every element is closed in order, attributes are quoted and given once, text holds no
// loose & or <.
#pragma once
#include <cctype>
#include <set>
#include <string>
#include <vector>

namespace purescope {

// The first fault found, empty if there is none. <style> may hold anything but "</"; a leading <!DOCTYPE ...> is passed
// over.
inline std::string markup_fault(const std::string& text) {
  std::vector<std::string> open;
  std::set<std::string> ids;
  size_t at = text.rfind("<!DOCTYPE", 0) == 0 ? text.find('>') + 1 : 0;
  const auto fault = [&](const std::string& what) {
    return what + " near: " + text.substr(at < 40 ? 0 : at - 40, 120);
  };
  while (at < text.size()) {
    if (text[at] == '&') {
      const size_t end = text.find(';', at);
      static const std::set<std::string> known = {"&amp", "&lt", "&gt", "&quot", "&#39"};
      if (end == std::string::npos || !known.count(text.substr(at, end - at))) return fault("loose &");
    }
    if (text[at] == '>') return fault("loose >");
    if (text[at] != '<') {
      ++at;
      continue;
    }
    const bool closing = text[at + 1] == '/';
    size_t i = at + 1 + closing;
    std::string name;
    while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])))) name += text[i++];
    if (name.empty()) return fault("loose <");
    std::set<std::string> given;
    while (i < text.size() && text[i] == ' ') {
      std::string key;
      for (++i; i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '-'); ++i)
        key += text[i];
      if (text.compare(i, 2, "=\"") != 0) return fault("attribute without quotes");
      const size_t end = text.find('"', i + 2);
      if (end == std::string::npos || text.substr(i + 2, end - i - 2).find_first_of("<>") != std::string::npos)
        return fault("attribute is not closed");
      if (!given.insert(key).second) return fault("attribute given twice");
      if (key == "id" && !ids.insert(text.substr(i + 2, end - i - 2)).second) return fault("id given twice");
      i = end + 1;
    }
    const bool empty = text.compare(i, 2, "/>") == 0;
    if (!empty && text[i] != '>') return fault("tag is not closed");
    if (closing) {
      if (open.empty() || open.back() != name)
        return fault("closes " + name + " but " + (open.empty() ? "nothing" : open.back()) + " is open");
      open.pop_back();
    } else if (!empty) {
      open.push_back(name);
      if (name == "style") i = text.find("</style>", i) - 1;
    }
    at = i + (empty ? 2 : 1);
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

inline int occurrences(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace purescope
