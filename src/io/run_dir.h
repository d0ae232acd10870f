// The folder of a run: header.json (everything that defines the run), config.resolved.toml, results.*.jsonl (the
// journal), timing.jsonl, summary.json, run.log. Records hold no time and no host name; those are in the header's
// `env` section, in timing.jsonl and in run.log, so records and summary of two equal runs compare byte for byte.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/atomic_file.h"
#include "io/durable.h"
#include "io/journal.h"

namespace purescope {

constexpr int kRunSchema = 1;

enum class ConfigRole {
  Result,    // affects the results: in the hash and in config.resolved.toml
  Free,      // does not (device, progress, paths of output): in config.resolved.toml only
  Identity,  // affects the results but is no flag (sha256 of weights and data): in the hash only
};

// key: "eps", or "attack.steps" for a key of the table [attack]. value: JSON text (string, number, bool, list).
struct ConfigEntry {
  std::string key, value;
  ConfigRole role = ConfigRole::Result;
};

// SHA-256 (64 hex digits) of the canonical JSON of the result-affecting entries: sorted by key, no spaces.
std::string config_hash(const std::vector<ConfigEntry>& config);

// The text of config.resolved.toml: flat keys first, then the tables; null values are left out.
std::string config_toml(const std::vector<ConfigEntry>& config);

// Facts about this process for the header: host, system, cores, time, and the environment variables that are
// honoured. An object as JSON text; the only place with a time.
std::string environment_json();

struct RunDescription {
  std::string program_version;
  std::string numerics;  // changes when a version computes other numbers; runs of different tags are never mixed
  std::vector<ConfigEntry> config;
  std::vector<std::pair<std::string, std::string>> sections;  // further header fields in order: name, JSON text
};

struct RunOptions {
  bool resume = false;       // continue if the folder is there (it need not be); otherwise it must not exist (73)
  bool repair = false;       // passed on to the journal
  bool force_mixed = false;  // continue although the numerics tag changed; marks header and summary
  int shard = 0, shards = 1; // shards of one run may share a folder; each has its own journal and lock
};

class RunDir {
 public:
  // Makes or reopens the folder. Before anything else it is shown to be writable (create, sync, rename, 1 MiB).
  // 73: it exists, or cannot be written. 78: another writer; configuration, schema or numerics differ (each key is
  // named, old -> new). 65: a damaged header, or records without one.
  RunDir(const std::string& path, const RunDescription& description, const RunOptions& options = {});
  RunDir(const RunDir&) = delete;  // the journal reports through this object

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& hash() const { return hash_; }
  std::string hash8() const { return hash_.substr(0, 8); }  // the "run" field of every record
  bool resumed() const { return resumed_; }                 // there was a header
  bool mixed() const { return mixed_; }                     // for the summary: numbers of different versions
  std::string results_file() const;                         // results.NNNNofMMMM.jsonl

  // For Journal: folder, file, run, resume, repair; no lock, as this object holds it and must outlive the journal.
  JournalOptions journal_options() const;

  void write_summary(std::string_view json) const { write_text_atomic(file("summary.json"), std::string(json) + "\n"); }
  void append_timing(std::string_view json_line) const {
    append_to_file(file("timing.jsonl"), std::string(json_line) + "\n");
  }
  // One line with the time of day into run.log. Does not throw: a failing log must not hide the error it reports.
  void log(std::string_view text) const noexcept;

 private:
  void compare_header(const RunDescription& description);
  void write_header(const RunDescription& description, const std::vector<std::string>& versions);

  std::string path_, hash_;
  RunOptions options_;
  FileLock lock_;
  bool resumed_ = false, mixed_ = false;
};

}  // namespace purescope
