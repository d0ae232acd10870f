#include "io/zip_container.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/hash.h"
#include "io/text.h"

namespace purescope {

namespace {

const uint32_t kLocalMark = 0x04034b50, kCentralMark = 0x02014b50, kEndMark = 0x06054b50, kEnd64Mark = 0x06064b50,
               kLocator64Mark = 0x07064b50, kDescriptorMark = 0x08074b50;
const uint64_t kMaxEntries = 4'000'000;

[[noreturn]] void refuse(const std::string& what, const std::string& where) {
  fail(kBadInput, what, where, "the file is damaged or was not written by torch.save; copy it again or re-save it");
}

// Little-endian numbers of a mapped file, with a bounds check on every read.
struct Reader {
  const MappedFile& file;
  uint64_t number(uint64_t at, int bytes) const {
    if (at > file.size() || file.size() - at < static_cast<uint64_t>(bytes))
      refuse("the zip archive is cut short", file.path());
    uint64_t v = 0;
    for (int i = 0; i < bytes; ++i) v |= uint64_t(file.data()[at + static_cast<uint64_t>(i)]) << (8 * i);
    return v;
  }
  std::string text(uint64_t at, uint64_t length) const {
    if (at > file.size() || file.size() - at < length) refuse("the zip archive is cut short", file.path());
    return {reinterpret_cast<const char*>(file.data()) + at, length};
  }
};

struct Directory { uint64_t begin = 0, size = 0, count = 0; };

// The end record stands at the end of the file, followed only by its comment; zip64 keeps the true numbers in front of
// it.
Directory find_directory(const Reader& r) {
  const uint64_t size = r.file.size();
  if (size < 22) refuse("the zip archive is cut short", r.file.path());
  const uint64_t lowest = size > 22 + 65535 ? size - 22 - 65535 : 0;
  for (uint64_t at = size - 22 + 1; at-- > lowest;) {
    if (r.number(at, 4) != kEndMark || at + 22 + r.number(at + 20, 2) != size) continue;
    Directory d{r.number(at + 16, 4), r.number(at + 12, 4), r.number(at + 10, 2)};
    uint64_t limit = at;
    if (r.number(at + 4, 2) != 0 || r.number(at + 6, 2) != 0 || r.number(at + 8, 2) != d.count)
      refuse("the zip archive is split over several files", r.file.path());
    if (d.count == 0xffff || d.size == 0xffffffff || d.begin == 0xffffffff) {
      if (at < 20 || r.number(at - 20, 4) != kLocator64Mark) refuse("the zip64 locator is missing", r.file.path());
      limit = r.number(at - 12, 8);
      if (limit > at || r.number(limit, 4) != kEnd64Mark) refuse("the zip64 end record is missing", r.file.path());
      d = {r.number(limit + 48, 8), r.number(limit + 40, 8), r.number(limit + 32, 8)};
    }
    if (d.begin > limit || d.size > limit - d.begin)
      refuse("the zip directory reaches beyond its end record", r.file.path());
    if (d.count > kMaxEntries) refuse("the zip archive has more than 4000000 entries", r.file.path());
    return d;
  }
  refuse("the zip archive is cut short: no end record", r.file.path());
}

// The zip64 field (id 1) holds, in this order, those of the three numbers that are 0xffffffff in the header.
void widen(const Reader& r, uint64_t at, uint64_t length, uint64_t* size, uint64_t* packed, uint64_t* header) {
  const uint64_t end = at + length;
  while (end - at >= 4) {
    const uint64_t id = r.number(at, 2), field_end = at + 4 + r.number(at + 2, 2);
    if (field_end > end) return;
    at += 4;
    for (uint64_t* value : {size, packed, header}) {
      if (id != 1 || !value || *value != 0xffffffff || field_end - at < 8) continue;
      *value = r.number(at, 8);
      at += 8;
    }
    at = field_end;
  }
}

void check_name_of_entry(const ZipEntry& e, const std::string& path) {
  const std::string where = path + ", entry " + printable(e.name);
  const bool outside = e.name.find("../") != e.name.npos || e.name.find("..\\") != e.name.npos || e.name[0] == '/';
  if (outside || e.name == ".." || e.name.find('\0') != e.name.npos)
    refuse("the entry name points outside the archive", where);
  if (e.flags & 0x2041) refuse("the entry is encrypted", where);
}

}  // namespace

ZipContainer::ZipContainer(const MappedFile& file) : file_(file) {
  read_directory();
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const ZipEntry& e = entries_[i];
    if (!index_.emplace(e.name, i).second)
      refuse("two entries have the same name", file.path() + ", entry " + printable(e.name));
    ranges.emplace_back(e.header, e.data + e.packed);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second) refuse("two entries of the zip archive overlap", file.path());
}

