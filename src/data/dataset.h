// Labelled images in memory, from whatever source the user names.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace purescope {

struct Dataset {
  int channels = 3, height = 0, width = 0, classes = 0;
  std::vector<std::string> class_names;  // [classes]
  bool ranked = false;  // class numbers are ranks among these classes: they mean something only to a classifier with exactly as many
  std::vector<float> images;             // [count, channels, height, width], values in [0, 1] (bytes: byte / 255)
  std::vector<int> labels;               // [count], each in [0, classes)
  std::vector<std::string> sources;      // [count], e.g. "test_batch.bin#17"
  std::string description;               // e.g. "cifar10:test_batch.bin, images 0 to 99 of 10000"
  std::string sha256;                    // of the bytes of `images`, then of `labels` as int32, little-endian

  int count() const { return static_cast<int>(labels.size()); }
  size_t image_size() const { return static_cast<size_t>(channels) * height * width; }
  const float* image(int index) const { return images.data() + index * image_size(); }
};

// Images [first, first + count) of the source `spec` names; a negative count means all from `first` on.
//   shapes[:SEED]      the built-in procedural images (data/shapes.h); SEED defaults to 1; endless, so a negative count
//                      means 100. Convention: train on seed 0, test on seed 1.
//   cifar10:PATH       CIFAR-10 binary file, or a folder with test_batch.bin
//   cifar10-train:DIR  data_batch_1.bin to data_batch_5.bin of a folder, in this order
//   folder:DIR         DIR/CLASS/*.jpg, jpeg, png (any case), all of one size; classes: the sorted folder names. Order:
//                      the first image of every class, then the second of every class, and so on.
//   folder:DIR,LIST    the images and classes that a text file gives: lines CLASS/FILE (RobustBench's list of ImageNet images), or, for a
//                      flat folder, FILE LABEL or LABEL alone with LABEL from 0 to 999 (data/image_list.h)
//   folder:DIR[,LIST],PREPROCESSING   the same, each image resized and cropped first, by RobustBench's names: Res256Crop224,
//                      BicubicRes256Crop224, Res224, Crop288 (io/image_resize.h).
//   npy:X.npy,LABELS.npy  [N, 3, height, width] floats in [0, 1] or bytes (divided by 255), and N class numbers
// Errors: 2 unknown kind of source or bad seed; 65 damaged, or fewer images than asked for; 66 missing.
Dataset load_dataset(const std::string& spec, int64_t first, int64_t count);

// Number of images to take of `available` ones; exit 65 where [first, first + count) is not inside. For the sources.
int64_t resolve_count(int64_t first, int64_t count, int64_t available, const std::string& where);

// The sources behind load_dataset; sha256 is filled in by load_dataset.
Dataset load_shapes(uint64_t seed, int64_t first, int64_t count);
Dataset load_cifar10(const std::string& path, bool train, int64_t first, int64_t count);
Dataset load_image_folder(const std::string& paths, int64_t first, int64_t count);
Dataset load_array_pair(const std::string& paths, int64_t first, int64_t count);

}  // namespace purescope
