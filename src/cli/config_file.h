// --config FILE: the flat part of TOML. `key = value` lines, one table per command, comments with #.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace purescope {

struct ConfigValue {
  std::string text, where;
};                                                        // the text as an option would get it; "FILE, line N"
using ConfigValues = std::map<std::string, ConfigValue>;  // by option name without dashes

// What the file says to `command`: the keys above all tables, and those of its own table, which win. Values: "text",
// 'text', numbers, true, false, and lists of these ([0, 1, 2] is the same as "0,1,2"). Errors, each with its line: 2
// (anything else, a key given twice, a table that is none of `commands`), 66 missing.
ConfigValues read_config(const std::string& path, const std::string& command, const std::vector<std::string>& commands);

// A file that `--config` reads and that says what the line `words` of Program::on_line says, but for where the output goes; below it, as
// comments, everything that was resolved (lines of `resolved`).
std::string config_text(const std::vector<std::string>& words, const std::string& resolved);

}  // namespace purescope
