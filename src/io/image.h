// Reading PNG and JPEG files, and writing PNG.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace purescope {

// 8-bit RGB, interleaved, rows from the top: rgb[3 * (y * width + x) + channel].
struct Image {
  int width = 0, height = 0;
  std::vector<unsigned char> rgb;
};

enum class ImageFormat { Png, Jpeg };

constexpr size_t kMaxImagePixels = size_t{64} << 20;   // 64 Mpixel
constexpr size_t kMaxImageBytes = size_t{256} << 20;   // of the file, and of its decoded samples

// Reads a PNG or a JPEG; the format is taken from the first bytes, never from the name. Greyscale is replicated to
// three channels, an alpha channel is dropped, 16-bit samples keep their high byte, palettes and interlacing are
// resolved, gamma, colour profiles and EXIF rotation are ignored (as Pillow's convert("RGB") and torchvision do).
// Errors: 65 empty, unknown format, damaged, truncated, CMYK, or over the limits (a decoder's warning counts as
// damage); 66 missing; 77 not readable.
Image read_image(const std::string& path);

// The same from memory; `where` names the source in errors.
Image decode_image(const std::vector<unsigned char>& bytes, const std::string& where);

// The same through stb_image, whatever else was built in. JPEG pixels differ from libjpeg-turbo's by up to 3 levels,
// and damage inside the compressed data of a JPEG can go unnoticed.
Image decode_image_stb(const std::vector<unsigned char>& bytes, const std::string& where);

// Writes an 8-bit RGB PNG; the file appears whole or not at all. Errors: 73, 74.
void write_png(const std::string& path, const Image& image);

// What decode_image uses, for run headers: "png=libpng-1.6.39 jpeg=libjpeg-turbo-2.1.5", or stb_image.
std::string image_decoder_names();

}  // namespace purescope
