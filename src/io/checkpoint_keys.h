// Which part of a checkpoint is the network, and its keys without the prefixes of wrappers (as RobustBench's model
// loading).
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "io/torch_checkpoint.h"

namespace purescope {

struct KeyChoice {
  std::string section;  // the outermost key that was taken; empty = the whole file
  std::vector<std::pair<std::string, size_t>> stripped;  // prefix and how many names lost it
  size_t kept = 0, left_out = 0;                          // tensors
  std::string text() const;                               // one line for people
};

// Keeps the tensors of one section and shortens their names, in place. take = "auto" (the first of state_dict, model,
// ema that the file has with named tensors, else the whole file), "state_dict", "model", "ema", or "none" (nothing is
// changed). Then a leading "module." and after it a leading "model." is removed; only prefixes, never text inside a
// name. Lists without names (ema.shadow_params.0, ...) keep their raw names. Errors: 2 unknown `take`; 65 the section
// is not there, or two names become the same.
KeyChoice clean_keys(Checkpoint& checkpoint, const std::string& take);

}  // namespace purescope
