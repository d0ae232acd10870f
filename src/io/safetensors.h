// The safetensors container: u64 header length, JSON header, row-major little-endian data.
// Format: https://github.com/huggingface/safetensors. Every rule of the format is enforced; a file that breaks one is
// refused whole with exit code 65, before any value is handed out.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/dtype.h"

namespace purescope {

struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;  // [] is a scalar; a size may be 0
  size_t begin = 0, end = 0;   // bytes [begin, end) of the data section
  int64_t count() const;       // product of the shape
};

class Safetensors {
 public:
  // Maps and checks the file. Errors: 65 damaged, 66 missing, 77 unreadable.
  explicit Safetensors(const std::string& path);

  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in the order of their data
  const TensorInfo* find(const std::string& name) const;               // null if there is none
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& path() const { return file_.path(); }

  // The raw bytes; not aligned to the item size. They live as long as this object.
  const void* data(const TensorInfo& info) const { return file_.data() + data_start_ + info.begin; }
  // Writes info.count() values. F16 and BF16 are widened exactly, F64 to float is rounded. Error 65: type not numeric.
  void read(const TensorInfo& info, float* out) const;
  void read(const TensorInfo& info, double* out) const;
  // Its values will not be read again soon: their pages of the file need not stay in memory.
  void forget(const TensorInfo& info) const { file_.forget(file_.data() + data_start_ + info.begin, info.end - info.begin); }

 private:
  MappedFile file_;
  size_t data_start_ = 0;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

// How many values of one tensor are NaN or infinite.
size_t count_nonfinite(const Safetensors& file, const TensorInfo& info);

struct TensorOut {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  const void* data = nullptr;  // row-major, little-endian, dense; or, where it is made when its turn comes:
  std::function<std::vector<unsigned char>()> make = nullptr;
};

// Writes the tensors sorted by item size (largest first), then by name, header padded with spaces to a multiple of 8;
// the same tensors give the same bytes in any order. Errors: 65 name not allowed or given twice, 73, 74.
void write_safetensors(const std::string& path, std::vector<TensorOut> tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace purescope
