#include "io/durable.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "core/check.h"

namespace purescope {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void fail_io(const std::string& what, const std::string& path, int error) {
  fail(kIoError, what + ": " + errno_text(error), path,
       is_out_of_space(error) ? "free some space and run again with --resume" : "check the disk and the permissions");
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

std::string errno_text(int error) { return std::generic_category().message(error); }

bool is_out_of_space(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

bool write_fully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    bytes.remove_prefix(wrote);
  }
  return true;
}

FileLock::FileLock(const std::string& path, double wait_seconds) {
  file_ = FileHandle(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file_.get() < 0) fail_io("cannot open the lock file", path, errno);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_seconds);
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error != EWOULDBLOCK) fail_io("cannot lock", path, error);
    if (std::chrono::steady_clock::now() >= give_up) {
      fail(kConfigMismatch, "another process is writing to this run", path,
           "wait until it ends, or choose another --out");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void sync_folder(const std::string& folder) {
  const FileHandle handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() < 0) fail_io("cannot open the folder", folder, errno);
  // Some network file systems cannot sync a folder (EINVAL); there the rename itself is the promise.
  if (::fsync(handle.get()) != 0 && errno != EINVAL) fail_io("cannot sync the folder", folder, errno);
}

std::string read_text_file(const std::string& path, size_t limit) {
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT) fail(kMissingInput, "file does not exist", path, "check the path");
  struct stat facts {};
  if (file.get() < 0 || ::fstat(file.get(), &facts) != 0) fail_io("cannot read", path, errno);
  if (static_cast<size_t>(facts.st_size) > limit) {
    fail(kBadInput, "file has " + std::to_string(facts.st_size) + " bytes, more than the " + std::to_string(limit) +
         " allowed", path, "check that this is the right file");
  }
  std::string bytes;
  char chunk[1 << 16];
  while (true) {
    const ssize_t got = ::read(file.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io("cannot read", path, errno);
    if (got == 0) return bytes;
    bytes.append(chunk, got);
    if (bytes.size() > limit) fail(kBadInput, "file grew while it was read", path, "check that this is the right file");
  }
}

void append_to_file(const std::string& path, std::string_view bytes) {
  const FileHandle file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0 || !write_fully(file.get(), bytes)) fail_io("cannot write", path, errno);
}

}  // namespace purescope
