#include "io/journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <random>
#include <thread>

#include "core/hash.h"
#include "io/scratch_folder.h"

namespace purescope {
namespace {

const char* kRun = "3f9a01c2";

// Record `img` of a made-up run: its values depend on img alone.
std::string record(int img, double loss = 0) {
  return JsonLine().add("v", 1).add("run", kRun).add("img", img).add("seed", 0).add("t", 100).add("eps", 8. / 255)
      .add("robust", img % 3 == 0).add("loss", loss + std::sqrt(img + 1.)).add("status", "ok").text();
}

JournalOptions options_of(const ScratchFolder& folder, bool resume = true) {
  JournalOptions options;
  options.folder = folder.path();
  options.run = kRun;
  options.resume = resume;
  options.retry_seconds = {0, 0, 0};
  return options;
}

// Computes what is missing of images 0 ... count - 1, as a run does.
void run_all(const JournalOptions& options, int count) {
  Journal journal(options);
  for (int img = 0; img < count; ++img) {
    if (!journal.contains(order_key(img, 0, 100, 8. / 255))) journal.append(record(img));
  }
  journal.finish();
}

std::string file_of(const ScratchFolder& folder) { return folder / "results.0000of0001.jsonl"; }

std::string uninterrupted(int count) {
  ScratchFolder folder;
  run_all(options_of(folder, false), count);
  return slurp(file_of(folder));
}

// A line as it stands in the file, with a correct checksum.
std::string with_crc(const std::string& object) {
  const std::string body = object.substr(0, object.size() - 1);
  char crc[16];
  std::snprintf(crc, sizeof crc, "%08x", crc32(body.data(), body.size()));
  return body + ",\"crc\":\"" + crc + "\"}\n";
}

TEST(Journal, WritesRecordsThatReadBack) {
  ScratchFolder folder;
  run_all(options_of(folder, false), 3);
  const std::string bytes = slurp(file_of(folder));
  EXPECT_EQ(bytes, with_crc(record(0)) + with_crc(record(1)) + with_crc(record(2)));
  Journal journal(options_of(folder));
  ASSERT_EQ(journal.records().size(), 3u);
  const JsonObject first = JsonObject::parse(journal.records()[0], "record");
  EXPECT_EQ(first.get_double("eps"), 8. / 255);
  EXPECT_EQ(first.fields().back().first, "crc");
}

TEST(Journal, NeedsResumeForAnExistingFile) {
  ScratchFolder folder;
  run_all(options_of(folder, false), 1);
  EXPECT_EQ(exit_code_of([&] { Journal journal(options_of(folder, false)); }), kCannotCreate);
}

TEST(Journal, FinishPutsRecordsInOrder) {
  ScratchFolder folder;
  {
    Journal journal(options_of(folder, false));
    for (int img : {2, 0, 10, 1, 9, 3, 4, 5, 6, 7, 8}) journal.append(record(img));
    EXPECT_NE(slurp(file_of(folder)), uninterrupted(11));
    journal.finish();
    EXPECT_EQ(slurp(file_of(folder)), uninterrupted(11));
    journal.append(record(11));  // goes on in the new file
  }
  EXPECT_EQ(slurp(file_of(folder)), uninterrupted(12));
}

TEST(Journal, OrderIsThatOfImageSeedTimeBudget) {
  EXPECT_LT(order_key(9, 5, 100, 1), order_key(10, 0, 0, 0));
  EXPECT_LT(order_key(1, 9, 100, 1), order_key(1, UINT64_MAX, 0, 0));
  EXPECT_LT(order_key(1, 1, 50, 1), order_key(1, 1, 100, 0));
  EXPECT_LT(order_key(1, 1, 50, 4. / 255), order_key(1, 1, 50, 16. / 255));
  EXPECT_LT(order_key(1, 1, 50, 0), order_key(1, 1, 50, 1e-300));
}

// Case 72, at every byte.
TEST(Journal, TruncationAnywhereThenResumeGivesTheSameBytes) {
  const std::string whole = uninterrupted(3);
  int reported = 0;
  for (size_t size = 0; size <= whole.size(); ++size) {
    ScratchFolder folder(true);
    spit(file_of(folder), whole.substr(0, size));
    JournalOptions options = options_of(folder);
    options.report = [&](const std::string& text) { reported += text.find("cut off") != std::string::npos; };
    run_all(options, 3);
    ASSERT_EQ(slurp(file_of(folder)), whole) << "cut to " << size << " bytes";
  }
  EXPECT_EQ(reported, static_cast<int>(whole.size() + 1) - 4);  // all but the four cuts between lines
}

TEST(Journal, OneFlippedBitIsMendedOrRefusedNeverBelieved) {
  const std::string whole = uninterrupted(3);
  int mended = 0, refused = 0;
  for (size_t at = 0; at < whole.size() * 8; ++at) {
    ScratchFolder folder(true);
    std::string bytes = whole;
    bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << at % 8));
    spit(file_of(folder), bytes);
    const int code = exit_code_of([&] { run_all(options_of(folder), 3); });
    if (code == 0) {
      ++mended;
      ASSERT_EQ(slurp(file_of(folder)), whole) << "bit " << at;
    } else {
      ++refused;
      ASSERT_EQ(code, kBadInput) << "bit " << at;
      ASSERT_EQ(slurp(file_of(folder)), bytes) << "a refused file must stay as it is";
    }
  }
  EXPECT_GT(mended, 0);
  EXPECT_GT(refused, mended);
}

