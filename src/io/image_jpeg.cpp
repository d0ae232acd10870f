// JPEG through libjpeg or libjpeg-turbo, with the library's default decoder settings (slow integer DCT, fancy
// upsampling), which are Pillow's.
#if defined(PURESCOPE_WITH_JPEG)
#include <cstdio>

#include <jpeglib.h>

#include <csetjmp>

#include "core/check.h"
#include "io/image_scan.h"

#define PURESCOPE_TEXT_OF(x) #x
#define PURESCOPE_TEXT(x) PURESCOPE_TEXT_OF(x)

namespace purescope {
namespace {

// All that the C library and its callbacks share. Plain data: longjmp passes over it.
struct Session {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX] = "";
};

void on_error(j_common_ptr jpeg) {
  Session& s = *static_cast<Session*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, s.message);
  std::longjmp(s.back, 1);
}

// Level -1 is a warning: corrupt data that the library papers over. Higher levels are traces.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0) on_error(jpeg);
}

// Grey or colour JPEG to 8-bit RGB in `out` (3 * width * height). False: libjpeg complained (s.message).
bool decode(Session& s, const unsigned char* data, size_t size, const ImageHeader& header, unsigned char* out) {
  s.jpeg.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = on_error;
  s.errors.emit_message = on_message;
  s.jpeg.client_data = &s;
  if (setjmp(s.back)) return false;
  jpeg_create_decompress(&s.jpeg);
  jpeg_mem_src(&s.jpeg, data, size);
  jpeg_read_header(&s.jpeg, TRUE);
  s.jpeg.out_color_space = s.jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&s.jpeg);
  if (s.jpeg.output_width != JDIMENSION(header.width)) return false;
  if (s.jpeg.output_height != JDIMENSION(header.height)) return false;
  const size_t pixels = s.jpeg.output_width;
  while (s.jpeg.output_scanline < s.jpeg.output_height) {
    unsigned char* row = out + s.jpeg.output_scanline * 3 * pixels;
    jpeg_read_scanlines(&s.jpeg, &row, 1);
    // Grey: spread from the end, so that no sample is overwritten before it is read.
    for (size_t x = s.jpeg.output_components == 1 ? pixels : 0; x-- > 0;) {
      row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = row[x];
    }
  }
  jpeg_finish_decompress(&s.jpeg);
  return true;
}

}  // namespace

Image decode_jpeg(const std::vector<unsigned char>& bytes, const ImageHeader& header, const std::string& where) {
  Image image{header.width, header.height, std::vector<unsigned char>(size_t(3) * header.width * header.height)};
  Session s{};
  const bool good = decode(s, bytes.data(), bytes.size(), header, image.rgb.data());
  jpeg_destroy_decompress(&s.jpeg);
  if (!good) fail_damaged_image(s.message[0] ? s.message : "the size differs from the header", where);
  return image;
}

std::string jpeg_decoder_name() {
#if defined(LIBJPEG_TURBO_VERSION)
  return "libjpeg-turbo-" PURESCOPE_TEXT(LIBJPEG_TURBO_VERSION);
#else
  return "libjpeg-" PURESCOPE_TEXT(JPEG_LIB_VERSION);
#endif
}

}  // namespace purescope
#endif
