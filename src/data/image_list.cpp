#include "data/image_list.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>

#include "core/check.h"
#include "io/durable.h"
#include "io/text.h"

namespace purescope {
namespace {

namespace fs = std::filesystem;

constexpr int kImageNetClasses = 1000;
constexpr const char* kForms =
    "give one image a line, all in one form: CLASS/FILE, FILE LABEL, or LABEL (0 to 999) alone";
constexpr const char* kLabels = "labels count the 1000 sorted synset names from 0; the development kit's ids, 1 to 1000, "
                                "are in another order: translate them by the synsets";

// Ids of ILSVRC2012_val_00000001.JPEG and the next four in the development kit (its file
// ILSVRC2012_validation_ground_truth.txt). By the sorted synset names these images are 65, 970, 230, 809 and 516.
constexpr int kDevelopmentKit[] = {490, 361, 171, 822, 297};

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
    fail(kBadInput, "cannot list the folder (" + error.message() + ")", folder,
         "give a folder of images or of class folders");
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> class_folders(const std::string& folder) {
  std::vector<std::string> names = sorted_names(folder);
  std::erase_if(names, [&](const std::string& name) {
    std::error_code ignored;
    return !fs::is_directory(folder + "/" + name, ignored);
  });
  return names;
}

// A folder or a broken link that is named like an image stays in the list: reading it fails.
std::vector<std::string> image_files(const std::string& folder) {
  std::vector<std::string> names = sorted_names(folder);
  std::erase_if(names, [](const std::string& name) { return !has_image_suffix(name); });
  return names;
}

enum class Form { ClassFile, FileLabel, Label };
constexpr const char* kFormNames[] = {"CLASS/FILE", "FILE LABEL", "LABEL"};

struct Line {
  Form form;
  std::string name, label, where;  // name: CLASS/FILE or FILE
};

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool is_integer(const std::string& text) {
  const size_t digits = text[0] == '-' || text[0] == '+';
  return text.size() > digits && text.find_first_not_of("0123456789", digits) == text.npos;
}

// A line that is not empty, taken apart.
Line parse_line(const std::string& text, const std::string& where) {
  const size_t slash = text.find('/'), gap = text.find_last_of(" \t");
  const std::string last = gap == text.npos ? text : text.substr(gap + 1);
  const std::string before = gap == text.npos ? "" : trimmed(text.substr(0, gap));
  const std::string shown = "\"" + printable(text, 80) + "\"";
  if (slash == text.npos) {
    if (is_integer(last)) return {before.empty() ? Form::Label : Form::FileLabel, before, last, where};
    fail(kBadInput, "neither CLASS/FILE nor FILE LABEL nor LABEL: " + shown, where, kForms);
  }
  if (is_integer(last) && has_image_suffix(before)) {
    fail(kBadInput, "a folder and a class number in one line: " + shown, where,
         "the class folder is the class: leave out the number; or, for a flat folder, leave out the folder");
  }
  if (slash == 0 || slash + 1 == text.size() || text.find('/', slash + 1) != text.npos) {
    fail(kBadInput, "not of the form CLASS/FILE: " + shown, where, "give one image a line, for example cat/0001.jpg");
  }
  return {Form::ClassFile, text, "", where};
}

// All lines, which must be of one form.
std::vector<Line> read_lines(const std::string& list) {
  std::vector<Line> lines;
  std::istringstream in(read_text_file(list));
  std::string text, empty;  // empty: where the first empty line is
  for (int number = 1; std::getline(in, text); number++) {
    const std::string where = list + ", line " + std::to_string(number);
    text = trimmed(text);
    if (text.empty()) {
      if (empty.empty()) empty = where;
      continue;
    }
    lines.push_back(parse_line(text, where));
    const Form form = lines[0].form, here = lines.back().form;
    if (here != form) {
      const std::string wanted = std::string(", the first one ") + kFormNames[int(form)];
      fail(kBadInput, std::string("the line has the form ") + kFormNames[int(here)] + wanted, where, kForms);
    }
    if (form == Form::Label && !empty.empty()) {
      fail(kBadInput, "an empty line among the labels: which image has which label?", empty,
           "line k is the label of file k; remove the empty line or fill it");
    }
  }
  if (lines.empty()) fail(kBadInput, "the list names no image", list, kForms);
  return lines;
}

// The line's label in [0, 1000), refused where `file` shows that it is an id of the development kit.
int parse_label(const Line& line, const std::string& file) {
  int64_t label = -1;
  const char* begin = line.label.data() + (line.label[0] == '+');
  const bool fits = std::from_chars(begin, line.label.data() + line.label.size(), label).ec == std::errc();
  if (!fits || label < 0 || label >= kImageNetClasses) {
    fail(kBadInput, "the label " + line.label.substr(0, 20) + " is outside 0 to 999", line.where, kLabels);
  }
  for (int k = 0; k < 5; k++) {
    const std::string image = "ILSVRC2012_val_0000000" + std::to_string(k + 1) + ".";
    if (label != kDevelopmentKit[k] || !file.starts_with(image)) continue;
    fail(kBadInput, "the label " + line.label + " of " + file + " is its id in the ILSVRC2012 development kit",
         line.where, kLabels);
  }
  return static_cast<int>(label);
}

// CLASS/FILE. The classes are all folders, also those that the list does not mention, so that a short list gives the same
// class numbers as a long one. A list may name an image twice: it may be a draw with repetition.
ImageList by_class_folder(const std::string& folder, const std::vector<Line>& lines) {
  ImageList images;
  images.class_names = class_folders(folder);
  images.ranked = true;
  for (const Line& line : lines) {
    const std::string name = line.name.substr(0, line.name.find('/'));
    const auto found = std::lower_bound(images.class_names.begin(), images.class_names.end(), name);
    if (found == images.class_names.end() || *found != name) {
      fail(kBadInput, "the class folder \"" + printable(name) + "\" does not exist in " + folder, line.where,
           "unpack all classes of the list, or give a list of those that are there");
    }
    images.entries.push_back({folder + "/" + line.name, line.name, static_cast<int>(found - images.class_names.begin())});
  }
  return images;
}

// FILE LABEL.
ImageList by_file_and_label(const std::string& folder, const std::vector<Line>& lines) {
  ImageList images;
  std::set<std::string> seen;
  for (const Line& line : lines) {
    if (!seen.insert(line.name).second) {
      fail(kBadInput, "the file " + printable(line.name) + " is named a second time", line.where,
           "give every file one line and one label");
    }
    images.entries.push_back({folder + "/" + line.name, line.name, parse_label(line, line.name)});
  }
  return images;
}

// The flat folder's images, file k of 1, 2, ... at place k - 1. The numbers are the digits at the ends of the names, before the suffix.
std::vector<std::string> numbered_files(const std::string& folder, const std::string& list) {
  const char* todo = "number the images of the folder NAME_1, NAME_2, ... without a gap, or give a list with lines FILE LABEL";
  std::vector<std::pair<int64_t, std::string>> files;
  std::string prefix;
  for (const std::string& file : image_files(folder)) {
    const std::string stem = fs::path(file).stem().string();
    const size_t digits = stem.find_last_not_of("0123456789") + 1;
    int64_t number = 0;
    const auto parsed = std::from_chars(stem.data() + digits, stem.data() + stem.size(), number);
    if (parsed.ec != std::errc()) fail(kBadInput, "the file's name does not end with a number", folder + "/" + file, todo);
    if (files.empty()) prefix = stem.substr(0, digits);
    if (stem.substr(0, digits) != prefix) {
      fail(kBadInput, "the file's name differs from " + files[0].second + " in more than its number",
           folder + "/" + file, todo);
    }
    files.emplace_back(number, file);
  }
  if (files.empty()) {
    fail(kBadInput, "no .jpg, .jpeg or .png file lies directly in the folder, whose labels are in " + list, folder,
         "give the folder of the images; a list for class folders has lines CLASS/FILE");
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> names;
  for (const auto& [number, file] : files) {
    const int64_t expected = static_cast<int64_t>(names.size()) + 1;
    if (number < expected) {
      const std::string twice = "two files have the number " + std::to_string(number);
      fail(kBadInput, number == 0 ? "the file has the number 0" : twice, folder + "/" + file, todo);
    }
    if (number > expected) {
      fail(kBadInput, "the image with the number " + std::to_string(expected) + " is missing: next comes " + file,
           folder, todo);
    }
    names.push_back(file);
  }
  return names;
}

// LABEL: line k for file k.
ImageList by_file_number(const std::string& folder, const std::string& list, const std::vector<Line>& lines) {
  ImageList images;
  const std::vector<std::string> files = numbered_files(folder, list);
  if (files.size() > lines.size()) {
    const std::string labels = ", but " + std::to_string(lines.size()) + " labels";
    fail(kBadInput, "there are " + std::to_string(files.size()) + " images in " + folder + labels, list,
         "give a label for every image, in the order of the file numbers");
  }
  for (size_t k = 0; k < lines.size(); k++) {
    const std::string file = k < files.size() ? files[k] : "";
    const int label = parse_label(lines[k], file);
    if (!file.empty()) images.entries.push_back({folder + "/" + file, file, label});
  }
  return images;
}

}  // namespace

ImageList read_class_folders(const std::string& folder) {
  ImageList images;
  images.class_names = class_folders(folder);
  images.ranked = true;
  images.order = "the images of the class folders in turn";
  std::vector<std::vector<std::string>> files;
  size_t longest = 0;
  for (const std::string& name : images.class_names) {
    files.push_back(image_files(folder + "/" + name));
    longest = std::max(longest, files.back().size());
    if (files.back().empty()) {
      fail(kBadInput, "the class folder has no .jpg, .jpeg or .png file", folder + "/" + name,
           "add images or remove the folder");
    }
  }
  if (files.empty()) {
    fail(kBadInput, "no class folders found", folder,
         "put images into FOLDER/CLASS/, or give their classes: folder:FOLDER,LIST with lines FILE LABEL");
  }
  for (size_t row = 0; row < longest; row++) {
    for (size_t label = 0; label < files.size(); label++) {
      if (row >= files[label].size()) continue;
      const std::string source = images.class_names[label] + "/" + files[label][row];
      images.entries.push_back({folder + "/" + source, source, static_cast<int>(label)});
    }
  }
  return images;
}

ImageList read_image_list(const std::string& folder, const std::string& list) {
  const std::vector<Line> lines = read_lines(list);
  const Form form = lines[0].form;
  const std::string name = fs::path(list).filename().string();
  ImageList images = form == Form::ClassFile   ? by_class_folder(folder, lines)
                     : form == Form::FileLabel ? by_file_and_label(folder, lines)
                                               : by_file_number(folder, list, lines);
  if (form == Form::Label) images.order = "in the order of the file numbers, labels of " + name;
  else images.order = "in the order of " + name + " (lines " + kFormNames[int(form)] + ")";
  for (int label = 0; !images.ranked && label < kImageNetClasses; label++) {
    images.class_names.push_back(std::to_string(label));
  }
  return images;
}

}  // namespace purescope
