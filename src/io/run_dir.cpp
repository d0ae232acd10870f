#include "io/run_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>

#include "core/check.h"
#include "core/hash.h"
#include "io/json_text.h"

namespace purescope {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

bool in_hash(const ConfigEntry& entry) { return entry.role != ConfigRole::Free; }

// {"a":1,"b":2}, keys in the order of the bytes.
std::string canonical_json(const std::map<std::string, std::string>& values) {
  JsonLine line;
  for (const auto& [key, value] : values) line.raw(key, value);
  return line.text();
}

std::string hash_of(const std::map<std::string, std::string>& values) {
  const std::string text = canonical_json(values);
  return sha256_hex(text.data(), text.size());
}

// An object with one field per line, for readers of the file.
std::string spread_object(const Fields& fields, const std::string& indent) {
  std::string text = "{";
  for (const auto& [key, value] : fields) {
    text += (text.size() > 1 ? ",\n" : "\n") + indent + "  " + json_quote(key) + ": " + value;
  }
  return text + "\n" + indent + "}";
}

Fields entries_of(const std::vector<ConfigEntry>& config, ConfigRole role) {
  Fields fields;
  for (const ConfigEntry& entry : config) {
    if (entry.role == role) fields.emplace_back(entry.key, entry.value);
  }
  return fields;
}

// Creates a file, writes 1 MiB, syncs, renames, removes: what the run will need, before any work is done.
void probe_folder(const std::string& folder) {
  const std::string name = folder + "/.probe-" + std::to_string(::getpid());
  const std::string renamed = name + ".renamed";
  FileHandle file(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  const bool good = file.get() >= 0 && write_fully(file.get(), std::string(size_t(1) << 20, '\0')) &&
                    ::fsync(file.get()) == 0 && ::close(file.release()) == 0 &&
                    ::rename(name.c_str(), renamed.c_str()) == 0;
  const int error = errno;
  ::unlink(name.c_str());
  ::unlink(renamed.c_str());
  if (!good) {
    fail(kCannotCreate, "the output folder cannot be written: " + errno_text(error), folder,
         "check space, quota and permissions, or choose another --out");
  }
}

// Makes the folder and those above it. False if it was there already.
bool make_folder(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error && ::mkdir(path.c_str(), 0777) == 0) return true;
  if (!error && errno == EEXIST && std::filesystem::is_directory(path)) return false;
  fail(kCannotCreate, "cannot create the output folder: " + (error ? error.message() : errno_text(errno)), path,
       "check the path and its permissions, or choose another --out");
}

bool has_records(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("results.", 0) == 0 && entry.is_regular_file() && entry.file_size() > 0) return true;
  }
  return false;
}

// Temporary files of a killed process; safe to remove while we hold the only lock.
void remove_leftovers(const std::string& folder) {
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(".purescope-", 0) == 0 || name.rfind(".probe-", 0) == 0) stale.push_back(entry.path());
  }
  std::error_code ignored;  // a leftover that stays does no harm
  for (const auto& path : stale) std::filesystem::remove(path, ignored);
}

std::string shard_name(const char* stem, const RunOptions& options, const char* ending) {
  char text[96];
  std::snprintf(text, sizeof text, "%s.%04dof%04d.%s", stem, options.shard, options.shards, ending);
  return text;
}

std::string utc_now() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts {};
  ::gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

std::string config_hash(const std::vector<ConfigEntry>& config) {
  std::map<std::string, std::string> values;
  for (const ConfigEntry& entry : config) {
    if (in_hash(entry)) PURESCOPE_REQUIRE(values.emplace(entry.key, entry.value).second);
  }
  return hash_of(values);
}

std::string config_toml(const std::vector<ConfigEntry>& config) {
  std::string flat;
  std::vector<std::pair<std::string, std::string>> tables;  // name, lines; in the order of their first key
  for (const ConfigEntry& entry : config) {
    if (entry.role == ConfigRole::Identity || entry.value == "null") continue;
    const size_t dot = entry.key.find('.');
    if (dot == std::string::npos) {
      flat += entry.key + " = " + entry.value + "\n";
      continue;
    }
    const std::string name = entry.key.substr(0, dot);
    auto table = std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return t.first == name; });
    if (table == tables.end()) table = tables.insert(tables.end(), {name, ""});
    table->second += entry.key.substr(dot + 1) + " = " + entry.value + "\n";
  }
  for (const auto& [name, lines] : tables) flat += "\n[" + name + "]\n" + lines;
  return flat;
}

std::string environment_json() {
  JsonLine variables;
  for (const char* name : {"PURESCOPE_DATA_DIR", "PURESCOPE_MODEL_DIR", "PURESCOPE_CACHE_DIR", "PURESCOPE_DEVICE",
                           "PURESCOPE_THREADS", "PURESCOPE_LOG", "PURESCOPE_FAULT", "CUDA_VISIBLE_DEVICES",
                           "OMP_NUM_THREADS", "SLURM_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"}) {
    if (const char* value = std::getenv(name)) variables.add(name, value);
  }
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return JsonLine().add("time", utc_now()).add("host", host).add("pid", static_cast<int64_t>(::getpid()))
      .add("cores", static_cast<int64_t>(::sysconf(_SC_NPROCESSORS_ONLN))).add("compiler", __VERSION__)
      .raw("variables", variables.text()).text();
}

