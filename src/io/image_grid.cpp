#include "io/image_grid.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.h"

namespace purescope {
namespace {

constexpr int kGlyphWidth = 5, kGlyphHeight = 7;
constexpr unsigned char kMagenta[3] = {255, 0, 255};
constexpr unsigned char kInk = 32;

// 5 x 7 letters: one row per number, the leftmost dot is the bit of value 16.
struct Glyph { char letter; unsigned char rows[kGlyphHeight]; };
constexpr Glyph kFont[] = {
    {'0', {14, 17, 19, 21, 25, 17, 14}}, {'1', {4, 12, 4, 4, 4, 4, 14}},      {'2', {14, 17, 1, 2, 4, 8, 31}},
    {'3', {31, 2, 4, 2, 1, 17, 14}},     {'4', {2, 6, 10, 18, 31, 2, 2}},     {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},   {'7', {31, 1, 2, 4, 8, 8, 8}},       {'8', {14, 17, 17, 14, 17, 17, 14}},
    {'9', {14, 17, 17, 15, 1, 2, 12}},   {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'D', {28, 18, 17, 17, 17, 18, 28}}, {'E', {31, 16, 16, 30, 16, 16, 31}},
    {'F', {31, 16, 16, 30, 16, 16, 16}}, {'G', {14, 17, 16, 23, 17, 17, 15}}, {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},      {'J', {7, 2, 2, 2, 2, 18, 12}},      {'K', {17, 18, 20, 24, 20, 18, 17}},
    {'L', {16, 16, 16, 16, 16, 16, 31}}, {'M', {17, 27, 21, 21, 17, 17, 17}}, {'N', {17, 17, 25, 21, 19, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}}, {'Q', {14, 17, 17, 17, 21, 18, 13}},
    {'R', {30, 17, 17, 30, 20, 18, 17}}, {'S', {15, 16, 16, 14, 1, 1, 30}},   {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}}, {'V', {17, 17, 17, 17, 17, 10, 4}},  {'W', {17, 17, 17, 21, 21, 27, 17}},
    {'X', {17, 17, 10, 4, 10, 17, 17}},  {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'a', {0, 0, 14, 1, 15, 17, 15}},    {'b', {16, 16, 30, 17, 17, 17, 30}}, {'c', {0, 0, 14, 16, 16, 17, 14}},
    {'d', {1, 1, 15, 17, 17, 17, 15}},   {'e', {0, 0, 14, 17, 31, 16, 14}},   {'f', {6, 9, 8, 28, 8, 8, 8}},
    {'g', {0, 15, 17, 17, 15, 1, 14}},   {'h', {16, 16, 22, 25, 17, 17, 17}}, {'i', {4, 0, 12, 4, 4, 4, 14}},
    {'j', {2, 0, 6, 2, 2, 18, 12}},      {'k', {16, 16, 18, 20, 24, 20, 18}}, {'l', {12, 4, 4, 4, 4, 4, 14}},
    {'m', {0, 0, 26, 21, 21, 17, 17}},   {'n', {0, 0, 22, 25, 17, 17, 17}},   {'o', {0, 0, 14, 17, 17, 17, 14}},
    {'p', {0, 0, 30, 17, 30, 16, 16}},   {'q', {0, 0, 13, 19, 15, 1, 1}},     {'r', {0, 0, 22, 25, 16, 16, 16}},
    {'s', {0, 0, 14, 16, 14, 1, 30}},    {'t', {8, 8, 28, 8, 8, 9, 6}},       {'u', {0, 0, 17, 17, 17, 19, 13}},
    {'v', {0, 0, 17, 17, 17, 10, 4}},    {'w', {0, 0, 17, 17, 21, 21, 10}},   {'x', {0, 0, 17, 10, 4, 10, 17}},
    {'y', {0, 0, 17, 17, 15, 1, 14}},    {'z', {0, 0, 31, 2, 4, 8, 31}},      {'.', {0, 0, 0, 0, 0, 12, 12}},
    {'/', {0, 1, 2, 4, 8, 16, 0}},       {'%', {24, 25, 2, 4, 8, 19, 3}},     {'-', {0, 0, 0, 31, 0, 0, 0}},
    {'+', {0, 4, 4, 31, 4, 4, 0}},       {'=', {0, 0, 31, 0, 31, 0, 0}},      {'_', {0, 0, 0, 0, 0, 0, 31}},
    {':', {0, 12, 12, 0, 12, 12, 0}},    {'(', {2, 4, 8, 8, 8, 4, 2}},        {')', {8, 4, 2, 2, 2, 4, 8}},
};

// Draws letters from (x, y) to the right, whole letters only, up to column `end`.
void draw_text(Image& image, const std::string& text, int x, int y, int end) {
  for (char letter : text) {
    if (x + kGlyphWidth > end) return;
    for (const Glyph& glyph : kFont) {
      if (glyph.letter != letter) continue;
      for (int i = 0; i < kGlyphHeight * kGlyphWidth; i++) {
        const int row = i / kGlyphWidth, column = i % kGlyphWidth;
        if (!(glyph.rows[row] >> (kGlyphWidth - 1 - column) & 1)) continue;
        std::memset(&image.rgb[3 * (size_t(y + row) * image.width + x + column)], kInk, 3);
      }
    }
    x += kGlyphWidth + 1;
  }
}

}  // namespace

