#include "io/image.h"

#include <cmath>

#include "core/parallel.h"
#include "io/image_grid.h"
#include "io/image_makers.h"

using namespace purescope;
using namespace makers;

namespace {

using Decoder = Image (*)(const Bytes&, const std::string&);
const std::vector<std::pair<const char*, Decoder>> kDecoders = {{"default", decode_image}, {"stb", decode_image_stb}};

int pattern(int x, int y, int c) { return (37 * x + 91 * y + 53 * c + 11) % 256; }

// Every pixel of `image` equals `expected`(x, y, channel) within `tolerance` levels.
void expect_pixels(const Image& image, int width, int height, const std::function<int(int, int, int)>& expected,
                   int tolerance = 0) {
  ASSERT_EQ(image.width, width);
  ASSERT_EQ(image.height, height);
  ASSERT_EQ(image.rgb.size(), size_t(3) * width * height);
  int bad = 0;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      for (int c = 0; c < 3; c++) {
        bad += std::abs(image.rgb[3 * (y * width + x) + c] - expected(x, y, c)) > tolerance;
      }
    }
  }
  EXPECT_EQ(bad, 0) << "wrong values of " << image.rgb.size();
}

Bytes small_png() { return make_png({}, [](int x, int y, int c) { return unsigned(pattern(x, y, c)); }); }
Bytes small_jpeg() { return make_jpeg(2, 2, 3, [](int x, int y, int c) { return 100 + 17 * x + 23 * y + 9 * c; }); }

}  // namespace

// Case 50 and its neighbours: every depth, colour type and interlacing is read to the same 8-bit RGB by both decoders.
TEST(Image, ReadsEveryPngLayout) {
  int layouts = 0;
  for (const auto& [colour, depths] : std::vector<std::pair<int, std::vector<int>>>{
           {0, {1, 2, 4, 8, 16}}, {2, {8, 16}}, {3, {1, 2, 4, 8}}, {4, {8, 16}}, {6, {8, 16}}}) {
    for (int depth : depths) {
      for (bool interlaced : {false, true}) {
        PngSpec s{13, 11, depth, colour, interlaced, {}};
        for (int i = 0; colour == 3 && i < 3 << depth; i++) s.palette.push_back((i * 29 + 5) % 256);
        const auto sample = [&](int x, int y, int c) {
          return unsigned(pattern(x, y, c) * 256 + pattern(y, x, c)) >> (16 - depth);
        };
        const auto expected = [&](int x, int y, int c) {
          if (colour == 3) return int(s.palette[3 * sample(x, y, 0) + c]);
          const unsigned value = sample(x, y, colour == 0 || colour == 4 ? 0 : c);
          return int(depth == 16 ? value >> 8 : value * 255 / ((1u << depth) - 1));
        };
        for (const auto& [name, decode] : kDecoders) {
          SCOPED_TRACE(std::string(name) + " colour " + std::to_string(colour) + " depth " + std::to_string(depth) +
                       (interlaced ? " interlaced" : ""));
          expect_pixels(decode(make_png(s, sample), "made.png"), 13, 11, expected);
        }
        layouts++;
      }
    }
  }
  EXPECT_EQ(layouts, 30);
}

// Flat blocks: grey values are exact; colour follows the JFIF matrix to one level (the decoders round differently).
TEST(Image, ReadsGreyAndColourJpeg) {
  const auto level = [](int x, int y, int c) { return c == 0 ? 40 + 37 * x + 61 * y : 128 + (c == 1 ? 20 : -15) * (x - y); };
  for (const auto& [name, decode] : kDecoders) {
    SCOPED_TRACE(name);
    expect_pixels(decode(make_jpeg(3, 2, 1, level), "grey.jpg"), 24, 16,
                  [&](int x, int y, int) { return level(x / 8, y / 8, 0); });
    const auto rgb = [&](int x, int y, int c) {
      const double luma = level(x / 8, y / 8, 0), cb = level(x / 8, y / 8, 1) - 128, cr = level(x / 8, y / 8, 2) - 128;
      const double value = c == 0 ? luma + 1.402 * cr : c == 1 ? luma - 0.344136 * cb - 0.714136 * cr : luma + 1.772 * cb;
      return int(std::lround(value));
    };
    expect_pixels(decode(make_jpeg(3, 2, 3, level), "colour.jpg"), 24, 16, rgb, 1);
  }
}

