// The zip archives that PyTorch writes: entries stored without compression (PKWARE APPNOTE 6.3.9, sections 4.3 to 4.5).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/atomic_file.h"

namespace purescope {

struct ZipEntry {
  std::string name;
  uint16_t flags = 0, method = 0;  // method 0 = stored
  uint32_t crc = 0;
  uint64_t packed = 0, size = 0;   // bytes in the file, bytes of the content
  uint64_t header = 0, data = 0;   // offsets of the local header and of the content
};

class ZipContainer {
 public:
  // Reads and checks the whole directory: zip64, local headers that agree with it, no overlap, no doubled, absolute or
  // "../" names, no encryption. Error 65. `file` must outlive this object.
  explicit ZipContainer(const MappedFile& file);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(const std::string& name) const;  // null if there is none
  // The content of a stored entry, in the mapped file. Error 65 if it is compressed or its CRC-32 is wrong.
  const unsigned char* content(const ZipEntry& entry) const;

 private:
  void read_directory();
  void check_local(ZipEntry& entry, uint64_t directory) const;

  const MappedFile& file_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace purescope
