// Images and labels from two .npy files.
#include <algorithm>
#include <filesystem>

#include "core/check.h"
#include "data/dataset.h"
#include "io/npy.h"

namespace purescope {
namespace {

constexpr int64_t kMaxSide = 8192, kMaxClasses = 100000;

Array read_images(const std::string& path) {
  Array array = read_npy(path);
  const std::vector<int64_t>& s = array.shape;
  if (s.size() != 4 || s[1] != 3 || s[2] < 1 || s[3] < 1 || s[2] > kMaxSide || s[3] > kMaxSide) {
    fail(kBadInput, "the images have shape " + shape_text(s) + ", expected [N, 3, height, width]", path,
         "for [N, height, width, 3]: x.transpose(0, 3, 1, 2).copy()");
  }
  if (!dtype_is_float(array.dtype) && array.dtype != Dtype::U8) {
    fail(kBadInput, std::string("the images have type ") + dtype_name(array.dtype), path,
         "save floats in [0, 1], or bytes (uint8)");
  }
  return array;
}

std::vector<int64_t> read_labels(const std::string& path, int64_t images) {
  const Array array = read_npy(path);
  if (array.shape.size() != 1 || array.shape[0] != images) {
    fail(kBadInput, "the labels have shape " + shape_text(array.shape) + ", expected [" + std::to_string(images) + "]",
         path, "give one label per image");
  }
  std::vector<int64_t> labels = array.as_int();
  for (size_t i = 0; i < labels.size(); i++) {
    if (labels[i] < 0 || labels[i] >= kMaxClasses) {
      fail(kBadInput, "label " + std::to_string(i) + " is " + std::to_string(labels[i]), path,
           "labels are class numbers from 0 on");
    }
  }
  return labels;
}

}  // namespace

Dataset load_array_pair(const std::string& paths, int64_t first, int64_t count) {
  const size_t comma = paths.rfind(',');
  if (comma == std::string::npos || comma == 0 || comma + 1 == paths.size()) {
    fail(kUsage, "two files are needed, images and labels", "--data npy:" + paths, "for example: npy:x.npy,labels.npy");
  }
  const std::string path = paths.substr(0, comma), name = std::filesystem::path(path).filename().string();
  Array array = read_images(path);
  const int64_t available = array.shape[0];
  const std::vector<int64_t> labels = read_labels(paths.substr(comma + 1), available);
  count = resolve_count(first, count, available, path);

  Dataset data;
  data.height = static_cast<int>(array.shape[2]);
  data.width = static_cast<int>(array.shape[3]);
  // The classes of the whole file, so that a part of it has as many.
  data.classes = labels.empty() ? 0 : static_cast<int>(*std::max_element(labels.begin(), labels.end())) + 1;
  for (int k = 0; k < data.classes; k++) data.class_names.push_back(std::to_string(k));
  const size_t item = array.bytes.size() / std::max<int64_t>(available, 1);  // bytes of one image
  array.bytes.erase(array.bytes.begin() + (first + count) * item, array.bytes.end());
  array.bytes.erase(array.bytes.begin(), array.bytes.begin() + first * item);
  array.shape[0] = count;
  data.images = array.as_float();
  for (size_t i = 0; i < data.images.size(); i++) {
    float& value = data.images[i];
    if (array.dtype == Dtype::U8) value /= 255.0f;
    if (value >= 0 && value <= 1) continue;
    const std::string image = "image " + std::to_string(first + i / data.image_size());
    fail(kBadInput, image + " has the value " + std::to_string(value), path, "scale the images to [0, 1]");
  }
  for (int64_t k = first; k < first + count; k++) {
    data.labels.push_back(static_cast<int>(labels[k]));
    data.sources.push_back(name + "#" + std::to_string(k));
  }
  data.description = "npy:" + name + ", images " + std::to_string(first) + " to " + std::to_string(first + count - 1) +
                     " of " + std::to_string(available);
  return data;
}

}  // namespace purescope
