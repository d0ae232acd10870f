// From an interpreted pickle to named tensors. Used by torch_checkpoint.cpp.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "io/pickle.h"
#include "io/torch_checkpoint.h"

namespace purescope {

// The raw elements of one StorageRef's root storage.
struct StorageBytes { const unsigned char* data = nullptr; };

// Walks the root value and fills sections and tensors of `out`. `roots[i]` holds the elements of the storage of
// pickle.storages[i]. All tensors together may take up to 4 file_size + 64 MiB, because a stride of 0 repeats elements.
// Error 65 for nesting deeper than 64, doubled or impossible names, and files without tensors.
void collect_tensors(const Pickle& pickle, const std::vector<StorageBytes>& roots, size_t file_size, Checkpoint& out);

}  // namespace purescope