// Cases 47 to 54 of bad images, with either decoder: exit 65 and the reason.
TEST(Image, RefusesBadFiles) {
  const auto grey = [](int, int, int) { return 128; };
  Bytes cut_png = small_png(), wrong_crc = small_png(), huge_jpeg = small_jpeg(), bad_table = small_jpeg();
  cut_png.resize(cut_png.size() - 20);
  wrong_crc[wrong_crc.size() - 30] ^= 1;
  for (int i = 0; i < 4; i++) huge_jpeg[76 + i] = 0xff;  // height and width of the frame header
  huge_jpeg.resize(200);
  bad_table[94 + 15] = bad_table[94 + 16] = 150;  // counts of 15- and 16-bit codes in the first Huffman table: 312 symbols
  Bytes bomb = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, no_data = bomb, unknown = bomb;
  put(bomb, png_chunk("IHDR", png_header({60000, 60000})));
  put(bomb, png_chunk("IDAT", zlib_stored({0, 0, 0})));
  put(bomb, png_chunk("IEND", {}));
  put(no_data, png_chunk("IHDR", png_header({})));
  put(no_data, png_chunk("IEND", {}));
  put(unknown, png_chunk("IHDR", png_header({})));
  put(unknown, png_chunk("CgBI", {0, 0, 0, 0}));
  Bytes deep = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put(deep, png_chunk("IHDR", png_header({8000, 8000, 16, 6})));
  Bytes short_rows = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  put(short_rows, png_chunk("IHDR", png_header({5, 4})));
  put(short_rows, png_chunk("IDAT", zlib_stored({0, 1, 2, 3})));
  put(short_rows, png_chunk("IEND", {}));
  const std::vector<std::pair<Bytes, const char*>> cases = {
      {{}, "empty"},
      {{0xff, 0xd8, 0xff}, "truncated"},
      {cut_png, "truncated"},
      {wrong_crc, "checksum"},
      {huge_jpeg, "limit is 64 megapixels"},
      {make_jpeg(1, 1, 4, grey), "CMYK"},
      {bad_table, "more than 256 symbols"},
      {{'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0}, "GIF"},
      {{'B', 'M', 70, 0, 0, 0, 0, 0, 0, 0}, "BMP"},
      {{'h', 'e', 'l', 'l', 'o'}, "68 65 6c 6c"},
      {bomb, "limit is 64 megapixels"},
      {deep, "256 MiB"},
      {no_data, "without image data"},
      {unknown, "unknown critical chunk"},
      {short_rows, "damaged image"},
  };
  for (const auto& [name, decode] : kDecoders) {
    for (const auto& [bytes, text] : cases) {
      SCOPED_TRACE(std::string(name) + ": " + text);
      expect_error([&, decode = decode, bytes = bytes] { decode(bytes, "bad.jpg"); }, 65, text);
    }
    EXPECT_NO_THROW(decode(make_jpeg(1, 1, 1, grey), "good.jpg")) << "the same file with one component must be read";
    EXPECT_NO_THROW(decode(small_png(), "good.png"));
  }
  expect_error([] { decode_image_stb(make_png({8193, 1, 1, 0}, [](int, int, int) { return 1u; }), "x"); }, 65, "8192");
}

// Case 48: a JPEG cut anywhere is refused. Cut and closed with an end marker it is damaged too, which only libjpeg sees.
TEST(Image, RefusesTruncatedJpeg) {
  const Bytes whole = small_jpeg();
  for (const auto& [name, decode] : kDecoders) {
    for (size_t size = 3; size < whole.size(); size++) {
      const Bytes cut(whole.begin(), whole.begin() + size);
      EXPECT_THROW(decode(cut, "cut.jpg"), Error) << name << " " << size << " of " << whole.size();
    }
  }
  if (image_decoder_names().find("jpeg=libjpeg") == std::string::npos) GTEST_SKIP() << "built without libjpeg";
  Bytes closed(whole.begin(), whole.end() - 8);
  put(closed, {0xff, 0xd9});
  expect_error([&] { decode_image(closed, "closed.jpg"); }, 65, "damaged image");
}

// Every file with one changed byte is read to an image of a sane size or refused with 65; nothing else happens.
TEST(Image, SurvivesEveryChangedByte) {
  int read = 0, refused = 0;
  for (const Bytes& whole : {small_png(), small_jpeg()}) {
    for (size_t at = 0; at < whole.size(); at++) {
      for (unsigned char flip : {0x01, 0x80, 0xff}) {
        Bytes bytes = whole;
        bytes[at] ^= flip;
        for (const auto& [name, decode] : kDecoders) {
          try {
            const Image image = decode(bytes, "changed");
            ASSERT_EQ(image.rgb.size(), size_t(3) * image.width * image.height) << name;
            read++;
          } catch (const Error& error) {
            ASSERT_EQ(error.code, 65) << name << ": " << error.message();
            refused++;
          }
        }
      }
    }
  }
  EXPECT_GT(read, 50);  // quantiser values and levels may change freely
  EXPECT_GT(refused, 500);
}

// Cases 47 and 55, and missing files, through the file system.
TEST(Image, RefusesBadPaths) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "x.JPEG");
  std::filesystem::create_symlink("loop.png", folder / "loop.png");
  folder.write("empty.png", {});
  expect_error([&] { read_image(folder / "x.JPEG"); }, 65, "directory");
  expect_error([&] { read_image(folder / "loop.png"); }, 65, "symbolic links");
  expect_error([&] { read_image(folder / "empty.png"); }, 65, "empty");
  expect_error([&] { read_image(folder / "none.png"); }, 66, "cannot open");
}

