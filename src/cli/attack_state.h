// An interrupted attack on disk: state/attack.safetensors of a run directory.
#pragma once
#include <string>
#include <vector>

#include "attack/attack_task.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Written to a temporary name and renamed. `key` says which batch of which setting it is.
void save_checkpoint(const std::string& path, const std::string& key, const AttackCheckpoint& checkpoint);
// True, with the checkpoint filled in, if the file is there and holds this key.
bool load_checkpoint(const std::string& path, const std::string& key, AttackCheckpoint& checkpoint);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
