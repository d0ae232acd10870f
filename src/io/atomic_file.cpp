#include "io/atomic_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "core/check.h"
#include "io/durable.h"

namespace purescope {

namespace {

std::string reason() { return errno_text(errno); }

// Fills the temporary file and closes it, so that a late error of the disk is seen too.
void fill(const std::string& temporary, const std::string& path,
          const std::function<void(const PutBytes& put)>& produce) {
  FileHandle file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0)
    fail(kCannotCreate, "cannot create the file: " + reason(), path, "check that its folder exists and can be written");
  produce([&](const void* data, size_t size) {
    if (!write_fully(file.get(), {static_cast<const char*>(data), size})) fail_io("write error", path, errno);
  });
  if (::fsync(file.get()) != 0 || ::close(file.release()) != 0) fail_io("write error", path, errno);
}

}  // namespace

void write_stream_atomic(const std::string& path, const std::function<void(const PutBytes& put)>& produce) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary = path + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  try {
    fill(temporary, path, produce);
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      fail(kCannotCreate, "cannot put the file in place: " + reason(), path, "is there a folder of this name?");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder_of(path));
}

void write_file_atomic(const std::string& path, const std::vector<std::pair<const void*, size_t>>& parts) {
  write_stream_atomic(path, [&](const PutBytes& put) { for (const auto& [data, size] : parts) put(data, size); });
}

void write_text_atomic(const std::string& path, std::string_view bytes) {
  write_file_atomic(path, {{bytes.data(), bytes.size()}});
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0) {
    const ExitCode code = errno == ENOENT || errno == ENOTDIR ? kMissingInput
                          : errno == EACCES || errno == EPERM ? kPermission
                          : errno == ELOOP || errno == ENAMETOOLONG ? kBadInput : kIoError;
    fail(code, "cannot open the file: " + reason(), path, "check the path and its permissions");
  }
  struct stat info;
  if (::fstat(file.get(), &info) != 0) fail(kIoError, "cannot inspect the file: " + reason(), path, "check the disk");
  if (S_ISDIR(info.st_mode)) fail(kBadInput, "this is a directory, not a file", path, "give the path of a file");
  if (!S_ISREG(info.st_mode)) fail(kBadInput, "this is not a regular file", path, "give the path of a regular file");
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;
  void* map = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (map == MAP_FAILED) fail(kIoError, "cannot map the file: " + reason(), path, "check the memory limits");
  data_ = static_cast<const unsigned char*>(map);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<unsigned char*>(data_), size_);
}

void MappedFile::forget(const unsigned char* first, size_t size) const {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE)), begin = static_cast<size_t>(first - data_);
  const size_t from = (begin + page - 1) / page * page, to = (begin + size) / page * page;   // whole pages only
  if (from < to) ::madvise(const_cast<unsigned char*>(data_) + from, to - from, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

}  // namespace purescope
