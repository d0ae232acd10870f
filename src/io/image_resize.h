// Resizing and cropping of 8-bit pictures before they enter a network, to the byte as Pillow and torchvision do it. (The resampling
// inside a purifier, which has a gradient, is another one: ops resize_bilinear.)
#pragma once
#include <string>

#include "io/image.h"

namespace purescope {

enum class ResizeFilter { Bilinear, Bicubic };

// Antialiased resampling as Pillow's Image.resize: columns first, then rows, each pass rounded to bytes. The filter is widened by the
// scale where the picture shrinks; its weights are 22-bit fixed-point numbers.
Image resize(const Image& image, int width, int height, ResizeFilter filter);

// The shorter side becomes `side`, the longer one int(side * longer / shorter): torchvision's Resize(side).
Image resize_shorter_side(const Image& image, int side, ResizeFilter filter);

// The middle side x side pixels; offsets are round((size - side) / 2), halves to even, as torchvision's CenterCrop. Exit 65 where the
// picture is smaller; `where` names it.
Image center_crop(const Image& image, int side, const std::string& where);

// RobustBench's names: Res256Crop224 | BicubicRes256Crop224 | Res224 | Crop288 | none.
bool is_preprocessing(const std::string& name);
Image preprocess(const Image& image, const std::string& name, const std::string& where);

}  // namespace purescope
