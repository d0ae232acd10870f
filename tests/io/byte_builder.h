// Bytes of small files, good and bad, for the tests of the readers; and a temporary folder for them.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "core/check.h"

namespace bytes {

// The low `size` bytes of a number, least significant first.
inline std::string le(uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i, value >>= 8) out += static_cast<char>(value & 255);
  return out;
}
inline std::string f32(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return le(bits, 4);
}

// A folder that goes away with the object.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "purescope_io_XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~Folder() { std::error_code ignored; std::filesystem::remove_all(path_, ignored); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string put(const std::string& name, const std::string& content) const {
    std::filesystem::remove(path_ + "/" + name);  // some file systems flush a file that is cut and written again
    std::ofstream(path_ + "/" + name, std::ios::binary) << content;
    return path_ + "/" + name;
  }
  size_t files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++count;
    return count;
  }
 private:
  std::string path_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Runs `read` on a file with these bytes: it must refuse with `code`, say `text` in what(), name the file in `where`
// and leave nothing else behind.
inline void expect_refused(const std::string& label, const std::string& content, const std::string& text,
                           const std::function<void(const std::string&)>& read,
                           const std::string& file_name = "bad.bin", int code = purescope::kBadInput) {
  SCOPED_TRACE(label);
  Folder folder;
  const std::string path = folder.put(file_name, content);
  try {
    read(path);
    ADD_FAILURE() << "was accepted";
  } catch (const purescope::Error& error) {
    EXPECT_EQ(error.code, code) << error.message();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.message() << "\n  wanted: " << text;
    EXPECT_NE(error.where.find(path), std::string::npos) << error.message();
    EXPECT_FALSE(error.todo.empty()) << error.message();
  }
  EXPECT_EQ(folder.files(), 1u);
  EXPECT_EQ(slurp(path), content);
}

// Every shorter version of a good file must be refused with 65.
inline void expect_all_truncations_refused(const std::string& good,
                                           const std::function<void(const std::string&)>& read) {
  Folder folder;
  ASSERT_NO_THROW(read(folder.put("good", good)));
  for (size_t size = 0; size < good.size(); ++size) {
    const std::string path = folder.put("short", good.substr(0, size));
    try {
      read(path);
      ADD_FAILURE() << "cut to " << size << " of " << good.size() << " bytes was accepted";
    } catch (const purescope::Error& error) {
      EXPECT_EQ(error.code, purescope::kBadInput) << size << ": " << error.message();
    }
  }
}

// Every version of a good file with one byte changed is read or refused with 65, and never anything else.
inline void expect_all_mutations_survived(const std::string& good,
                                          const std::function<void(const std::string&)>& read) {
  Folder folder;
  size_t refused = 0;
  for (size_t at = 0; at < good.size(); ++at)
    for (int change : {0x01, 0x20, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ change);
      try {
        read(folder.put("mutated", bad));
      } catch (const purescope::Error& error) {
        EXPECT_EQ(error.code, purescope::kBadInput) << "byte " << at << ": " << error.message();
        ++refused;
      }
    }
  EXPECT_GT(refused, good.size() / 2);
}

// A safetensors file: length, header text, data.
inline std::string safetensors(const std::string& header, const std::string& data = "") {
  return le(header.size(), 8) + header + data;
}

// An npy file with this dictionary text (a newline is added).
inline std::string npy(std::string dict, const std::string& data, int major = 1) {
  dict += '\n';
  return std::string("\x93NUMPY") + static_cast<char>(major) + '\0' + le(dict.size(), major == 1 ? 2 : 4) + dict + data;
}

}  // namespace bytes