void ZipContainer::read_directory() {
  const Reader r{file_};
  const Directory d = find_directory(r);
  uint64_t at = d.begin;
  for (uint64_t i = 0; i < d.count; ++i) {
    if (r.number(at, 4) != kCentralMark) refuse("the zip directory is damaged", file_.path());
    ZipEntry e;
    e.flags = static_cast<uint16_t>(r.number(at + 8, 2));
    e.method = static_cast<uint16_t>(r.number(at + 10, 2));
    e.crc = static_cast<uint32_t>(r.number(at + 16, 4));
    e.packed = r.number(at + 20, 4);
    e.size = r.number(at + 24, 4);
    e.header = r.number(at + 42, 4);
    const uint64_t name = r.number(at + 28, 2), extra = r.number(at + 30, 2), comment = r.number(at + 32, 2);
    e.name = r.text(at + 46, name);
    if (e.name.empty()) refuse("an entry of the zip archive has no name", file_.path());
    widen(r, at + 46 + name, extra, &e.size, &e.packed, &e.header);
    check_name_of_entry(e, file_.path());
    check_local(e, d.begin);
    at += 46 + name + extra + comment;
    entries_.push_back(std::move(e));
  }
  if (at != d.begin + d.size) refuse("the zip directory is not as long as its end record says", file_.path());
}

// The local header must repeat the name, method and sizes, except that bit 3 of the flags moves crc and sizes behind
// the data.
void ZipContainer::check_local(ZipEntry& e, uint64_t directory) const {
  const Reader r{file_};
  const std::string where = file_.path() + ", entry " + printable(e.name);
  if (e.header > directory || r.number(e.header, 4) != kLocalMark) refuse("the local header is missing", where);
  const uint64_t name = r.number(e.header + 26, 2), extra = r.number(e.header + 28, 2);
  uint64_t packed = r.number(e.header + 18, 4), size = r.number(e.header + 22, 4);
  const bool later = r.number(e.header + 6, 2) & 8;
  if (r.number(e.header + 6, 2) & 0x2041) refuse("the entry is encrypted", where);
  if (r.text(e.header + 30, name) != e.name) refuse("central and local names disagree", where);
  if (r.number(e.header + 8, 2) != e.method) refuse("central and local compression disagree", where);
  widen(r, e.header + 30 + name, extra, &size, &packed, nullptr);
  e.data = e.header + 30 + name + extra;
  if (e.data > directory || e.packed > directory - e.data) refuse("the entry reaches into the zip directory", where);
  const bool sizes_follow = later && (size == 0 || size == 0xffffffff) && (packed == 0 || packed == 0xffffffff);
  if (!sizes_follow && (size != e.size || packed != e.packed)) refuse("central and local sizes disagree", where);
  const uint64_t tail = e.data + e.packed;
  if (later && directory - tail >= 16 && r.number(tail, 4) == kDescriptorMark) {
    const bool narrow =
        r.number(tail + 8, 4) == (e.packed & 0xffffffff) && r.number(tail + 12, 4) == (e.size & 0xffffffff);
    const bool wide = directory - tail >= 24 && r.number(tail + 8, 8) == e.packed && r.number(tail + 16, 8) == e.size;
    if (!narrow && !wide) refuse("central and local sizes disagree", where);
  }
  if (e.method == 0 && e.packed != e.size)
    refuse("a stored entry with two sizes: central and local sizes disagree", where);
}

const ZipEntry* ZipContainer::find(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

const unsigned char* ZipContainer::content(const ZipEntry& entry) const {
  const std::string where = file_.path() + ", entry " + printable(entry.name);
  if (entry.method != 0) refuse("the entry is compressed; only stored entries are read", where);
  const unsigned char* data = file_.data() + entry.data;
  if (crc32(data, entry.size) != entry.crc) refuse("wrong CRC-32: the content is damaged", where);
  file_.forget(data, entry.size);
  return data;
}

}  // namespace purescope
