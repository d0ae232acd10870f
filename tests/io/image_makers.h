// Small PNG and JPEG writers that can also write what no sane writer would, and a folder that cleans up after itself.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/hash.h"

namespace makers {

using Bytes = std::vector<unsigned char>;

class TempFolder {
 public:
  TempFolder() {
    static int serial = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("purescope_test_" + std::to_string(::getpid()) + "_" + std::to_string(serial++));
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  // Writes a file, with the folders above it.
  std::string write(const std::string& name, const Bytes& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream((path_ / name).string(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

// `call` must raise an Error with this code whose first line contains `text`, and that says where and what to do.
inline void expect_error(const std::function<void()>& call, int code, const std::string& text) {
  try {
    call();
    ADD_FAILURE() << "no error; expected " << code << " \"" << text << "\"";
  } catch (const purescope::Error& error) {
    EXPECT_EQ(error.code, code) << error.message();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what() << " lacks \"" << text << "\"";
    EXPECT_FALSE(error.where.empty()) << error.message();
    EXPECT_FALSE(error.todo.empty()) << error.message();
  }
}

inline void put(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }
inline void put32(Bytes& out, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<unsigned char>(v >> shift));
}

inline Bytes png_chunk(const std::string& name, const Bytes& data) {
  Bytes body(name.begin(), name.end()), out;
  put(body, data);
  put32(out, static_cast<uint32_t>(data.size()));
  put(out, body);
  put32(out, purescope::crc32(body.data(), body.size()));
  return out;
}

// A zlib stream of stored blocks.
inline Bytes zlib_stored(const Bytes& raw) {
  Bytes out = {0x78, 0x01};
  for (size_t at = 0; at == 0 || at < raw.size(); at += 65535) {
    const size_t n = std::min<size_t>(65535, raw.size() - at);
    const auto low = static_cast<unsigned char>(n), high = static_cast<unsigned char>(n >> 8);
    put(out, {static_cast<unsigned char>(at + n == raw.size()), low, high, static_cast<unsigned char>(~low),
              static_cast<unsigned char>(~high)});
    out.insert(out.end(), raw.begin() + at, raw.begin() + at + n);
  }
  uint32_t a = 1, b = 0;
  for (unsigned char byte : raw) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  put32(out, b << 16 | a);
  return out;
}

struct PngSpec {
  int width = 5, height = 4, depth = 8, colour = 2;  // colour: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha
  bool interlaced = false;
  Bytes palette = {};  // RGB triples
  int components() const { return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1; }
};

inline Bytes png_header(const PngSpec& s) {
  Bytes data;
  put32(data, s.width);
  put32(data, s.height);
  put(data, {static_cast<unsigned char>(s.depth), static_cast<unsigned char>(s.colour), 0, 0, s.interlaced});
  return data;
}

// Samples (x, y, component) -> [0, 2^depth), each scanline unfiltered; interlaced: the seven passes of Adam7.
inline Bytes make_png(const PngSpec& s, const std::function<unsigned(int, int, int)>& sample) {
  static const int passes[8][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                   {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}, {0, 0, 1, 1}};
  Bytes raw;
  for (int pass = s.interlaced ? 0 : 7; pass < (s.interlaced ? 7 : 8); pass++) {
    const int* p = passes[pass];
    for (int y = p[1]; y < s.height && p[0] < s.width; y += p[3]) {
      raw.push_back(0);
      unsigned bits = 0, used = 0;
      for (int x = p[0]; x < s.width; x += p[2]) {
        for (int c = 0; c < s.components(); c++) {
          for (int bit = s.depth - 1; bit >= 0; bit--) {
            bits = bits << 1 | (sample(x, y, c) >> bit & 1);
            if (++used % 8 == 0) raw.push_back(static_cast<unsigned char>(bits));
          }
        }
      }
      if (used % 8) raw.push_back(static_cast<unsigned char>(bits << (8 - used % 8)));
    }
  }
  Bytes out = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put(out, png_chunk("IHDR", png_header(s)));
  if (!s.palette.empty()) put(out, png_chunk("PLTE", s.palette));
  put(out, png_chunk("IDAT", zlib_stored(raw)));
  put(out, png_chunk("IEND", {}));
  return out;
}

// Grey, YCbCr or CMYK baseline JPEG of flat 8 x 8 blocks: `level` (block x, block y, component) in [0, 255]. Quantiser 8,
// so that one step of the DC coefficient is one level; DC sizes 0 to 11 have 4-bit codes, "end of block" has code 0.
inline Bytes make_jpeg(int blocks_x, int blocks_y, int components, const std::function<int(int, int, int)>& level) {
  const auto byte = [](int v) { return static_cast<unsigned char>(v); };
  Bytes out = {0xff, 0xd8, 0xff, 0xdb, 0, 67, 0};
  out.insert(out.end(), 64, 8);
  put(out, {0xff, 0xc0, 0, byte(8 + 3 * components), 8, byte(blocks_y * 8 >> 8), byte(blocks_y * 8),
            byte(blocks_x * 8 >> 8), byte(blocks_x * 8), byte(components)});
  for (int c = 1; c <= components; c++) put(out, {byte(c), 0x11, 0});
  put(out, {0xff, 0xc4, 0, 31, 0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  for (int size = 0; size < 12; size++) out.push_back(byte(size));
  put(out, {0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00});
  put(out, {0xff, 0xda, 0, byte(6 + 2 * components), byte(components)});
  for (int c = 1; c <= components; c++) put(out, {byte(c), 0x00});
  put(out, {0, 63, 0});
  unsigned bits = 0, used = 0;
  const auto put_bits = [&](unsigned value, int count) {
    for (int bit = count - 1; bit >= 0; bit--) {
      bits = bits << 1 | (value >> bit & 1);
      if (++used % 8) continue;
      out.push_back(byte(bits & 255));
      if ((bits & 255) == 255) out.push_back(0);
    }
  };
  std::vector<int> last(components, 0);
  for (int y = 0; y < blocks_y; y++) {
    for (int x = 0; x < blocks_x; x++) {
      for (int c = 0; c < components; c++) {
        const int dc = level(x, y, c) - 128, diff = dc - last[c];
        last[c] = dc;
        int size = 0;
        while (std::abs(diff) >> size) size++;
        put_bits(size, 4);
        put_bits(diff < 0 ? diff - 1 : diff, size);
        put_bits(0, 1);
      }
    }
  }
  while (used % 8) put_bits(1, 1);
  put(out, {0xff, 0xd9});
  return out;
}

}  // namespace makers
