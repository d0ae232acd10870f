#include <unistd.h>

#include "cli/attack_state.h"
#include "core/check.h"
#include "io/safetensors.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void save_checkpoint(const std::string& path, const std::string& key, const AttackCheckpoint& c) {
  std::vector<TensorOut> tensors;
  for (const auto& [name, list] : c.values) tensors.push_back({name, Dtype::F64, {static_cast<int64_t>(list.size())}, list.data()});
  write_safetensors(path, tensors, {{"key", key}});
}

bool load_checkpoint(const std::string& path, const std::string& key, AttackCheckpoint& c) {
  if (access(path.c_str(), F_OK) != 0) return false;
  const Safetensors file(path);
  const auto found = file.metadata().find("key");
  if (found == file.metadata().end() || found->second != key) return false;
  c.values.clear();
  for (const TensorInfo& info : file.tensors()) {
    std::vector<double>& list = c.values[info.name];
    list.resize(info.count());
    file.read(info, list.data());
  }
  c.set = true;
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
