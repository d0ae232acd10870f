// A table of pictures as one PNG: rows are examples, columns are stages (clean, adversarial, purified, ...).
#pragma once
#include <string>
#include <vector>

#include "io/image.h"

namespace purescope {

class ImageGrid {
 public:
  // Cells of height x width values per channel, each value drawn as upscale x upscale pixels, `gap` pixels apart.
  ImageGrid(int rows, int columns, int height, int width, int upscale = 4, int gap = 2);

  // Fills a cell from 3 x height x width values (CHW) in [0, 1]; values outside are clamped, NaN is drawn magenta.
  // Byte = floor(255 value + 1/2). Cells never set stay white.
  void set(int row, int column, const float* chw);
  void set(int row, int column, const double* chw);

  // One heading per column, above the first row, cut where it does not fit. Letters, digits and . / % - + = _ : ( )
  // are drawn; anything else is a blank.
  void set_headings(const std::vector<std::string>& headings);

  Image image() const;
  void write(const std::string& path) const { write_png(path, image()); }

 private:
  template <class Value> void fill(int row, int column, const Value* chw);
  int rows_, columns_, height_, width_, upscale_, gap_;
  std::vector<unsigned char> cells_;  // [rows, columns, height, width, 3]
  std::vector<std::string> headings_;
};

}  // namespace purescope