// Cases 73 to 78: what the file holds, the exit code, words of the message.
struct BadFile {
  const char* name;
  std::string bytes, words;
  bool repairable;
};

std::vector<BadFile> bad_files() {
  const std::string a = with_crc(record(0)), b = with_crc(record(1)), c = with_crc(record(2));
  std::string damaged = b;
  damaged[20] ^= 1;
  auto other = [](const std::string& from, const std::string& to) {
    std::string text = record(1);
    text.replace(text.find(from), from.size(), to);
    return with_crc(text);
  };
  return {{"middle line damaged", a + damaged + c, "checksum", true},
          {"empty line", a + "\n" + c, "checksum", true},
          {"another run", a + other(kRun, "deadbeef") + c, "belongs to run deadbeef", true},
          {"another run, last", a + other(kRun, "deadbeef"), "belongs to run deadbeef", true},
          {"same key, other values", a + b + with_crc(record(1, .5)) + c, "two different records", true},
          {"newer schema", a + other("\"v\":1", "\"v\":2"), "newer purescope", false},
          {"CR LF", a + b.substr(0, b.size() - 1) + "\r\n" + c, "CR LF", true},
          {"CR LF, last", a + b.substr(0, b.size() - 1) + "\r\n", "CR LF", true},
          {"correct checksum, not JSON", a + with_crc("{\"v\":1,}") + c, "JSON", true},
          {"correct checksum, no run", a + with_crc("{\"v\":1}") + c, "\"run\" is missing", true},
          {"key twice", a + with_crc("{\"v\":1,\"v\":1}") + c, "given twice", true},
          {"line of 2 MiB", a + std::string(2 << 20, 'x') + "\n" + c, "longer than", true},
          {"tail of 2 MiB", a + std::string(2 << 20, 'x'), "longer than", true}};
}

TEST(Journal, RefusesBadFilesAndLeavesThem) {
  for (const BadFile& bad : bad_files()) {
    ScratchFolder folder;
    spit(file_of(folder), bad.bytes);
    std::string message;
    EXPECT_EQ(exit_code_of([&] { Journal journal(options_of(folder)); }, &message), kBadInput) << bad.name;
    EXPECT_NE(message.find(bad.words), std::string::npos) << bad.name << ": " << message;
    EXPECT_NE(message.find(", line "), std::string::npos) << message;
    EXPECT_EQ(slurp(file_of(folder)), bad.bytes) << bad.name;
  }
}

TEST(Journal, RepairMovesTheTailAsideAndResumes) {
  for (const BadFile& bad : bad_files()) {
    ScratchFolder folder;
    spit(file_of(folder), bad.bytes);
    JournalOptions options = options_of(folder);
    options.repair = true;
    const int code = exit_code_of([&] { run_all(options, 3); });
    EXPECT_EQ(code, bad.repairable ? 0 : kBadInput) << bad.name;
    if (!bad.repairable) continue;
    EXPECT_EQ(slurp(file_of(folder)), uninterrupted(3)) << bad.name;
    const std::string set_aside = slurp(file_of(folder) + ".bad");
    ASSERT_FALSE(set_aside.empty()) << bad.name;
    EXPECT_EQ(set_aside, bad.bytes.substr(bad.bytes.size() - set_aside.size())) << bad.name;
  }
}

TEST(Journal, TheSameRecordTwiceIsKeptOnce) {
  ScratchFolder folder;
  spit(file_of(folder), with_crc(record(0)) + with_crc(record(0)) + with_crc(record(1)));
  run_all(options_of(folder), 3);
  EXPECT_EQ(slurp(file_of(folder)), uninterrupted(3));
}

// Case 78: the line must be refused after the first MiB of it.
TEST(Journal, RefusesALineOf100MegabytesAtOnce) {
  ScratchFolder folder;
  spit(file_of(folder), with_crc(record(0)) + "{");
  std::filesystem::resize_file(file_of(folder), 100 << 20);
  rusage before {}, after {};
  ::getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(exit_code_of([&] { Journal journal(options_of(folder)); }), kBadInput);
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20 << 10);  // KiB: far below the 100 MiB of the line
}

TEST(Journal, ASecondWriterIsTurnedAway) {
  ScratchFolder folder;
  {
    Journal first(options_of(folder, false));
    first.append(record(0));
    std::string message;
    EXPECT_EQ(exit_code_of([&] { Journal second(options_of(folder)); }, &message), kConfigMismatch);
    EXPECT_NE(message.find("another process"), std::string::npos);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(exit_code_of([&] { Journal second(options_of(folder)); }));
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), kConfigMismatch);
    first.append(record(1));
  }
  run_all(options_of(folder), 2);  // free again
  EXPECT_EQ(slurp(file_of(folder)), uninterrupted(2));
}

