#include "io/image_scan.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/check.h"
#include "core/hash.h"

namespace purescope {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr unsigned char kPngMagic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

uint32_t big32(const unsigned char* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | uint32_t{p[3]};
}
uint32_t big16(const unsigned char* p) { return uint32_t{p[0]} << 8 | uint32_t{p[1]}; }

[[noreturn]] void refuse(const std::string& what, const std::string& where, const std::string& todo) {
  fail(kBadInput, what, where, todo);
}

void check_size(uint64_t width, uint64_t height, uint64_t bytes_per_pixel, const std::string& where) {
  const std::string shape = std::to_string(width) + "x" + std::to_string(height);
  if (width == 0 || height == 0) refuse("the image has size " + shape, where, "replace the file");
  if (width > (1u << 30) || height > (1u << 30) || width * height > kMaxImagePixels) {
    refuse("the image has size " + shape + ", the limit is 64 megapixels", where, "scale the image down");
  }
  if (width * height * bytes_per_pixel > kMaxImageBytes) {
    refuse("the image of size " + shape + " needs more than 256 MiB", where, "scale the image down");
  }
}

// IHDR: width, height, bit depth, colour type, compression, filter, interlace.
ImageHeader png_header(const unsigned char* data, const std::string& where) {
  const uint32_t width = big32(data), height = big32(data + 4);
  const int depth = data[8], colour = data[9];
  const int components = colour == 0 || colour == 3 ? 1 : colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 0;
  const bool small_depth = depth == 1 || depth == 2 || depth == 4;
  const bool depth_fits = depth == 8 || (depth == 16 && colour != 3) || (small_depth && (colour == 0 || colour == 3));
  if (components == 0 || !depth_fits || data[10] != 0 || data[11] != 0 || data[12] > 1) {
    fail_damaged_image("PNG header with unknown colour type, depth or coding", where);
  }
  check_size(width, height, std::max<uint64_t>(3, uint64_t(components) * (depth == 16 ? 2 : 1)), where);
  return {ImageFormat::Png, static_cast<int>(width), static_cast<int>(height), components, depth};
}

// Chunks: u32 length, 4 letters, data, CRC-32 of letters and data; IHDR first, IEND last.
ImageHeader scan_png(const Bytes& b, const std::string& where) {
  ImageHeader header;
  bool seen_header = false, seen_data = false;
  for (size_t at = sizeof kPngMagic;;) {
    if (b.size() - at < 12) fail_damaged_image("PNG ends before its IEND chunk (truncated)", where);
    const size_t length = big32(&b[at]);
    if (length > b.size() - at - 12) fail_damaged_image("PNG ends inside a chunk (truncated)", where);
    const std::string name(b.begin() + at + 4, b.begin() + at + 8);
    const unsigned char* data = &b[at + 8];
    if (crc32(&b[at + 4], length + 4) != big32(data + length)) {
      fail_damaged_image("PNG chunk at byte " + std::to_string(at) + " has a wrong checksum", where);
    }
    if (seen_header == (name == "IHDR")) fail_damaged_image("PNG has no IHDR chunk first, or two of them", where);
    if (name == "IHDR") {
      if (length != 13) fail_damaged_image("PNG header of a wrong length", where);
      header = png_header(data, where);
      seen_header = true;
    } else if (name == "IDAT") {
      seen_data = true;
    } else if (name == "IEND") {
      break;
    } else if (name != "PLTE" && !(name[0] & 0x20)) {  // an upper-case first letter: needed to decode
      fail_damaged_image("PNG has an unknown critical chunk", where);
    }
    at += length + 12;
  }
  if (!seen_data) fail_damaged_image("PNG without image data", where);
  return header;
}

// SOF: u8 precision, u16 height, u16 width, u8 components, then 3 bytes for each.
ImageHeader jpeg_frame(int marker, const unsigned char* data, size_t length, const std::string& where) {
  if (marker > 0xc2) {
    refuse("JPEG with lossless, hierarchical or arithmetic coding", where, "save it as a baseline or progressive JPEG");
  }
  if (length < 6 || length != 6 + 3u * data[5]) fail_damaged_image("JPEG frame header of a wrong length", where);
  if (data[0] != 8) refuse("JPEG with " + std::to_string(data[0]) + "-bit samples", where, "save it with 8 bits");
  const int components = data[5];
  if (components == 4) refuse("CMYK JPEG (four components)", where, "convert the image to RGB");
  if (components != 1 && components != 3) {
    fail_damaged_image("JPEG with " + std::to_string(components) + " components", where);
  }
  check_size(big16(data + 3), big16(data + 1), 3, where);
  return {ImageFormat::Jpeg, static_cast<int>(big16(data + 3)), static_cast<int>(big16(data + 1)), components, 8};
}

// DHT: for each table 1 byte class and id, 16 counts, then as many symbols as the counts add up to (256 at most, or a
// table builder would write past its end).
void check_huffman_tables(const unsigned char* data, size_t length, const std::string& where) {
  while (length > 0) {
    if (length < 17) fail_damaged_image("JPEG Huffman table of a wrong length", where);
    size_t symbols = 0, codes_left = 1;
    for (int bits = 1; bits <= 16; bits++) {
      symbols += data[bits];
      codes_left *= 2;
      if (data[bits] > codes_left) fail_damaged_image("JPEG Huffman table has more codes than bits allow", where);
      codes_left -= data[bits];
    }
    if (symbols > 256) fail_damaged_image("JPEG Huffman table with more than 256 symbols", where);
    if (length < 17 + symbols) fail_damaged_image("JPEG Huffman table of a wrong length", where);
    data += 17 + symbols;
    length -= 17 + symbols;
  }
}

// The byte after a scan's compressed data: the next marker that is neither a stuffed ff00 nor a restart.
size_t skip_scan(const Bytes& b, size_t at) {
  for (; at + 1 < b.size(); at++) {
    if (b[at] == 0xff && b[at + 1] != 0 && b[at + 1] != 0xff && !(b[at + 1] >= 0xd0 && b[at + 1] <= 0xd7)) return at;
  }
  return b.size();
}

// Segments: ff, marker, u16 length (itself included), data; after SOS the compressed data. EOI ends the file.
ImageHeader scan_jpeg(const Bytes& b, const std::string& where) {
  ImageHeader header;
  bool seen_frame = false, seen_scan = false;
  for (size_t at = 2;;) {
    while (at + 1 < b.size() && b[at] == 0xff && b[at + 1] == 0xff) at++;  // fill bytes
    if (b.size() - at < 2) fail_damaged_image("JPEG ends before its end marker (truncated)", where);
    const int marker = b[at + 1];
    if (b[at] != 0xff || marker == 0) fail_damaged_image("JPEG has no marker at byte " + std::to_string(at), where);
    if (marker == 0xd9) break;
    if (b.size() - at < 4) fail_damaged_image("JPEG ends inside a segment (truncated)", where);
    const size_t length = big16(&b[at + 2]);
    if (length < 2) fail_damaged_image("JPEG segment of a wrong length", where);
    if (length > b.size() - at - 2) fail_damaged_image("JPEG ends inside a segment (truncated)", where);
    const unsigned char* data = b.data() + at + 4;
    const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (is_frame && seen_frame) fail_damaged_image("JPEG with two frames", where);
    if (is_frame) header = jpeg_frame(marker, data, length - 2, where);
    if (marker == 0xc4) check_huffman_tables(data, length - 2, where);
    if (marker == 0xda && !seen_frame) fail_damaged_image("JPEG with a scan before its frame", where);
    seen_frame = seen_frame || is_frame;
    seen_scan = seen_scan || marker == 0xda;
    at += 2 + length;
    if (marker == 0xda) at = skip_scan(b, at);
  }
  if (!seen_scan) fail_damaged_image("JPEG without image data", where);
  return header;
}

std::string starts_with(const Bytes& b) {
  const char* digits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(4, b.size()); i++) text += {digits[b[i] >> 4], digits[b[i] & 15], ' '};
  return text.substr(0, text.size() - 1);
}

}  // namespace

void fail_damaged_image(const std::string& reason, const std::string& where) {
  fail(kBadInput, "damaged image: " + reason, where, "replace the file by an intact copy");
}

ImageHeader scan_image(const Bytes& bytes, const std::string& where) {
  if (bytes.empty()) refuse("the image file is empty", where, "replace the file by an intact copy");
  if (bytes.size() > kMaxImageBytes) refuse("the image file has more than 256 MiB", where, "scale the image down");
  if (bytes.size() >= 8 && std::memcmp(bytes.data(), kPngMagic, 8) == 0) return scan_png(bytes, where);
  if (bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff) return scan_jpeg(bytes, where);
  std::string known = "not a PNG or JPEG image (it starts with " + starts_with(bytes) + ")";
  if (bytes[0] == 'G' && bytes.size() > 3 && bytes[1] == 'I') known = "this is a GIF, not a PNG or JPEG image";
  if (bytes[0] == 'B' && bytes.size() > 1 && bytes[1] == 'M') known = "this is a BMP, not a PNG or JPEG image";
  refuse(known, where, "convert the file to PNG or JPEG");
}

}  // namespace purescope
