// The JSON header of a safetensors file. Apart from safetensors.cpp because it alone needs the JSON parser.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace purescope {

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of the text; offsets not yet checked against each other
  std::map<std::string, std::string> metadata;
};

// Reads the header text event by event, so that duplicates, depth and number types are seen. Limits: names 1 KiB, 10^6
// tensors, rank 8, depth 8. Error 65; `path` goes into the message.
SafetensorsHeader parse_safetensors_header(const char* text, size_t length, const std::string& path);

}  // namespace purescope