TEST(Journal, RefusesRecordsThatItWouldNotReadBack) {
  ScratchFolder folder;
  Journal journal(options_of(folder, false));
  journal.append(record(0));
  journal.append(record(0));  // the very same: nothing happens
  EXPECT_EQ(exit_code_of([&] { journal.append(record(0, 1)); }), kInternal);
  EXPECT_EQ(exit_code_of([&] { journal.append("{\"v\":1,\"run\":\"deadbeef\"}"); }), kInternal);
  EXPECT_EQ(exit_code_of([&] { journal.append("{\"v\":1,\n\"run\":\"3f9a01c2\"}"); }), kInternal);
  EXPECT_EQ(slurp(file_of(folder)), with_crc(record(0)));
}

// A run of 5 records in which write number `call` goes wrong in the given way; the resumed file must be the same.
TEST(Journal, FailingWritesNeverLeaveADifferentFile) {
  const std::string whole = uninterrupted(5);
  enum Fault { Short, Interrupted, Full, FullForever, Broken };
  for (Fault fault : {Short, Interrupted, Full, FullForever, Broken}) {
    for (int call = 0; call < 8; ++call) {
      ScratchFolder folder(true);
      int count = 0;
      JournalOptions options = options_of(folder, false);
      options.write = [&](int fd, const void* data, size_t size) -> ssize_t {
        const bool now = count == call || (count > call && fault == FullForever);
        ++count;
        if (!now) return ::write(fd, data, size);
        if (fault == Short) return ::write(fd, data, size / 2);
        errno = fault == Interrupted ? EINTR : fault == Broken ? EIO : ENOSPC;
        // A full disk takes a part of the line first.
        if (fault == FullForever && count == call + 1) return ::write(fd, data, size / 3);
        return -1;
      };
      const int code = exit_code_of([&] { run_all(options, 5); });
      const bool fatal = (fault == FullForever || fault == Broken) && call < 5;
      EXPECT_EQ(code, fatal ? kIoError : 0) << fault << " at call " << call;
      const std::string left = slurp(file_of(folder));
      EXPECT_EQ(left, whole.substr(0, left.size()));
      EXPECT_TRUE(left.empty() || left.back() == '\n') << "no half line may stay behind";
      run_all(options_of(folder), 5);
      EXPECT_EQ(slurp(file_of(folder)), whole);
    }
  }
}

TEST(Journal, AFailedSyncIsFatal) {
  ScratchFolder folder;
  JournalOptions options = options_of(folder, false);
  int count = 0;
  options.sync = [&](int) { errno = EIO; return count++ == 1 ? -1 : 0; };
  {
    Journal journal(options);
    journal.append(record(0));
    EXPECT_EQ(exit_code_of([&] { journal.append(record(1)); }), kIoError);
    EXPECT_EQ(exit_code_of([&] { journal.append(record(2)); }), kIoError) << "nothing may follow";
  }
  run_all(options_of(folder), 3);
  EXPECT_EQ(slurp(file_of(folder)), uninterrupted(3));
}

// A real limit of the system instead of an injected one: the file may not grow beyond 300 bytes.
TEST(Journal, FileSizeLimitIsTreatedAsAFullDisk) {
  ScratchFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {300, 300};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(exit_code_of([&] { run_all(options_of(folder, false), 5); }));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kIoError);
  EXPECT_FALSE(slurp(file_of(folder)).empty());
  run_all(options_of(folder), 5);
  EXPECT_EQ(slurp(file_of(folder)), uninterrupted(5));
}

// 20 or more kills at random times, over at least 3 runs of 60 records.
TEST(Journal, KilledAtRandomAndResumedGivesTheSameBytes) {
  const std::string whole = uninterrupted(60);
  std::mt19937 random(7);
  int kills = 0, runs = 0;
  while ((kills < 20 || runs < 3) && runs < 50) {
    ScratchFolder folder;
    for (bool done = false; !done;) {
      const pid_t child = ::fork();
      if (child == 0) {
        JournalOptions options = options_of(folder);
        options.sync = [](int fd) {
          std::this_thread::sleep_for(std::chrono::microseconds(300));
          return ::fdatasync(fd);
        };
        ::_exit(exit_code_of([&] { run_all(options, 60); }));
      }
      std::this_thread::sleep_for(std::chrono::microseconds(500 + random() % 15000));
      ::kill(child, SIGKILL);
      int status = 0;
      ::waitpid(child, &status, 0);
      done = WIFEXITED(status);
      if (done) { EXPECT_EQ(WEXITSTATUS(status), 0); } else { ++kills; }
    }
    ASSERT_EQ(slurp(file_of(folder)), whole) << "after " << kills << " kills";
    ++runs;
  }
  EXPECT_GE(kills, 20);
  std::printf("%d kills over %d runs\n", kills, runs);
}

}  // namespace
}  // namespace purescope
