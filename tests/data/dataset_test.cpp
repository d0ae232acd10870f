#include "data/dataset.h"

#include <cmath>

#include "io/image_makers.h"
#include "io/npy.h"

using namespace purescope;
using namespace makers;

namespace {

// Records of 3073 bytes: record i has label `labels[i]`, byte k of its picture is (7 k + 31 i) mod 256.
Bytes cifar_file(const std::vector<int>& labels) {
  Bytes bytes;
  for (size_t i = 0; i < labels.size(); i++) {
    bytes.push_back(static_cast<unsigned char>(labels[i]));
    for (int k = 0; k < 3072; k++) bytes.push_back(static_cast<unsigned char>(7 * k + 31 * i));
  }
  return bytes;
}

Bytes flat_png(int side, int level) {
  return make_png({side, side, 8, 2}, [=](int, int, int c) { return unsigned(level + c); });
}

}  // namespace

TEST(Cifar10, ReadsRecords) {
  const TempFolder folder;
  const std::string path = folder.write("test_batch.bin", cifar_file({3, 9, 0, 5}));
  const Dataset data = load_dataset("cifar10:" + path, 1, 2);
  ASSERT_EQ(data.count(), 2);
  EXPECT_EQ(data.height * data.width * data.channels, 3072);
  EXPECT_EQ(data.labels, (std::vector<int>{9, 0}));
  EXPECT_EQ(data.sources, (std::vector<std::string>{"test_batch.bin#1", "test_batch.bin#2"}));
  EXPECT_EQ(data.class_names[9], "truck");
  for (int k = 0; k < 3072; k++) ASSERT_EQ(data.image(1)[k], float((7 * k + 62) % 256) / 255.0f) << k;
  const Dataset whole = load_dataset("cifar10:" + folder.path(), 0, -1);
  EXPECT_EQ(whole.count(), 4);
  EXPECT_NE(whole.sha256, data.sha256);
  EXPECT_EQ(load_dataset("cifar10:" + folder.path(), 1, 2).sha256, data.sha256);
  Sha256 sha;
  sha.update(data.images.data(), data.images.size() * 4);
  sha.update(data.labels.data(), data.labels.size() * 4);
  EXPECT_EQ(data.sha256, sha.hex());
}

TEST(Cifar10, ReadsTrainingBatches) {
  const TempFolder folder;
  for (int batch = 1; batch <= 5; batch++) {
    folder.write("data_batch_" + std::to_string(batch) + ".bin", cifar_file({batch, 0}));
  }
  const Dataset data = load_dataset("cifar10-train:" + folder.path(), 1, 4);
  EXPECT_EQ(data.labels, (std::vector<int>{0, 2, 0, 3}));
  EXPECT_EQ(data.sources[3], "data_batch_3.bin#0");
  expect_error([&] { load_dataset("cifar10-train:" + folder.path(), 0, 11); }, 65, "11 images");
  std::filesystem::remove(folder / "data_batch_4.bin");
  expect_error([&] { load_dataset("cifar10-train:" + folder.path(), 0, 1); }, 66, "cannot open");
}

