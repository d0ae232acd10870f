// The pieces of writing that survives a crash: descriptors, a lock for one writer, synced folders, appending. Whole files are
// written by io/atomic_file.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace purescope {

// An open file descriptor, closed at the end.
class FileHandle {
 public:
  explicit FileHandle(int fd = -1) : fd_(fd) {}
  ~FileHandle();
  FileHandle(FileHandle&& other) noexcept : fd_(other.release()) {}
  FileHandle& operator=(FileHandle&& other) noexcept;
  int get() const { return fd_; }
  int release() { const int fd = fd_; fd_ = -1; return fd; }

 private:
  int fd_;
};

// The exclusive lock of a file (flock), held until the object goes. While another process or object holds it, tries
// again for `wait_seconds`, then fails with 78.
class FileLock {
 public:
  FileLock() = default;
  explicit FileLock(const std::string& path, double wait_seconds = 0);

 private:
  FileHandle file_;
};

// The whole file; 66 if it does not exist, 65 if it is larger than `limit` bytes, 74 if it cannot be read.
std::string read_text_file(const std::string& path, size_t limit = size_t(64) << 20);

// Adds `bytes` at the end of the file in one write; creates it. Not synced. Fails with 74.
void append_to_file(const std::string& path, std::string_view bytes);

// Makes renames and new names in the folder durable. Fails with 74.
void sync_folder(const std::string& folder);

// Writes all bytes, through short writes and interrupts. False with errno set on an error.
bool write_fully(int fd, std::string_view bytes);

// The folder a path lies in; "." for a bare name.
std::string folder_of(const std::string& path);

// Exit 74 with the text of `error`; what to do depends on whether space ran out.
[[noreturn]] void fail_io(const std::string& what, const std::string& path, int error);

// "No space left on device" and so on, for error messages.
std::string errno_text(int error);

// Disk full, quota reached or file size limit: errors that go away when space is freed.
bool is_out_of_space(int error);

}  // namespace purescope
