#include "cli/config_file.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "core/check.h"
#include "io/atomic_file.h"
#include "io/text.h"

namespace purescope {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where) {
  fail(kUsage, what, where,
       "lines are `key = value`, with \"text\", numbers, true, false or [lists]; [command] opens a table");
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The line up to a # that is not inside quotes.
std::string without_comment(const std::string& line) {
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    if (quote) {
      if (line[i] == quote) quote = 0;
    } else if (line[i] == '"' || line[i] == '\'')
      quote = line[i];
    else if (line[i] == '#')
      return line.substr(0, i);
  }
  return line;
}

// One scalar: quoted text without escapes, or a bare word of numbers and booleans.
std::string scalar(const std::string& text, const std::string& where) {
  if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0]) {
    const std::string inner = text.substr(1, text.size() - 2);
    if (inner.find(text[0]) != inner.npos || inner.find('\\') != inner.npos)
      refuse("quotes or escapes inside a text", where);
    return inner;
  }
  const bool bare = !text.empty() && text.find_first_not_of("0123456789+-.eE_") == text.npos;
  if (text != "true" && text != "false" && !bare) refuse("cannot read the value " + printable(text), where);
  return text;
}

std::string value_text(const std::string& text, const std::string& where) {
  if (text.empty() || text[0] != '[') return scalar(text, where);
  if (text.back() != ']') refuse("a list that does not end on its line", where);
  std::string joined;
  std::stringstream items(text.substr(1, text.size() - 2));
  for (std::string item; std::getline(items, item, ',');)
    joined += (joined.empty() ? "" : ",") + scalar(trimmed(item), where);
  return joined;
}

}  // namespace

ConfigValues read_config(const std::string& path, const std::string& command,
                         const std::vector<std::string>& commands) {
  const MappedFile file(path);
  std::stringstream lines(std::string(reinterpret_cast<const char*>(file.data()), file.size()));
  ConfigValues common, own;
  std::set<std::pair<std::string, std::string>> seen;
  std::string table;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = path + ", line " + std::to_string(++number), text = trimmed(without_comment(line));
    if (text.empty()) continue;
    if (text[0] == '[') {
      table = text.back() == ']' ? trimmed(text.substr(1, text.size() - 2)) : "";
      if (std::find(commands.begin(), commands.end(), table) == commands.end())
        refuse("no command is named " + printable(text), where);
      continue;
    }
    const size_t equal = text.find('=');
    if (equal == text.npos) refuse("not a `key = value` line", where);
    std::string key = trimmed(text.substr(0, equal));
    std::replace(key.begin(), key.end(), '_', '-');
    if (key.empty() || key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != key.npos)
      refuse("not a key: " + printable(key), where);
    if (!seen.insert({table, key}).second) refuse("the key " + key + " is given twice", where);
    const ConfigValue value{value_text(trimmed(text.substr(equal + 1)), where), where};
    if (table.empty())
      common[key] = value;
    else if (table == command)
      own[key] = value;
  }
  own.insert(common.begin(), common.end());
  return own;
}

std::string config_text(const std::vector<std::string>& words, const std::string& resolved) {
  static const std::set<std::string> left_out = {"--out", "--resume", "--repair", "--force-mixed", "--verify-run", "--sample"};
  std::string head = "# repeat with: purescope", lines;
  size_t i = 1;
  for (; i < words.size() && !words[i].starts_with("--"); ++i) head += " " + words[i];
  while (i < words.size()) {
    const std::string name = words[i++];
    const bool has_value = i < words.size() && !words[i].starts_with("--");
    const std::string value = has_value ? words[i++] : "true";
    if (left_out.count(name)) continue;
    const char* quote = !has_value ? "" : value.find('"') == value.npos ? "\"" : "'";
    lines += name.substr(2) + " = " + quote + value + quote + "\n";
  }
  std::string comment;
  std::stringstream entries(resolved);
  for (std::string line; std::getline(entries, line);) comment += "#" + (line.empty() ? "" : " " + line) + "\n";
  return head + " --config THIS_FILE --out NEW_FOLDER\n" + lines + "\n# resolved, defaults included:\n" + comment;
}

}  // namespace purescope
