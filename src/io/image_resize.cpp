#include "io/image_resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/check.h"

namespace purescope {
namespace {

constexpr int kWeightBits = 22;

double support(ResizeFilter filter) { return filter == ResizeFilter::Bilinear ? 1 : 2; }

// Triangle, or the cubic of Keys (1981) with a = -1/2.
double weight(ResizeFilter filter, double x) {
  x = std::abs(x);
  if (filter == ResizeFilter::Bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// Output i = sum_k weights[k] * input[first + k], in units of 2^-kWeightBits.
struct Window {
  int first = 0;
  std::vector<int64_t> weights;
};

std::vector<Window> windows(int in, int out, ResizeFilter filter) {
  const double scale = static_cast<double>(in) / out, wide = std::max(scale, 1.0), reach = support(filter) * wide;
  std::vector<Window> list(out);
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5)), end = std::min(in, static_cast<int>(centre + reach + 0.5));
    std::vector<double> w;
    double sum = 0;
    for (int k = first; k < end; ++k) {
      w.push_back(weight(filter, (k - centre + 0.5) / wide));
      sum += w.back();
    }
    list[i].first = first;
    for (double v : w) list[i].weights.push_back(std::llround(v / sum * (1 << kWeightBits)));
  }
  return list;
}

// `lines` lines of `in` samples become lines of `out`; samples of a line lie `step` bytes apart, lines start at line_step * l.
void one_pass(const unsigned char* from, unsigned char* to, const std::vector<Window>& list, int lines, size_t step, size_t line_step,
              size_t to_line_step) {
  for (int l = 0; l < lines; ++l)
    for (size_t i = 0; i < list.size(); ++i) {
      const Window& w = list[i];
      int64_t sum = int64_t{1} << (kWeightBits - 1);
      for (size_t k = 0; k < w.weights.size(); ++k) sum += w.weights[k] * from[l * line_step + (w.first + k) * step];
      to[l * to_line_step + i * step] = static_cast<unsigned char>(std::clamp<int64_t>(sum >> kWeightBits, 0, 255));
    }
}

}  // namespace

Image resize(const Image& image, int width, int height, ResizeFilter filter) {
  PURESCOPE_REQUIRE(width >= 1 && height >= 1 && image.width >= 1 && image.height >= 1);
  Image columns{width, image.height, std::vector<unsigned char>(size_t{3} * width * image.height)};
  const std::vector<Window> across = windows(image.width, width, filter), down = windows(image.height, height, filter);
  for (int c = 0; c < 3; ++c)
    one_pass(image.rgb.data() + c, columns.rgb.data() + c, across, image.height, 3, size_t{3} * image.width, size_t{3} * width);
  Image result{width, height, std::vector<unsigned char>(size_t{3} * width * height)};
  one_pass(columns.rgb.data(), result.rgb.data(), down, 3 * width, size_t{3} * width, 1, 1);
  return result;
}

Image resize_shorter_side(const Image& image, int side, ResizeFilter filter) {
  const int64_t w = image.width, h = image.height;
  if (std::min(w, h) == side) return image;
  return w < h ? resize(image, side, static_cast<int>(side * h / w), filter) : resize(image, static_cast<int>(side * w / h), side, filter);
}

Image center_crop(const Image& image, int side, const std::string& where) {
  if (image.width < side || image.height < side)
    fail(kBadInput, "the image is " + std::to_string(image.width) + "x" + std::to_string(image.height) + ", smaller than the crop of " + std::to_string(side),
         where, "leave it out or choose another preprocessing");
  const int left = static_cast<int>(std::nearbyint((image.width - side) / 2.0)), top = static_cast<int>(std::nearbyint((image.height - side) / 2.0));
  Image result{side, side, std::vector<unsigned char>(size_t{3} * side * side)};
  for (int row = 0; row < side; ++row)
    std::copy_n(image.rgb.data() + 3 * (static_cast<size_t>(top + row) * image.width + left), size_t{3} * side, result.rgb.data() + size_t{3} * row * side);
  return result;
}

bool is_preprocessing(const std::string& name) {
  return name == "none" || name == "Res224" || name == "Crop288" || name == "Res256Crop224" || name == "BicubicRes256Crop224";
}

Image preprocess(const Image& image, const std::string& name, const std::string& where) {
  PURESCOPE_REQUIRE(is_preprocessing(name));
  if (name == "Res224") return resize_shorter_side(image, 224, ResizeFilter::Bilinear);
  if (name == "Crop288") return center_crop(image, 288, where);
  if (name == "Res256Crop224") return center_crop(resize_shorter_side(image, 256, ResizeFilter::Bilinear), 224, where);
  if (name == "BicubicRes256Crop224") return center_crop(resize_shorter_side(image, 256, ResizeFilter::Bicubic), 224, where);
  return image;
}

}  // namespace purescope
