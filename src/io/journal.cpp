#include "io/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include "core/check.h"
#include "core/hash.h"
#include "io/atomic_file.h"
#include "io/signals.h"

namespace purescope {
namespace {

constexpr size_t kMaxLine = size_t(1) << 20;  // longest line, newline excluded

// The bytes after the record proper: ,"crc":"xxxxxxxx"}
std::string crc_suffix(std::string_view body) {
  char text[32];
  std::snprintf(text, sizeof text, ",\"crc\":\"%08x\"}", crc32(body.data(), body.size()));
  return text;
}
const size_t kSuffixSize = crc_suffix("").size();

struct Line {
  std::string text;           // without newline
  off_t begin = 0, next = 0;  // offsets of its first byte and of the line after it
  bool ended = false;         // a newline follows
};

// Splits a file into lines and stops reading at a line that is too long.
class LineReader {
 public:
  LineReader(int fd, const std::string& path) : fd_(fd), path_(path) {}
  bool next(Line& line) {
    line = {};
    line.begin = line.next = offset_;
    while (line.text.size() <= kMaxLine) {
      if (at_ == filled_ && !fill()) break;
      const char c = buffer_[at_++];
      ++offset_;
      if (c == '\n') { line.ended = true; break; }
      line.text += c;
    }
    line.next = offset_;
    return line.next > line.begin;
  }

 private:
  bool fill() {
    ssize_t got = -1;
    do got = ::pread(fd_, buffer_, sizeof buffer_, offset_); while (got < 0 && errno == EINTR);
    if (got < 0) fail(kIoError, "cannot read: " + errno_text(errno), path_, "check the disk");
    at_ = 0;
    filled_ = got;
    return got > 0;
  }
  int fd_;
  const std::string& path_;
  off_t offset_ = 0;
  char buffer_[1 << 16];
  size_t at_ = 0, filled_ = 0;
};

off_t file_size(int fd, const std::string& path) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) fail(kIoError, "cannot read: " + errno_text(errno), path, "check the disk");
  return facts.st_size;
}

// Sleeps in short pieces, so that a stop request does not wait for the disk.
void wait_for_space(double seconds) {
  using seconds_double = std::chrono::duration<double>;
  const auto until = std::chrono::steady_clock::now() + seconds_double(seconds);
  while (!stop_requested()) {
    const seconds_double left = until - std::chrono::steady_clock::now();
    if (left.count() <= 0) return;
    std::this_thread::sleep_for(std::min(left, seconds_double(.2)));
  }
}

}  // namespace

std::string order_key(int64_t img, uint64_t seed, int64_t t, double eps) {
  // The bits of non-negative doubles, read as integers, are in the order of the doubles.
  char text[96];
  std::snprintf(text, sizeof text, "%020lld.%020llu.%010lld.%016llx", static_cast<long long>(img),
                static_cast<unsigned long long>(seed), static_cast<long long>(t),
                static_cast<unsigned long long>(std::bit_cast<uint64_t>(eps)));
  return text;
}

std::string record_key(const JsonObject& record) {
  auto given = [&](const char* key) { return record.has(key) && !record.is_null(key); };
  return order_key(given("img") ? record.get_int("img") : 0, given("seed") ? record.get_natural("seed") : 0,
                   given("t") ? record.get_int("t") : 0, given("eps") ? record.get_double("eps") : 0);
}

// Why a line is not accepted; an empty `what` means that it is.
struct Journal::Problem {
  std::string what, todo;
  bool damage = false;      // looks like a crash or a bad disk: as the last line it is dropped
  bool repairable = true;
};

Journal::Journal(JournalOptions options) : options_(std::move(options)) {
  if (!options_.write) options_.write = ::write;
  if (!options_.sync) options_.sync = ::fdatasync;
  path_ = options_.folder + "/" + options_.file;
  if (!options_.lock.empty()) lock_ = FileLock(options_.folder + "/" + options_.lock);
  open();
  load();
}

void Journal::open() {
  const int extra = options_.resume ? 0 : O_EXCL;
  file_ = FileHandle(::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | extra, 0666));
  if (file_.get() < 0) {
    const int error = errno;
    fail(kCannotCreate, "cannot open the record file: " + errno_text(error), path_,
         error == EEXIST ? "continue that run with --resume, or choose another --out" : "check the permissions");
  }
  sync_folder(options_.folder);
}

// Reads every line; afterwards the file ends with its last accepted line.
void Journal::load() {
  const off_t size = file_size(file_.get(), path_);
  LineReader reader(file_.get(), path_);
  Line line;
  for (int number = 1; reader.next(line); ++number) {
    std::string key;
    const Problem problem = judge(line.text, line.ended, key);
    const std::string where = path_ + ", line " + std::to_string(number);
    if (problem.what.empty()) {
      if (keys_.insert(key).second) {
        lines_.push_back(line.text);
        order_.push_back(key);
      } else {
        rewrite_ = true;  // the same line once more
      }
      end_ = line.next;
      continue;
    }
    if (problem.damage && line.next == size) {
      drop_tail(line.begin);
      options_.report("dropped the last record, " + problem.what + ": " + where + "; it is computed again");
    } else if (options_.repair && problem.repairable) {
      save_tail(line.begin);
      options_.report("moved the file from line " + std::to_string(number) + " on to " + path_ +
                      ".bad: " + problem.what);
    } else {
      fail(kBadInput, problem.what, where, problem.todo);
    }
    return;
  }
}

