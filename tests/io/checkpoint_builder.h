// Bytes of PyTorch checkpoints, good and bad, put together from opcodes, for the tests.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "io/byte_builder.h"

namespace bytes {

// ---- pickles, protocol 2 ----
inline std::string pickle(const std::string& body) { return std::string("\x80\x02") + body + "."; }
inline std::string text(const std::string& s) { return std::string("X") + le(s.size(), 4) + s; }
inline std::string integer(int64_t n) {
  return n >= -(int64_t(1) << 31) && n < int64_t(1) << 31
             ? std::string("J") + le(static_cast<uint64_t>(n), 4)
             : std::string("\x8a\x08", 2) + le(static_cast<uint64_t>(n), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
  return std::string("c") + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (int64_t v : values) out += integer(v);
  return out + "t";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}

// A storage by persistent id; `view` is the sixth item of the legacy form ("N" for None), empty for the zip form.
inline std::string storage(const std::string& type, const std::string& key, int64_t numel,
                           const std::string& view = "") {
  return std::string("(") + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(numel) + view +
         "tQ";
}
inline std::string rebuild(const std::string& from, int64_t offset, const std::vector<int64_t>& size,
                           const std::vector<int64_t>& stride) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + from + integer(offset) + tuple(size) + tuple(stride) +
         "\x89" + global("collections", "OrderedDict") + ")RtR";
}

// ---- zip ----
struct ZipItem {
  std::string name, content;
  int method = 0, flags = 0x808;  // bit 3: sizes behind the data, as torch writes them
  int64_t local_size = -1;        // what the local header claims when bit 3 is off; -1 = the truth
  bool wrong_crc = false;
  bool wide = false;              // sizes in zip64 fields
};

inline std::string zip(const std::vector<ZipItem>& items, bool zip64 = false) {
  std::string out, directory;
  for (const ZipItem& item : items) {
    const size_t header = out.size(), n = item.content.size();
    const bool later = item.flags & 8;
    const uint64_t claimed = item.local_size >= 0 ? static_cast<uint64_t>(item.local_size) : later ? 0 : n;
    const uint32_t crc = purescope::crc32(item.content.data(), n) ^ (item.wrong_crc ? 1u : 0u);
    out += "PK\3\4" + le(20, 2) + le(static_cast<uint64_t>(item.flags), 2) + le(static_cast<uint64_t>(item.method), 2) +
           le(0, 4) + le(later ? 0 : crc, 4) + le(claimed, 4) + le(claimed, 4) + le(item.name.size(), 2);
    const size_t pad = 60 - (out.size() + 2 + item.name.size()) % 64 % 60;  // some padding, in an 'FB' field
    out += le(pad + 4, 2) + item.name + "FB" + le(pad, 2) + std::string(pad, 'Z') + item.content;
    if (later) out += "PK\7\b" + le(crc, 4) + le(n, 4) + le(n, 4);
    const std::string extra = item.wide ? le(1, 2) + le(24, 2) + le(n, 8) + le(n, 8) + le(header, 8) : "";
    const uint64_t all = 0xffffffff;
    directory += "PK\1\2" + le(0, 2) + le(20, 2) + le(static_cast<uint64_t>(item.flags), 2) +
                 le(static_cast<uint64_t>(item.method), 2) + le(0, 4) + le(crc, 4) + le(item.wide ? all : n, 4) +
                 le(item.wide ? all : n, 4) + le(item.name.size(), 2) + le(extra.size(), 2) + le(0, 10) +
                 le(item.wide ? all : header, 4) + item.name + extra;
  }
  const size_t begin = out.size(), count = items.size();
  out += directory;
  if (zip64)
    out += "PK\6\6" + le(44, 8) + le(45, 4) + le(0, 8) + le(count, 8) + le(count, 8) + le(directory.size(), 8) +
           le(begin, 8) + "PK\6\7" + le(0, 4) + le(begin + directory.size(), 8) + le(1, 4);
  const uint64_t few = zip64 ? 0xffff : count;
  return out + "PK\5\6" + le(0, 4) + le(few, 2) + le(few, 2) + le(zip64 ? 0xffffffff : directory.size(), 4) +
         le(zip64 ? 0xffffffff : begin, 4) + le(0, 2);
}

// A zip checkpoint: the pickle and the storages 0, 1, ...
inline std::vector<ZipItem> zip_items(const std::string& body, const std::vector<std::string>& storages) {
  std::vector<ZipItem> items = {{"x/data.pkl", pickle(body)}};
  for (size_t i = 0; i < storages.size(); ++i) items.push_back({"x/data/" + std::to_string(i), storages[i]});
  items.push_back({"x/version", "3\n"});
  return items;
}

// ---- legacy ----
struct Legacy {
  std::string magic{"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15};
  std::string version = pickle("M\xe9\x03");
  std::string system = pickle(dict({{"protocol_version", "M\xe9\x03"}, {"little_endian", "\x88"}}));
  std::string body, keys, data;
  std::string bytes() const { return magic + version + system + pickle(body) + keys + data; }
};
inline std::string key_list(const std::vector<std::string>& keys) {
  std::string out = "](";
  for (const std::string& key : keys) out += text(key);
  return pickle(out + "e");
}

}  // namespace bytes
