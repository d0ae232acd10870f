// CIFAR-10, binary version: records of 1 label byte and 3072 bytes (R, G, B planes of 32 x 32, row-major).
// A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.
#include <filesystem>

#include "core/check.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "io/atomic_file.h"

namespace purescope {
namespace {

constexpr size_t kPixels = 3072, kRecord = 1 + kPixels;
const std::vector<std::string> kClassNames = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};

struct File {
  std::string name;
  MappedFile bytes;
  int64_t records() const { return static_cast<int64_t>(bytes.size() / kRecord); }
  const unsigned char* record(int64_t i) const { return bytes.data() + i * kRecord; }
};

File read_records(const std::string& path) {
  File file{std::filesystem::path(path).filename().string(), MappedFile(path)};
  const unsigned char* b = file.bytes.data();
  const size_t size = file.bytes.size();
  if (size == 0) fail(kBadInput, "the file has 0 records", path, "use cifar-10-binary");
  if (size > 1 && b[0] == 0x1f && b[1] == 0x8b) {
    fail(kBadInput, "this is a gzip archive, not a CIFAR-10 binary file", path, "unpack it first: tar xzf");
  }
  if (size > 1 && b[0] == 0x80 && b[1] == 0x02) {
    fail(kBadInput, "this is a Python pickle, not a CIFAR-10 binary file", path, "use cifar-10-binary");
  }
  if (size % kRecord != 0) {
    fail(kBadInput, "the size " + std::to_string(size) + " is not a multiple of 3073", path,
         "use cifar-10-binary (CIFAR-100 and other files have other records)");
  }
  for (int64_t i = 0; i < file.records(); i++) {
    const int label = file.record(i)[0];
    if (label > 9) {
      fail(kBadInput, "record " + std::to_string(i) + " has label " + std::to_string(label) +
           ", labels are 0 to 9", path, "use cifar-10-binary");
    }
  }
  return file;
}

std::vector<File> read_files(const std::string& path, bool train) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  if (train && !is_folder) {
    const bool exists = std::filesystem::exists(path, ignored);
    fail(exists ? kBadInput : kMissingInput, "cifar10-train needs the folder with data_batch_1.bin to data_batch_5.bin",
         path, "for one file use cifar10:FILE.bin");
  }
  std::vector<File> files;
  if (!is_folder) files.push_back(read_records(path));
  if (is_folder && !train) files.push_back(read_records(path + "/test_batch.bin"));
  for (int batch = 1; train && batch <= 5; batch++) {
    files.push_back(read_records(path + "/data_batch_" + std::to_string(batch) + ".bin"));
  }
  return files;
}

}  // namespace

Dataset load_cifar10(const std::string& path, bool train, int64_t first, int64_t count) {
  const std::vector<File> files = read_files(path, train);
  int64_t available = 0;
  for (const File& file : files) available += file.records();
  count = resolve_count(first, count, available, path);

  Dataset data;
  data.height = data.width = 32;
  data.classes = 10;
  data.class_names = kClassNames;
  std::vector<const unsigned char*> records;
  int64_t index = 0;  // over all files
  for (const File& file : files) {
    for (int64_t i = 0; i < file.records(); i++, index++) {
      if (index < first || index >= first + count) continue;
      records.push_back(file.record(i));
      data.labels.push_back(records.back()[0]);
      data.sources.push_back(file.name + "#" + std::to_string(i));
    }
  }
  data.images.resize(records.size() * kPixels);
  parallel_for(data.count(), [&](int k) {
    float* out = data.images.data() + k * kPixels;
    for (size_t i = 0; i < kPixels; i++) out[i] = static_cast<float>(records[k][1 + i]) / 255.0f;
  });
  data.description = (train ? "cifar10-train:" : "cifar10:") + files[0].name + ", images " + std::to_string(first) +
                     " to " + std::to_string(first + count - 1) + " of " + std::to_string(available);
  return data;
}

}  // namespace purescope