Journal::Problem Journal::judge(const std::string& line, bool ended, std::string& key) const {
  const std::string repair = "use --repair to set this line and all after it aside and compute them again";
  if (line.size() > kMaxLine) return {"line is longer than " + std::to_string(kMaxLine) + " bytes", repair};
  if (!ended) return {"cut off before its end", repair, true};
  if (!line.empty() && line.back() == '\r') {
    return {"line ends with CR LF", "the file was converted on its way; copy it again as binary, or use --repair"};
  }
  const std::string body = line.substr(0, line.size() - std::min(line.size(), kSuffixSize));
  if (line != body + crc_suffix(body)) return {"record is damaged (checksum differs)", repair, true};
  try {
    const JsonObject record = JsonObject::parse(line, path_);
    const int64_t version = record.get_int("v");
    if (version > options_.version) {
      return {"record has schema version " + std::to_string(version) + ", this program reads up to " +
              std::to_string(options_.version), "use a newer purescope", false, false};
    }
    if (record.get_string("run") != options_.run) {
      return {"record belongs to run " + record.get_string("run") + ", not to " + options_.run,
              "put that run's files back into their own folder, or use --repair"};
    }
    key = options_.key(record);
  } catch (const Error& error) {
    return {error.what(), repair};
  }
  if (keys_.count(key)) {
    const size_t first = std::find(order_.begin(), order_.end(), key) - order_.begin();
    if (lines_[first] != line) {
      return {"two different records for the same image, seed, t and eps (the first is record " +
                  std::to_string(first + 1) + ")",
              "decide which is right and remove the other, or use --repair"};
    }
  }
  return {};
}

void Journal::drop_tail(off_t begin) {
  if (::ftruncate(file_.get(), begin) != 0 || ::fsync(file_.get()) != 0) {
    fail(kIoError, "cannot cut off a damaged record: " + errno_text(errno), path_, "check the disk");
  }
}

// Appends everything from `begin` on to FILE.bad, then cuts it off here.
void Journal::save_tail(off_t begin) {
  const std::string bad = path_ + ".bad";
  const FileHandle out(::open(bad.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  bool good = out.get() >= 0;
  char chunk[1 << 16];
  for (off_t at = begin; good;) {
    const ssize_t got = ::pread(file_.get(), chunk, sizeof chunk, at);
    if (got == 0) break;
    good = got > 0 && write_fully(out.get(), {chunk, static_cast<size_t>(got)});
    at += got;
  }
  if (!good || ::fsync(out.get()) != 0) {
    fail(kIoError, "cannot move the damaged part: " + errno_text(errno), bad, "free some space or check the disk");
  }
  sync_folder(options_.folder);
  drop_tail(begin);
}

void Journal::append(const std::string& line_without_crc) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (broken_) fail(kIoError, "an earlier write failed", path_, "run again with --resume");
  PURESCOPE_REQUIRE(line_without_crc.size() > 2 && line_without_crc.back() == '}');
  const std::string body = line_without_crc.substr(0, line_without_crc.size() - 1);
  const std::string line = body + crc_suffix(body);
  std::string key;
  const Problem problem =
      line.find('\n') == std::string::npos ? judge(line, true, key) : Problem{"line break in a record", ""};
  if (!problem.what.empty()) fail(kInternal, "record refused: " + problem.what, path_, "this is a bug in purescope");
  if (keys_.count(key)) return;  // the very same record is there already
  write_line(line + "\n");
  keys_.insert(key);
  lines_.push_back(line);
  order_.push_back(key);
}

// One write(2) for the whole line, then fdatasync. What a failed write left behind is cut off before the next try.
void Journal::write_line(const std::string& line) {
  size_t waits = 0;
  for (int hurried = 0;;) {
    const ssize_t wrote = options_.write(file_.get(), line.data(), line.size());
    if (wrote == static_cast<ssize_t>(line.size())) break;
    // A short write is an interrupt or the last free block: the next try tells which.
    const int error = wrote < 0 ? errno : EINTR;
    if (wrote > 0 && ::ftruncate(file_.get(), end_) != 0) broken_ = true;
    if (!broken_ && error == EINTR && ++hurried <= 100) continue;
    const bool wait = !broken_ && is_out_of_space(error) && waits < options_.retry_seconds.size() && !stop_requested();
    if (!wait) {
      broken_ = true;
      fail(kIoError, "cannot write a record: " + errno_text(error), path_,
           is_out_of_space(error) ? "free some space and run again with --resume; all earlier records are safe"
                                  : "check the disk, then run again with --resume");
    }
    options_.report("cannot write a record: " + errno_text(error) + "; trying again in " +
                    json_number(options_.retry_seconds[waits]) + " s");
    wait_for_space(options_.retry_seconds[waits++]);
  }
  if (options_.sync(file_.get()) != 0) {
    broken_ = true;
    fail(kIoError, "cannot sync a record: " + errno_text(errno), path_, "check the disk, then run again with --resume");
  }
  end_ += static_cast<off_t>(line.size());
}

void Journal::finish() {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (broken_) fail(kIoError, "an earlier write failed", path_, "run again with --resume");
  if (std::is_sorted(order_.begin(), order_.end()) && !rewrite_) return;
  std::vector<std::pair<std::string, std::string>> sorted;
  for (size_t i = 0; i < lines_.size(); ++i) sorted.emplace_back(order_[i], std::move(lines_[i]));
  std::sort(sorted.begin(), sorted.end());
  std::string bytes;
  for (size_t i = 0; i < sorted.size(); ++i) {
    order_[i] = std::move(sorted[i].first);
    lines_[i] = std::move(sorted[i].second);
    (bytes += lines_[i]) += '\n';
  }
  write_text_atomic(path_, bytes);
  // The old descriptor belongs to the replaced file.
  file_ = FileHandle(::open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  if (file_.get() < 0) fail(kIoError, "cannot open the record file: " + errno_text(errno), path_, "check the disk");
  end_ = static_cast<off_t>(bytes.size());
  rewrite_ = false;
}

}  // namespace purescope
