#include "io/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace purescope {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() { if (fd >= 0) ::close(fd); }
};

[[noreturn]] void fail_to_open(const std::string& path, int error) {
  const std::string reason = std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) fail(kMissingInput, "file does not exist", path, "check the path");
  if (error == EACCES) fail(kPermission, "file is not readable", path, "check its permissions");
  if (error == ELOOP) fail(kBadInput, "the symbolic link points to itself", path, "replace the link by the file");
  fail(kIoError, "cannot open file (" + reason + ")", path, "check the path and the disk");
}

}  // namespace

std::vector<unsigned char> read_whole_file(const std::string& path, size_t limit) {
  // Non-blocking, so that a named pipe is refused below instead of waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail_to_open(path, errno);
  struct stat info;
  if (::fstat(file.fd, &info) != 0) fail(kIoError, "cannot read file", path, "check the disk");
  if (S_ISDIR(info.st_mode)) fail(kBadInput, "this is a folder, not a file", path, "give the path of a file");
  if (!S_ISREG(info.st_mode)) fail(kBadInput, "this is not a regular file", path, "give the path of a file");
  if (static_cast<unsigned long long>(info.st_size) > limit) {
    fail(kBadInput, "the file has " + std::to_string(info.st_size) + " bytes, the limit is " + std::to_string(limit),
         path, "give a smaller file");
  }
  std::vector<unsigned char> bytes(static_cast<size_t>(info.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.fd, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(kIoError, "read error", path, "check the disk, and that nobody is writing to the file");
    done += static_cast<size_t>(got);
  }
  return bytes;
}

void write_whole_file(const std::string& path, const void* data, size_t size) {
  static std::atomic<unsigned> serial{0};  // two threads may write the same path: the last rename wins, both are whole
  const std::string temporary = path + ".tmp" + std::to_string(::getpid()) + "." + std::to_string(serial++);
  Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
  if (file.fd < 0) {
    fail(kCannotCreate, std::string("cannot create file (") + std::strerror(errno) + ")", path,
         "check that the folder exists and is writable");
  }
  size_t done = 0;
  bool good = true;
  while (good && done < size) {
    const ssize_t put = ::write(file.fd, static_cast<const char*>(data) + done, size - done);
    if (put < 0 && errno == EINTR) continue;
    good = put > 0;
    if (good) done += static_cast<size_t>(put);
  }
  good = good && ::fsync(file.fd) == 0;
  good = ::close(file.fd) == 0 && good;
  file.fd = -1;
  if (!good || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    ::unlink(temporary.c_str());
    fail(kIoError, "cannot write file (" + reason + ")", path, "check the free space of the disk");
  }
}

}  // namespace purescope
