// PNG and JPEG through stb_image (for builds without libpng or libjpeg), and PNG writing through stb_image_write.
#include <cstdlib>

// A small header can be followed by data that inflate without end: no single allocation may exceed 1 GiB.
#define PURESCOPE_STB_FITS(size) (static_cast<size_t>(size) <= (size_t{1} << 30))
#define STBI_MALLOC(size) (PURESCOPE_STB_FITS(size) ? std::malloc(size) : nullptr)
#define STBI_REALLOC(p, size) (PURESCOPE_STB_FITS(size) ? std::realloc(p, size) : nullptr)
#define STBI_FREE(p) std::free(p)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 8192
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb_image.h>
#include <stb_image_write.h>
#pragma GCC diagnostic pop

#include <memory>

#include "core/check.h"
#include "io/atomic_file.h"
#include "io/image_scan.h"

namespace purescope {

Image decode_image_stb(const std::vector<unsigned char>& bytes, const std::string& where) {
  const ImageHeader header = scan_image(bytes, where);
  if (header.width > STBI_MAX_DIMENSIONS || header.height > STBI_MAX_DIMENSIONS) {
    fail(kBadInput, "the image has a side of more than 8192 pixels", where, "scale the image down");
  }
  int width = 0, height = 0, components = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &components, 3), std::free);
  if (!pixels) fail_damaged_image(stbi_failure_reason(), where);
  if (width != header.width || height != header.height) fail_damaged_image("the size differs from the header", where);
  return {width, height, std::vector<unsigned char>(pixels.get(), pixels.get() + size_t(3) * width * height)};
}

void write_png(const std::string& path, const Image& image) {
  PURESCOPE_REQUIRE(image.width > 0 && image.height > 0);
  PURESCOPE_REQUIRE(image.rgb.size() == size_t(3) * image.width * image.height);
  int size = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> png(
      stbi_write_png_to_mem(image.rgb.data(), 3 * image.width, image.width, image.height, 3, &size), std::free);
  if (!png) fail(kIoError, "not enough memory to write a PNG", path, "write a smaller image");
  write_file_atomic(path, {{png.get(), static_cast<size_t>(size)}});
}

}  // namespace purescope