RunDir::RunDir(const std::string& path, const RunDescription& description, const RunOptions& options)
    : path_(path), hash_(config_hash(description.config)), options_(options) {
  PURESCOPE_REQUIRE(options.shards >= 1 && options.shard >= 0 && options.shard < options.shards);
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  const bool fresh = make_folder(path_);
  if (!fresh && !options.resume) {
    fail(kCannotCreate, "the output folder exists", path_, "continue that run with --resume, or choose another --out");
  }
  probe_folder(path_);
  const bool sharded = options.shards > 1;
  if (sharded) lock_ = FileLock(file(shard_name("results", options, "lock")));
  // Shards hold the header's lock only while they write or compare it, so waiting for it is short.
  FileLock header_lock(file("header.lock"), sharded ? 10 : 0);
  if (!sharded) remove_leftovers(path_);
  resumed_ = std::filesystem::exists(file("header.json"));
  if (resumed_) compare_header(description);
  else if (has_records(path_)) {
    fail(kBadInput, "there are records but no header", file("header.json"),
         "restore the header or choose another --out");
  } else write_header(description, {description.program_version});
  if (!sharded) lock_ = std::move(header_lock);
}

std::string RunDir::results_file() const {
  // A run without shards is its only shard: 0000of0001.
  return shard_name("results", options_, "jsonl");
}

JournalOptions RunDir::journal_options() const {
  JournalOptions journal;
  journal.folder = path_;
  journal.file = results_file();
  journal.run = hash8();
  journal.resume = options_.resume;
  journal.repair = options_.repair;
  journal.version = kRunSchema;
  journal.lock = "";
  journal.report = [this](const std::string& text) {
    log(text);
    std::fprintf(stderr, "note: %s\n", text.c_str());
  };
  return journal;
}

// header.json: schema first, then what defines the run, then the sections of the caller.
void RunDir::write_header(const RunDescription& description, const std::vector<std::string>& versions) {
  std::vector<std::string> quoted;
  for (const std::string& version : versions) quoted.push_back(json_quote(version));
  Fields fields = {{"schema", std::to_string(kRunSchema)},
                   {"versions", json_array(quoted)},
                   {"numerics", json_quote(description.numerics)},
                   {"mixed", mixed_ ? "true" : "false"},
                   {"config_hash", json_quote(hash_)},
                   {"config", spread_object(entries_of(description.config, ConfigRole::Result), "  ")},
                   {"config_free", spread_object(entries_of(description.config, ConfigRole::Free), "  ")},
                   {"identity", spread_object(entries_of(description.config, ConfigRole::Identity), "  ")}};
  fields.insert(fields.end(), description.sections.begin(), description.sections.end());
  const std::string text = spread_object(fields, "") + "\n";
  JsonObject::parse(text, file("header.json"));  // never write what could not be read
  write_text_atomic(file("config.resolved.toml"), config_toml(description.config));
  write_text_atomic(file("header.json"), text);
}

// Refuses (78) what must not be mixed; otherwise keeps the header, and adds the program version if it is a new one.
void RunDir::compare_header(const RunDescription& description) {
  const std::string where = file("header.json");
  const JsonObject header = JsonObject::parse(read_text_file(where), where);
  if (header.get_int("schema") != kRunSchema) {
    fail(kConfigMismatch, "the run has schema " + std::to_string(header.get_int("schema")) + ", this program writes " +
         std::to_string(kRunSchema), where, "continue it with the program that began it, or choose another --out");
  }
  std::map<std::string, std::string> before, now;
  for (const char* part : {"config", "identity"}) {
    const JsonObject values = JsonObject::parse(header.raw(part), where);
    before.insert(values.fields().begin(), values.fields().end());
  }
  if (hash_of(before) != header.get_string("config_hash")) {
    fail(kBadInput, "the header does not fit its own config_hash", where, "it was edited or is damaged: restore it");
  }
  for (const ConfigEntry& entry : description.config) {
    if (in_hash(entry)) now[entry.key] = entry.value;
  }
  std::string differences;
  for (const auto& [key, value] : before) {
    if (!now.count(key)) differences += "\n    " + key + ": " + value + " -> (none)";
    else if (now[key] != value) differences += "\n    " + key + ": " + value + " -> " + now[key];
  }
  for (const auto& [key, value] : now) {
    if (!before.count(key)) differences += "\n    " + key + ": (none) -> " + value;
  }
  if (!differences.empty()) {
    fail(kConfigMismatch, "the configuration differs from that of the run:" + differences, where,
         "resume with the same configuration (--config config.resolved.toml), or choose another --out");
  }
  const bool other_numerics = header.get_string("numerics") != description.numerics;
  if (other_numerics && !options_.force_mixed) {
    fail(kConfigMismatch,
         "the run was computed with numerics " + header.get_string("numerics") + ", this program has " +
             description.numerics,
         where, "use the program that began it, start anew, or --force-mixed (marks the summary)");
  }
  mixed_ = header.get_bool("mixed") || other_numerics;
  std::vector<std::string> versions = header.get_strings("versions");
  const bool known = std::find(versions.begin(), versions.end(), description.program_version) != versions.end();
  if (known && mixed_ == header.get_bool("mixed")) return;
  if (!known) versions.push_back(description.program_version);
  write_header(description, versions);
}

void RunDir::log(std::string_view text) const noexcept {
  try {
    append_to_file(file("run.log"), utc_now() + " " + std::string(text) + "\n");
  } catch (...) {
    // The log is for people; the run does not depend on it.
  }
}

}  // namespace purescope
