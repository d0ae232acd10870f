// Restricted reader of PyTorch checkpoints: zip (1.6 and later), TorchScript archives, and the legacy container (before
// 1.6). Nothing in a file is ever executed; see io/pickle.h.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/atomic_file.h"
#include "io/dtype.h"

namespace purescope {

struct CheckpointTensor {
  std::string name;  // keys of nested dictionaries and places in lists joined by '.': "state_dict.module.conv1.weight"
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  // The elements lie where they stand in the mapped file, which stays mapped as long as one of its tensors is there.
  std::shared_ptr<const MappedFile> file;
  const unsigned char* first = nullptr;
  std::vector<int64_t> stride;       // in elements
  size_t count() const;
  std::vector<unsigned char> bytes() const;  // a copy: row-major, little-endian, dense
};

struct Checkpoint {
  std::string path;
  std::string container;                  // "zip", "torchscript" or "legacy"
  std::vector<std::string> sections;  // text keys of the outermost dictionary that hold dictionaries, lists or objects
  std::vector<CheckpointTensor> tensors;  // in the order of the file; raw names
  const CheckpointTensor* find(const std::string& name) const;
};

// Finds all tensors; other entries (epoch, optimiser settings) are parsed as plain data and ignored. Each storage is
// checked where it lies in the mapped file; nothing is copied before bytes(), so a file may be larger than memory. Errors: 65 damaged, or anything but plain
// data and tensors; 66 missing; 77 unreadable.
Checkpoint read_torch_checkpoint(const std::string& path);

// The same for a file of either kind; NAME.safetensors also gives its metadata.
Checkpoint read_checkpoint(const std::string& path, std::map<std::string, std::string>& metadata);

}  // namespace purescope
