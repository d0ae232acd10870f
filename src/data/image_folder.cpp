// A folder of PNG and JPEG files: which ones, data/image_list.h; here they are read.
#include <filesystem>

#include "core/check.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "data/image_list.h"
#include "io/image.h"
#include "io/image_resize.h"

namespace purescope {
namespace {

namespace fs = std::filesystem;

// FOLDER[,LIST][,PREPROCESSING] taken apart. A folder may have commas in its name.
struct Source { std::string folder, list, preprocessing = "none"; };

Source split(std::string paths) {
  Source s;
  const auto last = [&] {
    std::error_code ignored;
    const size_t comma = fs::is_directory(paths, ignored) ? std::string::npos : paths.rfind(',');
    const std::string part = comma == std::string::npos ? "" : paths.substr(comma + 1);
    if (comma != std::string::npos) paths.resize(comma);
    return part;
  };
  s.list = last();
  if (is_preprocessing(s.list)) {
    s.preprocessing = s.list;
    s.list = last();
  }
  s.folder = paths;
  return s;
}

// Interleaved bytes to planes of byte / 255.
void to_planes(const Image& image, float* chw) {
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (int c = 0; c < 3; c++) {
    for (size_t i = 0; i < pixels; i++) chw[c * pixels + i] = static_cast<float>(image.rgb[3 * i + c]) / 255.0f;
  }
}

}  // namespace

Dataset load_image_folder(const std::string& paths, int64_t first, int64_t count) {
  Dataset data;
  const auto [folder, list, preprocessing] = split(paths);
  const auto read = [&preprocessing](const std::string& path) { return preprocess(read_image(path), preprocessing, path); };
  const ImageList all = list.empty() ? read_class_folders(folder) : read_image_list(folder, list);
  const int64_t available = static_cast<int64_t>(all.entries.size());
  count = resolve_count(first, count, available, folder);
  const std::vector<ImageEntry> entries(all.entries.begin() + first, all.entries.begin() + first + count);

  data.class_names = all.class_names;
  data.classes = static_cast<int>(data.class_names.size());
  data.ranked = all.ranked;
  for (const ImageEntry& entry : entries) {
    data.labels.push_back(entry.label);
    data.sources.push_back(entry.source);
  }
  if (count > 0) {
    const Image sample = read(entries[0].path);
    data.width = sample.width;
    data.height = sample.height;
  }
  data.images.resize(entries.size() * data.image_size());
  parallel_for(data.count(), [&](int k) {
    const Image image = read(entries[k].path);
    if (image.width != data.width || image.height != data.height) {
      const auto size = [](int w, int h) { return std::to_string(w) + "x" + std::to_string(h); };
      fail(kBadInput, "the image is " + size(image.width, image.height) + ", but " + entries[0].source + " is " +
           size(data.width, data.height), entries[k].path, "give all images the same size, or add a preprocessing: folder:DIR,Res256Crop224");
    }
    to_planes(image, data.images.data() + k * data.image_size());
  });
  const std::string order = ", " + all.order + (preprocessing == "none" ? "" : ", " + preprocessing);
  data.description = "folder:" + fs::path(folder).filename().string() + order + ", images " + std::to_string(first) + " to " +
                     std::to_string(first + count - 1) + " of " + std::to_string(available) + ", " +
                     image_decoder_names();
  return data;
}

}  // namespace purescope
