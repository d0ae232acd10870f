// A folder of class folders of PNG and JPEG files.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>

#include "core/check.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "io/durable.h"
#include "io/image.h"
#include "io/image_resize.h"

namespace purescope {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string path, source;
  int label;
};

bool has_image_suffix(const fs::path& path) {
  std::string suffix = path.extension().string();
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return suffix == ".jpg" || suffix == ".jpeg" || suffix == ".png";
}

// Names in a folder, in byte order, hidden ones left out.
std::vector<std::string> sorted_names(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name[0] != '.') names.push_back(name);
  }
  if (error == std::errc::no_such_file_or_directory) {
    fail(kMissingInput, "the folder does not exist", folder, "check the path");
  }
  if (error == std::errc::permission_denied) {
    fail(kPermission, "the folder is not readable", folder, "check its permissions");
  }
  if (error) {
    fail(kBadInput, "cannot list the folder (" + error.message() + ")", folder, "give a folder of class folders");
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Image files per class. A folder or a broken link that is named like an image stays in the list: reading it fails.
std::vector<std::vector<std::string>> list_classes(const std::string& folder, std::vector<std::string>& class_names) {
  std::vector<std::vector<std::string>> files;
  for (const std::string& name : sorted_names(folder)) {
    std::error_code ignored;
    if (!fs::is_directory(folder + "/" + name, ignored)) continue;
    files.emplace_back();
    class_names.push_back(name);
    for (const std::string& file : sorted_names(folder + "/" + name)) {
      if (has_image_suffix(file)) files.back().push_back(file);
    }
    if (files.back().empty()) {
      fail(kBadInput, "the class folder has no .jpg, .jpeg or .png file", folder + "/" + name,
           "add images or remove the folder");
    }
  }
  if (files.empty()) fail(kBadInput, "no class folders found", folder, "put images into FOLDER/CLASS/");
  return files;
}

// The first file of every class, the second of every class, ...: any leading part holds the classes about equally.
std::vector<Entry> interleave(const std::string& folder, const std::vector<std::string>& class_names,
                              const std::vector<std::vector<std::string>>& files) {
  std::vector<Entry> entries;
  size_t longest = 0;
  for (const auto& list : files) longest = std::max(longest, list.size());
  for (size_t row = 0; row < longest; row++) {
    for (size_t label = 0; label < files.size(); label++) {
      if (row >= files[label].size()) continue;
      const std::string source = class_names[label] + "/" + files[label][row];
      entries.push_back({folder + "/" + source, source, static_cast<int>(label)});
    }
  }
  return entries;
}

// The images a list names, one CLASS/FILE a line, in its order; empty lines do not count. The classes are all folders of `folder`,
// also those that the list does not mention, so that a short list gives the same class numbers as a long one.
std::vector<Entry> listed(const std::string& folder, const std::string& list, std::vector<std::string>& class_names) {
  for (const std::string& name : sorted_names(folder)) {
    std::error_code ignored;
    if (fs::is_directory(folder + "/" + name, ignored)) class_names.push_back(name);
  }
  std::vector<Entry> entries;
  std::istringstream lines(read_text_file(list));
  std::string line;
  for (int number = 1; std::getline(lines, line); number++) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const std::string where = list + ", line " + std::to_string(number);
    const size_t slash = line.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == line.size() || line.find('/', slash + 1) != std::string::npos) {
      fail(kBadInput, "not of the form CLASS/FILE: \"" + line.substr(0, 80) + "\"", where, "give one image a line, for example cat/0001.jpg");
    }
    const std::string name = line.substr(0, slash);
    const auto found = std::lower_bound(class_names.begin(), class_names.end(), name);
    if (found == class_names.end() || *found != name) {
      fail(kBadInput, "the class folder \"" + name + "\" does not exist in " + folder, where,
           "unpack all classes of the list, or give a list of those that are there");
    }
    entries.push_back({folder + "/" + line, line, static_cast<int>(found - class_names.begin())});
  }
  if (entries.empty()) fail(kBadInput, "the list names no image", list, "give one CLASS/FILE a line");
  return entries;
}

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
  std::vector<Entry> entries;
  if (list.empty()) {
    const auto files = list_classes(folder, data.class_names);
    entries = interleave(folder, data.class_names, files);
  } else {
    entries = listed(folder, list, data.class_names);
  }
  const int64_t available = static_cast<int64_t>(entries.size());
  count = resolve_count(first, count, available, folder);
  entries = {entries.begin() + first, entries.begin() + first + count};

  data.classes = static_cast<int>(data.class_names.size());
  for (const Entry& entry : entries) {
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
  const std::string order = (list.empty() ? "" : ", in the order of " + fs::path(list).filename().string()) +
                            (preprocessing == "none" ? "" : ", " + preprocessing);
  data.description = "folder:" + fs::path(folder).filename().string() + order + ", images " + std::to_string(first) + " to " +
                     std::to_string(first + count - 1) + " of " + std::to_string(available) + ", " +
                     image_decoder_names();
  return data;
}

}  // namespace purescope
