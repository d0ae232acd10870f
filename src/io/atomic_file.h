// Whole files: written completely or not at all, and read through a read-only memory map.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace purescope {

// Writes the parts one after another into `path`: temporary file in the same folder, fsync, rename, fsync of the
// folder. On any error the temporary file is removed and an older `path` is left as it was. Errors: 73 if the file
// cannot be created or put in place, 74 on a write
// error (disk full included).
void write_file_atomic(const std::string& path, const std::vector<std::pair<const void*, size_t>>& parts);
// The same, for files larger than memory: `produce` hands its parts to put(data, size), one after another.
using PutBytes = std::function<void(const void* data, size_t size)>;
void write_stream_atomic(const std::string& path, const std::function<void(const PutBytes& put)>& produce);
void write_text_atomic(const std::string& path, std::string_view bytes);

// A regular file mapped read-only. Errors: 66 missing, 77 unreadable, 65 a directory or another special file, 74
// otherwise.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  const unsigned char* data() const { return data_; }  // null for an empty file
  size_t size() const { return size_; }
  const std::string& path() const { return path_; }
  // These bytes will not be read again soon: their pages need not stay in memory. What they hold does not change.
  void forget(const unsigned char* first, size_t size) const;

 private:
  std::string path_;
  const unsigned char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace purescope