ImageGrid::ImageGrid(int rows, int columns, int height, int width, int upscale, int gap)
    : rows_(rows), columns_(columns), height_(height), width_(width), upscale_(upscale), gap_(gap) {
  PURESCOPE_REQUIRE(rows > 0 && columns > 0 && height > 0 && width > 0 && upscale > 0 && gap >= 0);
  cells_.assign(size_t(3) * rows * columns * height * width, 255);
}

template <class Value>
void ImageGrid::fill(int row, int column, const Value* chw) {
  PURESCOPE_REQUIRE(row >= 0 && row < rows_ && column >= 0 && column < columns_);
  const size_t pixels = size_t(height_) * width_;
  unsigned char* cell = cells_.data() + 3 * pixels * (size_t(row) * columns_ + column);
  for (size_t i = 0; i < pixels; i++) {
    const bool has_nan = std::isnan(chw[i]) || std::isnan(chw[pixels + i]) || std::isnan(chw[2 * pixels + i]);
    for (int c = 0; c < 3; c++) {
      const double value = std::clamp<double>(chw[c * pixels + i], 0, 1);
      cell[3 * i + c] = has_nan ? kMagenta[c] : static_cast<unsigned char>(std::floor(255 * value + 0.5));
    }
  }
}

void ImageGrid::set(int row, int column, const float* chw) { fill(row, column, chw); }
void ImageGrid::set(int row, int column, const double* chw) { fill(row, column, chw); }

void ImageGrid::set_headings(const std::vector<std::string>& headings) {
  PURESCOPE_REQUIRE(headings.size() == size_t(columns_));
  headings_ = headings;
}

Image ImageGrid::image() const {
  const int cell_width = width_ * upscale_ + gap_, cell_height = height_ * upscale_ + gap_;
  const int top = headings_.empty() ? gap_ : kGlyphHeight + 4;
  Image image{gap_ + columns_ * cell_width, top + rows_ * cell_height, {}};
  image.rgb.assign(size_t(3) * image.width * image.height, 255);
  for (int y = top; y < image.height; y++) {
    const int row = (y - top) / cell_height, v = (y - top) % cell_height / upscale_;
    for (int x = gap_; x < image.width; x++) {
      const int column = (x - gap_) / cell_width, u = (x - gap_) % cell_width / upscale_;
      if (u >= width_ || v >= height_) continue;
      const size_t cell = size_t(row) * columns_ + column;
      std::memcpy(&image.rgb[3 * (size_t(y) * image.width + x)], &cells_[3 * ((cell * height_ + v) * width_ + u)], 3);
    }
  }
  for (size_t column = 0; column < headings_.size(); column++) {
    const int x = gap_ + static_cast<int>(column) * cell_width;
    draw_text(image, headings_[column], x, 2, x + cell_width);
  }
  return image;
}

}  // namespace purescope
