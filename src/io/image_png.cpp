// PNG through libpng.
#if defined(PURESCOPE_WITH_PNG)
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "core/check.h"
#include "io/image_scan.h"

namespace purescope {
namespace {

// All that the C library and its callbacks share. Plain data: longjmp passes over it.
struct Session {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const unsigned char* data = nullptr;
  size_t size = 0, at = 0;
  png_bytep* rows = nullptr;
  size_t row_bytes = 0;
  int height = 0;
  char message[200] = "";
};

void on_error(png_structp png, png_const_charp text) {
  Session& s = *static_cast<Session*>(png_get_error_ptr(png));
  std::strncpy(s.message, text, sizeof s.message - 1);
  png_longjmp(png, 1);
}

// Warnings concern colour profiles and other chunks that are ignored here; checksums were verified by scan_image.
void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, png_size_t count) {
  Session& s = *static_cast<Session*>(png_get_io_ptr(png));
  if (count > s.size - s.at) png_error(png, "the data end early");
  std::memcpy(to, s.data + s.at, count);
  s.at += count;
}

// Any PNG to 8-bit RGB. False: libpng complained (s.message).
bool decode(Session& s) {
  if (setjmp(png_jmpbuf(s.png))) return false;
  png_set_read_fn(s.png, &s, on_read);
  png_set_user_limits(s.png, 1 << 30, 1 << 30);
  png_read_info(s.png, s.info);
  png_set_strip_16(s.png);
  png_set_palette_to_rgb(s.png);
  png_set_expand_gray_1_2_4_to_8(s.png);
  png_set_gray_to_rgb(s.png);
  png_set_strip_alpha(s.png);
  png_set_interlace_handling(s.png);
  png_read_update_info(s.png, s.info);
  if (png_get_rowbytes(s.png, s.info) != s.row_bytes || png_get_image_height(s.png, s.info) != png_uint_32(s.height)) {
    png_error(s.png, "the rows have another size than the header says");
  }
  png_read_image(s.png, s.rows);
  png_read_end(s.png, nullptr);
  return true;
}

}  // namespace

Image decode_png(const std::vector<unsigned char>& bytes, const ImageHeader& header, const std::string& where) {
  Image image{header.width, header.height, std::vector<unsigned char>(size_t(3) * header.width * header.height)};
  Session s;
  s.row_bytes = size_t(3) * header.width;
  s.height = header.height;
  std::vector<png_bytep> rows(header.height);
  for (int y = 0; y < header.height; y++) rows[y] = image.rgb.data() + y * s.row_bytes;
  s.rows = rows.data();
  s.data = bytes.data();
  s.size = bytes.size();
  s.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
  s.info = s.png ? png_create_info_struct(s.png) : nullptr;
  const bool good = s.info && decode(s);
  png_destroy_read_struct(&s.png, &s.info, nullptr);
  if (!good) fail_damaged_image(s.message[0] ? s.message : "libpng could not start", where);
  return image;
}

std::string png_decoder_name() { return std::string("libpng-") + png_get_libpng_ver(nullptr); }

}  // namespace purescope
#endif