TEST(Image, WritesWhatItReads) {
  const TempFolder folder;
  Image image{7, 5, {}};
  for (int i = 0; i < 7 * 5 * 3; i++) image.rgb.push_back((i * 83) % 256);
  write_png(folder / "a.png", image);
  EXPECT_EQ(read_image(folder / "a.png").rgb, image.rgb);
  image.rgb[17] ^= 1;
  write_png(folder / "a.png", image);  // replaces
  EXPECT_EQ(read_image(folder / "a.png").rgb, image.rgb);
  expect_error([&] { write_png(folder / "missing/a.png", image); }, 73, "");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files += entry.is_regular_file();
  EXPECT_EQ(files, 1) << "temporary files must not stay behind";
}

TEST(Image, NamesItsDecoders) {
  const std::string names = image_decoder_names();
  EXPECT_EQ(names.rfind("png=", 0), 0u) << names;
  EXPECT_NE(names.find(" jpeg="), std::string::npos) << names;
}

TEST(ImageGrid, PlacesCellsAndHeadings) {
  ImageGrid grid(2, 2, 1, 2, 3, 1);
  const float cell[6] = {0.0f, 1.0f, 0.5f, 2.0f, -1.0f, 0.25f};  // red, green, blue planes of two pixels
  grid.set(1, 0, cell);
  const double nan_cell[6] = {NAN, 0, 0, 0, 0, 0};
  grid.set(0, 1, nan_cell);
  const Image plain = grid.image();
  ASSERT_EQ(plain.width, 1 + 2 * 7);
  ASSERT_EQ(plain.height, 1 + 2 * 4);
  const auto pixel = [](const Image& image, int x, int y) {
    const unsigned char* p = &image.rgb[3 * (y * image.width + x)];
    return std::vector<int>{p[0], p[1], p[2]};
  };
  EXPECT_EQ(pixel(plain, 1, 5), (std::vector<int>{0, 128, 0}));
  EXPECT_EQ(pixel(plain, 3, 7), (std::vector<int>{0, 128, 0}));
  EXPECT_EQ(pixel(plain, 4, 5), (std::vector<int>{255, 255, 64}));
  EXPECT_EQ(pixel(plain, 1, 4), (std::vector<int>{255, 255, 255})) << "gap";
  EXPECT_EQ(pixel(plain, 8, 1), (std::vector<int>{255, 0, 255})) << "NaN is magenta";
  grid.set_headings({"1", "long heading"});
  const Image headed = grid.image();
  ASSERT_EQ(headed.height, 11 + 2 * 4);
  EXPECT_EQ(pixel(headed, 3, 2), (std::vector<int>{32, 32, 32})) << "tip of the 1";
  EXPECT_EQ(pixel(headed, 1, 15), pixel(plain, 1, 5));
}

// Writers and readers work from several threads at once.
TEST(Image, ManyThreads) {
  const TempFolder folder;
  const Bytes png = small_png(), jpeg = small_jpeg();
  const Image one = decode_image(png, "png"), two = decode_image(jpeg, "jpeg");
  std::vector<int> good(64, 0);
  parallel_for(64, [&](int k) {
    write_png(folder / "same.png", one);
    good[k] = decode_image(png, "png").rgb == one.rgb && decode_image(jpeg, "jpeg").rgb == two.rgb &&
              read_image(folder / "same.png").rgb == one.rgb;
    try { decode_image({}, "empty"); } catch (const Error&) { good[k]++; }
  });
  EXPECT_EQ(good, std::vector<int>(64, 2));
}
