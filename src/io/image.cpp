#include "io/image.h"

#include "core/check.h"
#include "io/atomic_file.h"
#include "io/image_scan.h"

namespace purescope {

Image decode_image(const std::vector<unsigned char>& bytes, const std::string& where) {
  [[maybe_unused]] const ImageHeader header = scan_image(bytes, where);
#if defined(PURESCOPE_WITH_PNG)
  if (header.format == ImageFormat::Png) return decode_png(bytes, header, where);
#endif
#if defined(PURESCOPE_WITH_JPEG)
  if (header.format == ImageFormat::Jpeg) return decode_jpeg(bytes, header, where);
#endif
  return decode_image_stb(bytes, where);
}

Image read_image(const std::string& path) {
  const MappedFile file(path);
  if (file.size() > kMaxImageBytes) {
    fail(kBadInput, "the image file has more than 256 MiB", path, "scale the image down");
  }
  return decode_image({file.data(), file.data() + file.size()}, path);
}

std::string image_decoder_names() {
  std::string png = "stb_image", jpeg = png;
#if defined(PURESCOPE_WITH_PNG)
  png = png_decoder_name();
#endif
#if defined(PURESCOPE_WITH_JPEG)
  jpeg = jpeg_decoder_name();
#endif
  return "png=" + png + " jpeg=" + jpeg;
}

}  // namespace purescope
