// Resizing and cropping, against bytes that Pillow 9.4.0 made (tools/goldens/resize_cases.py).
#include "io/image_resize.h"

#include <gtest/gtest.h>

#include "core/check.h"
#include "core/hash.h"

using namespace purescope;

namespace {

// Byte i is the top byte of a linear congruential generator, as in the script.
Image formula_image(int width, int height) {
  Image image{width, height, {}};
  uint32_t state = static_cast<uint32_t>(width * 1000 + height);
  for (int i = 0; i < 3 * width * height; ++i) {
    state = state * 1103515245u + 12345u;
    image.rgb.push_back(static_cast<unsigned char>(state >> 24));
  }
  return image;
}

uint32_t checksum(const Image& image) { return crc32(image.rgb.data(), image.rgb.size()); }

struct Case { ResizeFilter filter; int width, height, to_width, to_height; uint32_t crc; };
constexpr Case kPillow[] = {
    {ResizeFilter::Bilinear, 37, 23, 20, 31, 0x94f766fe},
    {ResizeFilter::Bilinear, 37, 23, 5, 7, 0x35235675},
    {ResizeFilter::Bilinear, 64, 48, 64, 20, 0xc80964cc},
    {ResizeFilter::Bilinear, 50, 40, 224, 224, 0x87e16767},
    {ResizeFilter::Bilinear, 500, 375, 341, 256, 0x7d7a11e8},
    {ResizeFilter::Bilinear, 11, 300, 9, 256, 0x6c9148d6},
    {ResizeFilter::Bilinear, 32, 32, 32, 32, 0x5477900f},
    {ResizeFilter::Bilinear, 7, 5, 1, 1, 0xf9680ee4},
    {ResizeFilter::Bicubic, 37, 23, 20, 31, 0xe03ba85d},
    {ResizeFilter::Bicubic, 37, 23, 5, 7, 0xe77ac727},
    {ResizeFilter::Bicubic, 64, 48, 64, 20, 0xe8a449a8},
    {ResizeFilter::Bicubic, 50, 40, 224, 224, 0xe06dd814},
    {ResizeFilter::Bicubic, 500, 375, 341, 256, 0xef5c43a9},
    {ResizeFilter::Bicubic, 11, 300, 9, 256, 0xaacd1cbc},
    {ResizeFilter::Bicubic, 32, 32, 32, 32, 0x5477900f},
    {ResizeFilter::Bicubic, 7, 5, 1, 1, 0x70767f0a},
};

}  // namespace

TEST(Resize, GivesPillowsBytes) {
  for (const Case& c : kPillow) {
    const Image from = formula_image(c.width, c.height), to = resize(from, c.to_width, c.to_height, c.filter);
    EXPECT_EQ(to.width, c.to_width);
    EXPECT_EQ(to.height, c.to_height);
    EXPECT_EQ(checksum(to), c.crc) << c.width << "x" << c.height << " to " << c.to_width << "x" << c.to_height;
    Image changed = to;
    changed.rgb[changed.rgb.size() / 2] ^= 1;
    EXPECT_NE(checksum(changed), c.crc) << "control: one bit is seen";
  }
}

TEST(Resize, ShorterSideKeepsTheProportions) {
  const Image wide = resize_shorter_side(formula_image(500, 375), 256, ResizeFilter::Bilinear);
  EXPECT_EQ(wide.width, 341);   // int(256 * 500 / 375)
  EXPECT_EQ(wide.height, 256);
  EXPECT_EQ(checksum(wide), 0x7d7a11e8u);
  const Image same = resize_shorter_side(formula_image(256, 300), 256, ResizeFilter::Bilinear);
  EXPECT_EQ(same.rgb, formula_image(256, 300).rgb);
}

TEST(CenterCrop, TakesTheMiddleAndRoundsHalvesToEven) {
  const Image image = formula_image(9, 7);
  const Image crop = center_crop(image, 4, "x.png");   // offsets 2.5 -> 2 and 1.5 -> 2
  for (int row = 0; row < 4; ++row)
    for (int i = 0; i < 12; ++i) EXPECT_EQ(crop.rgb[12 * row + i], image.rgb[3 * (9 * (row + 2) + 2) + i]);
  try {
    center_crop(image, 8, "x.png");
    ADD_FAILURE() << "a crop larger than the picture";
  } catch (const Error& e) {
    EXPECT_EQ(e.code, kBadInput);
    EXPECT_NE(std::string(e.what()).find("9x7"), std::string::npos) << e.what();
  }
}

TEST(Preprocess, ByName) {
  const Image image = formula_image(500, 375);
  EXPECT_EQ(preprocess(image, "none", "").rgb, image.rgb);
  const Image crop = preprocess(image, "Res256Crop224", "");
  EXPECT_EQ(crop.width, 224);
  EXPECT_EQ(crop.height, 224);
  EXPECT_EQ(crop.rgb, center_crop(resize(image, 341, 256, ResizeFilter::Bilinear), 224, "").rgb);
  EXPECT_NE(crop.rgb, preprocess(image, "BicubicRes256Crop224", "").rgb);
  EXPECT_EQ(preprocess(image, "Crop288", "").width, 288);
  EXPECT_EQ(preprocess(image, "Res224", "").height, 224);
  EXPECT_FALSE(is_preprocessing("res256crop224"));
}
