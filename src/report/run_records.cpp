#include "report/run_records.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "core/check.h"
#include "core/hash.h"
#include "io/atomic_file.h"
#include "io/durable.h"
#include "io/run_dir.h"

namespace purescope {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRepair =
    "run the command again with --resume --repair, which computes the damaged records again";

// The checksum that io/journal puts at the end of a line.
void check_line(const std::string& line, const RunRecords& run, const std::string& where) {
  const size_t at = line.rfind(",\"crc\":\"");
  char crc[40];
  if (at != std::string::npos) std::snprintf(crc, sizeof crc, ",\"crc\":\"%08x\"}", crc32(line.data(), at));
  if (at == std::string::npos || line.substr(at) != crc)
    fail(kBadInput, "record is damaged (checksum differs)", where, kRepair);
  const JsonObject record = JsonObject::parse(line, where);
  if (record.get_int("v") > kRunSchema)
    fail(kBadInput, "record has schema version " + record.raw("v"), where, "use a newer purescope");
  if (record.get_string("run") != run.run)
    fail(kBadInput, "record belongs to run " + record.get_string("run") + ", not to " + run.run, where,
         "put that run's files back into their own folder");
}

// What identifies a record. Where the command is not one of these, the whole line.
std::string identity_of(const std::string& line, const std::string& command) {
  static const std::set<std::string> known = {"attack", "cr", "predict", "protocol", "audit"};
  if (!known.count(command)) return line;
  const JsonObject o = JsonObject::parse(line, "results");
  std::string key;
  for (const char* field : {"kind", "img", "seed", "t", "eps"})
    if (o.has(field)) key += o.raw(field) + " ";
  return key;
}

void read_file(const std::string& path, RunRecords& run, std::map<std::string, std::string>& seen) {
  const MappedFile file(path);
  const std::string text(reinterpret_cast<const char*>(file.data()), file.size());
  int number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) {
      run.torn = true;
      return;
    }
    const std::string line = text.substr(at, end - at), where = path + ", line " + std::to_string(++number);
    at = end + 1;
    check_line(line, run, where);
    const auto [old, fresh] = seen.emplace(identity_of(line, run.command), line);
    if (fresh) run.records.push_back(line);
    else if (old->second != line)
      fail(kBadInput, "two different records for the same image and setting", where,
           "decide which is right and remove the other");
  }
}

std::string text_field(const JsonObject& o, const char* key) {
  if (!o.has(key) || o.is_null(key)) return "";
  const std::string& raw = o.raw(key);
  return raw.front() == '"' ? o.get_string(key) : raw;
}

}  // namespace

std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string("-_./,:=+@%").find(static_cast<char>(c)) != std::string::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

RunRecords read_run(const std::string& folder) {
  RunRecords run;
  run.folder = folder;
  const std::string path = folder + "/header.json";
  if (!fs::is_directory(folder))
    fail(kMissingInput, "no such run directory", folder, "name the folder that a run wrote (--out)");
  if (!fs::exists(path))
    fail(kMissingInput, "this folder holds no header.json, so it is no run", folder,
         "name the folder that a run wrote (--out)");
  run.header = JsonObject::parse(read_text_file(path), path);
  const auto part = [&](const char* key) {
    return JsonObject::parse(run.header.has(key) ? run.header.raw(key) : "{}", path);
  };
  run.config = part("config"), run.identity = part("identity"), run.free = part("config_free");
  const std::string hash = run.header.get_string("config_hash");
  if (hash.size() < 8) fail(kBadInput, "the configuration hash is damaged", path, "restore the file");
  run.run = hash.substr(0, 8);
  run.command = text_field(run.config, "command");
  if (run.header.has("command_line"))
    for (const std::string& word : run.header.get_strings("command_line"))
      run.command_line += (run.command_line.empty() ? "" : " ") + shell_word(word);
  run.finished = fs::exists(folder + "/summary.json");
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("results.") && name.ends_with(".jsonl")) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, std::string> seen;
  for (const std::string& file : files) read_file(file, run, seen);
  return run;
}

std::vector<std::pair<std::string, std::string>> run_card(const RunRecords& run) {
  std::vector<std::pair<std::string, std::string>> card = {{"folder", run.folder}, {"run", run.run}};
  const auto add = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) card.emplace_back(name, value);
  };
  const auto object = [&](const char* key) {
    return JsonObject::parse(run.header.has(key) ? run.header.raw(key) : "{}", run.folder + "/header.json");
  };
  std::string versions;
  if (run.header.has("versions"))
    for (const std::string& v : run.header.get_strings("versions")) versions += (versions.empty() ? "" : ", ") + v;
  add("purescope", versions);
  if (run.header.has("mixed") && run.header.get_bool("mixed"))
    add("mixed", "records of versions that compute other numbers");
  add("scalar", text_field(run.config, "real"));
  const JsonObject device = object("device"), data = object("data"), purifier = object("purifier"),
                   classifier = object("classifier");
  add("device", text_field(device, "kind"));
  add("data", text_field(data, "description"));
  add("data sha256", text_field(run.identity, "data_sha256"));
  for (const auto& [name, network] : {std::pair("purifier", &purifier), std::pair("classifier", &classifier)}) {
    const std::string arch = text_field(*network, "arch");
    add(name, text_field(*network, "file") + (arch.empty() || arch == "none" ? "" : ", " + arch));
    add(std::string(name) + " sha256", text_field(run.identity, (std::string(name) + "_sha256").c_str()));
  }
  if (run.header.has("purification"))
    for (const std::string& words : run.header.get_strings("purification")) add("purification", words);
  add("noise", text_field(run.config, "noise-rng"));
  add("records", std::to_string(run.records.size()) + ", all checksums verified" +
                     (run.torn ? "; a last line that was cut off is left out" : ""));
  return card;
}

}  // namespace purescope
