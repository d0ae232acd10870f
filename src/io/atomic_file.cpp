#include "io/atomic_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "core/check.h"

namespace purescope {

namespace {

// A descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  explicit Descriptor(int fd) : fd(fd) {}
  ~Descriptor() { if (fd >= 0) ::close(fd); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

std::string reason() { return std::strerror(errno); }

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Writes all bytes, in pieces that every kernel takes; false on error with errno set.
bool write_all(int fd, const void* data, size_t size) {
  auto p = static_cast<const char*>(data);
  while (size) {
    const ssize_t got = ::write(fd, p, std::min<size_t>(size, size_t(1) << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    p += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

// Fills the temporary file and closes it, so that a late error of the disk is seen too.
void fill(const std::string& temporary, const std::string& path,
          const std::vector<std::pair<const void*, size_t>>& parts) {
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.fd < 0)
    fail(kCannotCreate, "cannot create the file: " + reason(), path, "check that its folder exists and can be written");
  for (const auto& [data, size] : parts)
    if (!write_all(file.fd, data, size)) fail(kIoError, "write error: " + reason(), path, "check the free disk space");
  if (::fsync(file.fd) != 0) fail(kIoError, "write error: " + reason(), path, "check the disk");
  const int closed = ::close(file.fd);
  file.fd = -1;
  if (closed != 0) fail(kIoError, "write error: " + reason(), path, "check the disk");
}

}  // namespace

void write_file_atomic(const std::string& path, const std::vector<std::pair<const void*, size_t>>& parts) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary = path + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  try {
    fill(temporary, path, parts);
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      fail(kCannotCreate, "cannot put the file in place: " + reason(), path, "is there a folder of this name?");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder and say EINVAL; the file itself is already safe then.
  if (folder.fd >= 0 && ::fsync(folder.fd) != 0 && errno != EINVAL)
    fail(kIoError, "cannot sync the folder: " + reason(), path, "check the disk");
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file.fd < 0) {
    const ExitCode code = errno == ENOENT || errno == ENOTDIR ? kMissingInput
                          : errno == EACCES || errno == EPERM ? kPermission
                          : errno == ELOOP || errno == ENAMETOOLONG ? kBadInput : kIoError;
    fail(code, "cannot open the file: " + reason(), path, "check the path and its permissions");
  }
  struct stat info;
  if (::fstat(file.fd, &info) != 0) fail(kIoError, "cannot inspect the file: " + reason(), path, "check the disk");
  if (S_ISDIR(info.st_mode)) fail(kBadInput, "this is a directory, not a file", path, "give the path of a file");
  if (!S_ISREG(info.st_mode)) fail(kBadInput, "this is not a regular file", path, "give the path of a regular file");
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;
  void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (map == MAP_FAILED) fail(kIoError, "cannot map the file: " + reason(), path, "check the memory limits");
  data_ = static_cast<const unsigned char*>(map);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<unsigned char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

}  // namespace purescope
