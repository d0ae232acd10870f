#include "io/inspect.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/hash.h"
#include "io/atomic_file.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "io/torch_checkpoint.h"

namespace purescope {

namespace {

struct Line { std::string name; Dtype dtype; std::vector<int64_t> shape; };

struct Summary {
  std::string format;
  std::vector<std::string> notes;
  std::vector<Line> lines;
};

Summary summarize_safetensors(const std::string& path) {
  const Safetensors file(path);
  Summary s{"safetensors", {}, {}};
  for (const auto& [key, value] : file.metadata())
    s.notes.push_back("metadata    " + printable(key) + " = " + printable(value, 1000));
  for (const TensorInfo& t : file.tensors()) {
    s.lines.push_back({t.name, t.dtype, t.shape});
    if (!dtype_is_float(t.dtype)) continue;
    if (const size_t bad = count_nonfinite(file, t))
      s.notes.push_back("warning     " + printable(t.name) + " holds " + std::to_string(bad) +
                        " NaN or infinite values");
  }
  return s;
}

Summary summarize_npy(const std::string& path) {
  const Array array = read_npy(path);
  return {"npy", {}, {{"array", array.dtype, array.shape}}};
}

Summary summarize_checkpoint(const std::string& path) {
  const Checkpoint checkpoint = read_torch_checkpoint(path);
  Summary s{"PyTorch checkpoint, " + checkpoint.container + " container", {}, {}};
  for (const std::string& section : checkpoint.sections) s.notes.push_back("part        " + printable(section));
  for (const CheckpointTensor& t : checkpoint.tensors) s.lines.push_back({t.name, t.dtype, t.shape});
  return s;
}

// safetensors has no magic bytes, so it is what remains.
Summary summarize(const MappedFile& file) {
  const auto starts = [&](const char* text, size_t n) {
    return file.size() >= n && std::memcmp(file.data(), text, n) == 0;
  };
  if (starts("\x93NUMPY", 6)) return summarize_npy(file.path());
  const bool tar = file.size() >= 262 && std::memcmp(file.data() + 257, "ustar", 5) == 0;
  if (starts("PK\3\4", 4) || starts("\x80\2\x8a\x0a", 4) || tar) return summarize_checkpoint(file.path());
  return summarize_safetensors(file.path());
}

}  // namespace

std::string inspect_text(const std::string& path) {
  const MappedFile file(path);
  const Summary s = summarize(file);
  size_t values = 0, width = 4;
  for (const Line& line : s.lines) {
    size_t count = 1;
    for (int64_t n : line.shape) count *= static_cast<size_t>(n);
    values += count;
    width = std::max(width, printable(line.name, 1024).size());
  }
  std::string text = "file        " + path + "\nformat      " + s.format + "\nbytes       " +
                     std::to_string(file.size()) + "\nsha256      " + sha256_hex(file.data(), file.size()) +
                     "\ntensors     " + std::to_string(s.lines.size()) + "\nparameters  " + std::to_string(values) +
                     "\n";
  for (const std::string& note : s.notes) text += note + "\n";
  for (const Line& line : s.lines) {
    std::string name = printable(line.name, 1024), type = dtype_name(line.dtype);
    name.resize(width, ' ');
    type.resize(std::max<size_t>(type.size(), 4), ' ');
    text += name + "  " + type + "  " + shape_text(line.shape) + "\n";
  }
  return text;
}

}  // namespace purescope
