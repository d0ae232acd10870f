// The record file of a run: one JSON object per line, each with a checksum, safe against kills, power cuts, full
// disks and flipped bits. What is in the file after `finish` depends on the records alone, not on the order in which
// they came or on how often the run was stopped.
//
// A line is  {"v":1,"run":"3f9a01c2", ... ,"crc":"8 hex digits"}\n ; crc = CRC-32 of all bytes before `,"crc"`.
#pragma once
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "io/durable.h"
#include "io/json_text.h"

namespace purescope {

// Sorts as text in the order (img, seed, t, eps); eps >= 0.
std::string order_key(int64_t img, uint64_t seed, int64_t t, double eps);
// order_key of the fields "img", "seed", "t" and "eps"; a missing or null field counts as 0.
std::string record_key(const JsonObject& record);

struct JournalOptions {
  std::string folder;
  std::string file = "results.0000of0001.jsonl";
  std::string run;                   // first 8 digits of config_hash; every record must carry it as "run"
  bool resume = false;               // otherwise the file must not exist (73)
  bool repair = false;               // --repair: from the first bad line on, move to FILE.bad instead of refusing
  int version = 1;                   // newest schema ("v") this program reads
  std::string lock = "header.lock";  // lock file in the folder; empty if the caller holds a lock already
  std::function<std::string(const JsonObject&)> key = record_key;    // identity and order of a record
  std::function<void(const std::string&)> report = [](const std::string&) {};  // one sentence on what was mended

  // The calls that can fail, replaceable to show that each failure is handled.
  std::vector<double> retry_seconds = {1, 10, 60};  // waits before further tries on a full disk
  std::function<ssize_t(int, const void*, size_t)> write;
  std::function<int(int)> sync;
};

class Journal {
 public:
  // Takes the lock (78 if another writer has it), reads the file, drops a torn or damaged last line (reported).
  // Exit 65: damage anywhere else, a line over 1 MiB, CRLF, a record of another run, a newer schema, two different
  // records with the same key.
  explicit Journal(JournalOptions options);

  // Adds one record: an object {...} without "crc", on one line, with "v" and "run" of this journal and a new key.
  // It is on the disk when this returns. Thread-safe. Full disk: tries again after retry_seconds, then 74; the
  // file keeps all earlier records. A failed sync is 74 at once, as nothing is known about the disk after it.
  void append(const std::string& line_without_crc);

  // Accepted lines, without newline, in the order they were found or appended (after finish: in key order).
  const std::vector<std::string>& records() const { return lines_; }
  bool contains(const std::string& key) const { return keys_.count(key) > 0; }
  const std::string& path() const { return path_; }

  // Puts the lines in key order; rewrites the file only if they stand otherwise.
  void finish();

 private:
  struct Problem;
  void open();
  void load();
  Problem judge(const std::string& line, bool ended, std::string& key) const;
  void drop_tail(off_t begin);
  void save_tail(off_t begin);
  void write_line(const std::string& line);

  JournalOptions options_;
  std::string path_;
  FileLock lock_;
  FileHandle file_;
  off_t end_ = 0;        // the file is good up to here
  bool broken_ = false;  // after a write error nothing more is appended
  bool rewrite_ = false; // the file holds repeated lines
  std::vector<std::string> lines_, order_;  // order_[i] = key of lines_[i]
  std::set<std::string> keys_;
  std::mutex mutex_;
};

}  // namespace purescope