// Cases 42 to 46 of bad CIFAR files, and their neighbours.
TEST(Cifar10, RefusesBadFiles) {
  const TempFolder folder;
  const Bytes good = cifar_file({1, 2});
  Bytes shorter(good.begin(), good.end() - 1), gzip = good, pickle = good;
  gzip[0] = 0x1f, gzip[1] = 0x8b;
  pickle[0] = 0x80, pickle[1] = 0x02;
  const struct { const char* name; Bytes bytes; int first, count; const char* text; } cases[] = {
      {"short", shorter, 0, 1, "not a multiple of 3073"},
      {"label", cifar_file({1, 10}), 0, 1, "record 1 has label 10"},
      {"gzip", gzip, 0, 1, "gzip"},
      {"pickle", pickle, 0, 1, "pickle"},
      {"empty", {}, 0, 1, "0 records"},
      {"count", good, 0, 3, "asked for 3 images from image 0 on, but there are 2"},
      {"first", good, 2, 1, "asked for 1 images from image 2 on, but there are 2"},
      {"beyond", good, 2, -1, "asked for image 2, but there are 2"},
      {"overflow", good, 1, 2147483647, "there are 2"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string path = folder.write(std::string(c.name) + ".bin", c.bytes);
    expect_error([&] { load_dataset("cifar10:" + path, c.first, c.count); }, 65, c.text);
  }
  const std::string path = folder.write("good.bin", good);
  EXPECT_EQ(load_dataset("cifar10:" + path, 0, 2).count(), 2) << "the unharmed file must be read";
  expect_error([&] { load_dataset("cifar10:" + folder / "none.bin", 0, 1); }, 66, "cannot open");
  expect_error([&] { load_dataset("cifar10:" + folder.path(), 0, 1); }, 66, "cannot open");
  expect_error([&] { load_dataset("cifar10-train:" + path, 0, 1); }, 65, "folder");
}

TEST(Dataset, RefusesUnknownSpecs) {
  for (const char* spec : {"", "imagenet", "cifar", "shapes:", "shapes:-1", "shapes:x", "shapes:18446744073709551616",
                           "folder:", "cifar10", "cifar100:x", "npy:x.npy", "npy:x.npy,", "npy:,y.npy"}) {
    SCOPED_TRACE(spec);
    expect_error([&] { load_dataset(spec, 0, 1); }, 2, "");
  }
  expect_error([] { load_dataset("shapes", -1, 1); }, 2, "negative");
  EXPECT_EQ(load_dataset("shapes:18446744073709551615", 0, 1).count(), 1);
}

// Sorted classes, interleaved order, every suffix, other files ignored, bytes divided by 255.
TEST(ImageFolder, ReadsClassFolders) {
  const TempFolder folder;
  folder.write("dog/b.png", flat_png(8, 10));
  folder.write("dog/a.PNG", flat_png(8, 20));
  folder.write("cat/z.JPEG", make_jpeg(1, 1, 1, [](int, int, int) { return 77; }));
  folder.write("cat/y.jpeg", make_jpeg(1, 1, 1, [](int, int, int) { return 78; }));
  folder.write("cat/x.jpg", flat_png(8, 30));  // a PNG by content
  folder.write("cat/notes.txt", {'n', 'o'});
  folder.write("readme.txt", {'n', 'o'});
  const Dataset data = load_dataset("folder:" + folder.path(), 0, -1);
  EXPECT_EQ(data.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(data.sources, (std::vector<std::string>{"cat/x.jpg", "dog/a.PNG", "cat/y.jpeg", "dog/b.png", "cat/z.JPEG"}));
  EXPECT_EQ(data.labels, (std::vector<int>{0, 1, 0, 1, 0}));
  ASSERT_EQ(data.image_size(), 192u);
  for (int c = 0; c < 3; c++) {
    EXPECT_EQ(data.image(0)[64 * c + 63], float(30 + c) / 255.0f);
    EXPECT_EQ(data.image(3)[64 * c], float(10 + c) / 255.0f);
    EXPECT_EQ(data.image(4)[64 * c + 5], 77.0f / 255.0f);
  }
  const Dataset part = load_dataset("folder:" + folder.path(), 3, 2);
  EXPECT_EQ(part.sources[0], "dog/b.png");
  EXPECT_EQ(part.classes, 2);
}

// A list gives the order and the choice of images; the folders give the class numbers.
TEST(ImageFolder, ReadsInTheOrderOfAList) {
  const TempFolder folder;
  const auto list = [&](const std::string& text) {
    return "folder:" + folder / "images" + "," + folder.write("list.txt", {text.begin(), text.end()});
  };
  folder.write("images/ant/1.png", flat_png(8, 1));
  folder.write("images/bee/1.png", flat_png(8, 2));
  folder.write("images/cow/1.png", flat_png(8, 3));
  folder.write("images/cow/2.png", flat_png(8, 4));
  const Dataset data = load_dataset(list("cow/2.png\r\n\nbee/1.png\ncow/1.png"), 0, -1);
  EXPECT_EQ(data.sources, (std::vector<std::string>{"cow/2.png", "bee/1.png", "cow/1.png"}));
  EXPECT_EQ(data.labels, (std::vector<int>{2, 1, 2}));
  EXPECT_EQ(data.classes, 3) << "a class that the list leaves out counts";
  EXPECT_TRUE(data.ranked);
  EXPECT_EQ(data.image(1)[0], 2.0f / 255.0f);
  EXPECT_NE(data.description.find("in the order of list.txt"), std::string::npos) << data.description;
  expect_error([&] { load_dataset(list("ant/1.png\nelk/1.png\n"), 0, 1); }, 65, "\"elk\" does not exist");  // case 56
  expect_error([&] { load_dataset(list("1.png\n"), 0, 1); }, 65, "CLASS/FILE");
  expect_error([&] { load_dataset(list("cow/../../secret.png\n"), 0, 1); }, 65, "CLASS/FILE");
  expect_error([&] { load_dataset(list("\n"), 0, 1); }, 65, "names no image");
  expect_error([&] { load_dataset(list("cow/9.png\n"), 0, 1); }, 66, "cannot open");
  expect_error([&] { load_dataset("folder:" + folder / "images" + ",nowhere.txt", 0, 1); }, 66, "does not exist");
}

// A flat folder: a list of files and labels gives order, choice and classes.
TEST(ImageFolder, FlatWithFilesAndLabels) {
  const TempFolder folder;
  const auto list = [&](const std::string& text) {
    return "folder:" + folder / "val" + "," + folder.write("val.txt", {text.begin(), text.end()});
  };
  const std::string name = "ILSVRC2012_val_0000000";
  for (int k = 1; k <= 4; k++) folder.write("val/" + name + std::to_string(k) + ".JPEG", flat_png(8, 10 * k));
  folder.write("val/with space.png", flat_png(8, 90));
  const Dataset data = load_dataset(
      list(name + "3.JPEG 230\r\n\nwith space.png\t999\n" + name + "1.JPEG  065 \n" + name + "4.JPEG 0"), 0, -1);
  EXPECT_EQ(data.sources, (std::vector<std::string>{name + "3.JPEG", "with space.png", name + "1.JPEG", name + "4.JPEG"}));
  EXPECT_EQ(data.labels, (std::vector<int>{230, 999, 65, 0}));
  EXPECT_EQ(data.classes, 1000);
  EXPECT_EQ(data.class_names.size(), 1000u);
  EXPECT_FALSE(data.ranked);
  for (int k = 0; k < 4; k++) EXPECT_EQ(data.image(k)[0], float((int[]){30, 90, 10, 40}[k]) / 255.0f) << k;
  EXPECT_NE(data.description.find("in the order of val.txt (lines FILE LABEL)"), std::string::npos) << data.description;
  EXPECT_EQ(load_dataset(list(name + "3.JPEG 490\n"), 0, 1).labels[0], 490) << "the id of file 1 is a class of file 3";
}

// What must not be guessed: every case differs from a list that is read in one place.
TEST(ImageFolder, RefusesAmbiguousLabels) {
  const TempFolder folder;
  const std::string name = "ILSVRC2012_val_0000000";
  for (int k = 1; k <= 3; k++) folder.write("val/" + name + std::to_string(k) + ".JPEG", flat_png(8, k));
  folder.write("val/n01440764/1.png", flat_png(8, 9));
  const auto load = [&](const std::string& text) {
    return load_dataset("folder:" + folder / "val" + "," + folder.write("val.txt", {text.begin(), text.end()}), 0, -1);
  };
  const std::string a = name + "1.JPEG", b = name + "2.JPEG";
  EXPECT_EQ(load(a + " 65\n" + b + " 970\n").labels, (std::vector<int>{65, 970}));
  EXPECT_EQ(load("n01440764/1.png\n").labels, (std::vector<int>{0}));
  EXPECT_EQ(load("65\n970\n230\n").labels, (std::vector<int>{65, 970, 230}));
  const struct { const char* text; std::string list, says; } cases[] = {
      {"out of range", a + " 1000\n", "the label 1000 is outside 0 to 999"},
      {"negative", a + " -1\n", "the label -1 is outside"},
      {"too long", a + " 99999999999999999999\n", "is outside 0 to 999"},
      {"the kit's first id", a + " 490\n", "the label 490 of " + a + " is its id"},
      {"the kit's second id", a + " 65\n" + b + " 361\n", "the label 361 of " + b + " is its id"},
      {"the kit's list", "490\n361\n171\n", "the label 490 of " + a + " is its id"},
      {"1000 further down", "65\n970\n230\n1000\n", "the label 1000 is outside"},
      {"twice", a + " 65\n" + b + " 970\n" + a + " 65\n", a + " is named a second time"},
      {"two forms", a + " 65\nn01440764/1.png\n", "the line has the form CLASS/FILE, the first one FILE LABEL"},
      {"two forms", "65\n" + b + " 970\n", "the line has the form FILE LABEL, the first one LABEL"},
      {"two forms", "n01440764/1.png\n7\n", "the line has the form LABEL, the first one CLASS/FILE"},
      {"folder and label", "n01440764/1.png 0\n", "a folder and a class number in one line"},
      {"not an integer", a + " 65.0\n", "neither CLASS/FILE nor FILE LABEL"},
      {"no label", a + "\n", "neither CLASS/FILE nor FILE LABEL"},
      {"comma", a + ",65\n", "neither CLASS/FILE nor FILE LABEL"},
      {"byte order mark", "\xef\xbb\xbf" "65\n970\n230\n", "neither CLASS/FILE nor FILE LABEL"},
      {"empty line", "65\n\n970\n230\n", "an empty line among the labels"},
      {"empty line", "\n65\n970\n230\n", "an empty line among the labels"},
      {"too few", "65\n970\n", "there are 3 images"},
      {"nothing", "\r\n", "the list names no image"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    expect_error([&] { load(c.list); }, 65, c.says);
  }
  expect_error([&] { load(name + "9.JPEG 3\n"); }, 66, "cannot open");
  expect_error([&] { load(".. 3\n"); }, 65, "this is a directory");
}

// A flat folder and labels alone: line k is the label of file k, and the numbers of the files must leave no doubt.
TEST(ImageFolder, FlatWithLabelsAlone) {
  const auto labels = [](const TempFolder& folder, const std::string& text) {
    return "folder:" + folder / "val" + "," + folder.write("labels.txt", {text.begin(), text.end()});
  };
  const TempFolder good;
  for (int k = 1; k <= 11; k++) good.write("val/x_" + std::to_string(k) + ".png", flat_png(8, k));  // not in byte order
  good.write("val/readme.txt", {'n'});
  const Dataset data = load_dataset(labels(good, "0\r\n999\r\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n\n"), 1, 10);
  EXPECT_EQ(data.labels, (std::vector<int>{999, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(data.sources[0], "x_2.png");
  EXPECT_EQ(data.sources[9], "x_11.png");
  EXPECT_EQ(data.image(9)[0], 11.0f / 255.0f);
  EXPECT_NE(data.description.find("in the order of the file numbers, labels of labels.txt"), std::string::npos);
  EXPECT_NE(data.description.find("images 1 to 10 of 11"), std::string::npos) << data.description;

  const struct { std::vector<std::string> files; std::string says; } cases[] = {
      {{"x_1.png", "x_3.png"}, "the image with the number 2 is missing: next comes x_3.png"},
      {{"x_2.png", "x_3.png"}, "the image with the number 1 is missing: next comes x_2.png"},
      {{"x_0.png", "x_1.png"}, "the file has the number 0"},
      {{"x_1.png", "x_01.jpg"}, "two files have the number 1"},
      {{"x_1.png", "y_2.png"}, "differs from x_1.png in more than its number"},
      {{"x_1.png", "x_two.png"}, "does not end with a number"},
      {{"x_1.png", "x_99999999999999999999.png"}, "does not end with a number"},
      {{"a/x_1.png", "a/x_2.png"}, "no .jpg, .jpeg or .png file lies directly in the folder"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.says);
    const TempFolder folder;
    for (const std::string& file : c.files) folder.write("val/" + file, flat_png(8, 1));
    expect_error([&] { load_dataset(labels(folder, "5\n6\n7\n"), 0, -1); }, 65, c.says);
  }
}

// Case 55 (folders), and files that do not fit.
TEST(ImageFolder, RefusesBadFolders) {
  const TempFolder folder;
  const auto load = [&](const std::string& name) { load_dataset("folder:" + folder / name, 0, -1); };
  folder.write("loop/a/1.png", flat_png(8, 1));
  std::filesystem::create_symlink("2.png", folder / "loop/a/2.png");
  folder.write("directory/a/1.png", flat_png(8, 1));
  std::filesystem::create_directories(folder / "directory/a/x.JPEG");
  folder.write("sizes/a/1.png", flat_png(8, 1));
  folder.write("sizes/b/1.png", flat_png(9, 1));
  folder.write("damaged/a/1.png", flat_png(8, 1));
  folder.write("damaged/a/2.png", {0x89, 'P', 'N', 'G'});
  folder.write("no_images/a/1.png", flat_png(8, 1));
  folder.write("no_images/b/1.txt", {'n'});
  folder.write("no_classes/1.png", flat_png(8, 1));
  const std::string file = folder.write("file", {'n'});
  expect_error([&] { load("loop"); }, 65, "symbolic links");
  expect_error([&] { load("directory"); }, 65, "this is a directory");
  expect_error([&] { load("sizes"); }, 65, "the image is 9x9, but a/1.png is 8x8");
  expect_error([&] { load("damaged"); }, 65, "not a PNG or JPEG");
  expect_error([&] { load("no_images"); }, 65, "the class folder has no");
  expect_error([&] { load("no_classes"); }, 65, "no class folders");
  expect_error([&] { load("file"); }, 65, "cannot list the folder");
  expect_error([&] { load("missing"); }, 66, "does not exist");
  expect_error([&] { load_dataset("folder:" + folder / "sizes", 0, 3); }, 65, "asked for 3 images");
  EXPECT_EQ(load_dataset("folder:" + folder / "sizes", 0, 1).count(), 1) << "only the images asked for are read";
}

// Pictures of different sizes fit once they are cut to one; with a list or without.
TEST(ImageFolder, PreprocessingByName) {
  const TempFolder folder;
  const auto png = [](int width, int height) {
    return make_png({width, height, 8, 2}, [](int x, int y, int c) { return unsigned(x + 3 * y + 50 * c) & 255; });
  };
  folder.write("images/a/1.png", png(300, 260));
  folder.write("images/b/2.png", png(256, 400));
  const std::string list = folder.write("list.txt", {'b', '/', '2', '.', 'p', 'n', 'g'}), images = "folder:" + folder / "images";
  expect_error([&] { load_dataset(images, 0, -1); }, 65, "the image is 256x400");
  const Dataset data = load_dataset(images + ",Res256Crop224", 0, -1);
  EXPECT_EQ(data.width, 224);
  EXPECT_EQ(data.height, 224);
  EXPECT_EQ(data.count(), 2);
  EXPECT_NE(data.description.find("Res256Crop224"), std::string::npos) << data.description;
  // 256 pixels wide already: a crop from (16, 88).
  for (int x = 0; x < 224; ++x) EXPECT_EQ(data.image(1)[x], static_cast<float>((x + 16 + 3 * 88) & 255) / 255.0f);
  const Dataset listed = load_dataset(images + "," + list + ",Res256Crop224", 0, -1);
  EXPECT_EQ(listed.count(), 1);
  EXPECT_EQ(std::vector<float>(listed.images), std::vector<float>(data.images.begin() + data.image_size(), data.images.end()));
  expect_error([&] { load_dataset(images + ",Crop288", 0, -1); }, 65, "smaller than the crop of 288");
}

TEST(ArrayPair, ReadsImagesAndLabels) {
  const TempFolder folder;
  std::vector<float> x(4 * 3 * 2 * 5);
  for (size_t i = 0; i < x.size(); i++) x[i] = float(i) / float(x.size());
  const std::vector<int64_t> y = {2, 0, 6, 1};
  write_npy(folder / "x.npy", {4, 3, 2, 5}, x.data());
  write_npy(folder / "y.npy", {4}, y.data());
  const Dataset data = load_dataset("npy:" + folder / "x.npy" + "," + folder / "y.npy", 1, 2);
  ASSERT_EQ(data.count(), 2);
  EXPECT_EQ(data.height, 2);
  EXPECT_EQ(data.width, 5);
  EXPECT_EQ(data.classes, 7);
  EXPECT_EQ(data.labels, (std::vector<int>{0, 6}));
  EXPECT_EQ(data.sources[1], "x.npy#2");
  EXPECT_EQ(data.images, std::vector<float>(x.begin() + 30, x.begin() + 90));
}

TEST(ArrayPair, RefusesWhatDoesNotFit) {
  const TempFolder folder;
  const std::vector<int64_t> y = {2, 0}, negative = {0, -1};
  std::vector<float> x(2 * 3 * 2 * 2, 0.5f);
  write_npy(folder / "y.npy", {2}, y.data());
  write_npy(folder / "negative.npy", {2}, negative.data());
  write_npy(folder / "table.npy", {1, 2}, y.data());
  write_npy(folder / "x.npy", {2, 3, 2, 2}, x.data());
  write_npy(folder / "hwc.npy", {2, 2, 2, 3}, x.data());
  write_npy(folder / "floats.npy", {2}, x.data());
  x[13] = 1.5f;
  write_npy(folder / "big.npy", {2, 3, 2, 2}, x.data());
  x[13] = std::nanf("");
  write_npy(folder / "nan.npy", {2, 3, 2, 2}, x.data());
  const auto load = [&](const std::string& images, const std::string& labels, int count) {
    return load_dataset("npy:" + folder / images + "," + folder / labels, 0, count);
  };
  expect_error([&] { load("hwc.npy", "y.npy", 1); }, 65, "expected [N, 3, height, width]");
  expect_error([&] { load("x.npy", "table.npy", 1); }, 65, "expected [2]");
  expect_error([&] { load("x.npy", "floats.npy", 1); }, 65, "");
  expect_error([&] { load("x.npy", "negative.npy", 1); }, 65, "label 1 is -1");
  expect_error([&] { load("big.npy", "y.npy", 2); }, 65, "image 1 has the value 1.5");
  expect_error([&] { load("nan.npy", "y.npy", 2); }, 65, "image 1 has the value nan");
  expect_error([&] { load("x.npy", "y.npy", 3); }, 65, "there are 2");
  expect_error([&] { load("none.npy", "y.npy", 1); }, 66, "");
  EXPECT_EQ(load("x.npy", "y.npy", -1).count(), 2);
}
