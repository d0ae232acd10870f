// Whole files: written completely or not at all, and read through a read-only memory map.
#pragma once
#include <cstddef>
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

 private:
  std::string path_;
  const unsigned char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace purescope
