// What a file of tensors holds, as text for people.
#pragma once
#include <string>

namespace purescope {

// Format, size, SHA-256, metadata, and one line per tensor (name, type, shape) with the number of values in all. Reads
// safetensors, npy and PyTorch checkpoints, told apart by their first bytes. Errors: those of the readers (65, 66, 77).
std::string inspect_text(const std::string& path);

}  // namespace purescope
