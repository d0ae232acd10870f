// What can be checked of an image file before any decoder sees it.
#pragma once
#include <string>
#include <vector>

#include "io/image.h"

namespace purescope {

struct ImageHeader {
  ImageFormat format = ImageFormat::Png;
  int width = 0, height = 0;
  int components = 0;  // samples per pixel in the file: 1 grey or palette, 2 grey + alpha, 3 RGB, 4 RGB + alpha
  int bits = 8;        // of one sample in the file
};

// Walks the chunks of a PNG or the marker segments of a JPEG and refuses (65): an empty file, an unknown format, sizes
// over the limits of image.h, a file that ends early, a wrong checksum (PNG), a Huffman table with more than 256
// symbols, CMYK, arithmetic or lossless coding (JPEG).
ImageHeader scan_image(const std::vector<unsigned char>& bytes, const std::string& where);

// A decoder's complaint as an error (65) with a hint.
[[noreturn]] void fail_damaged_image(const std::string& reason, const std::string& where);

#if defined(PURESCOPE_WITH_PNG)
Image decode_png(const std::vector<unsigned char>& bytes, const ImageHeader& header, const std::string& where);
std::string png_decoder_name();
#endif
#if defined(PURESCOPE_WITH_JPEG)
Image decode_jpeg(const std::vector<unsigned char>& bytes, const ImageHeader& header, const std::string& where);
std::string jpeg_decoder_name();
#endif

}  // namespace purescope
