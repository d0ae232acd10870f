#include "cli/bundled.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/check.h"
#include "io/fraction.h"
#include "io/safetensors.h"
#include "io/text.h"

namespace purescope {

namespace fs = std::filesystem;

std::vector<std::string> weight_folders() {
  if (const char* dir = std::getenv("PURESCOPE_MODEL_DIR"); dir && *dir) return {dir};
  std::vector<std::string> folders;
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (!ignored) {
    folders.push_back((program.parent_path().parent_path() / "share/purescope/weights").string());
    folders.push_back((program.parent_path() / "weights").string());
  }
  folders.push_back(PURESCOPE_SOURCE_DIR "/weights");
  return folders;
}

std::string find_weights(const std::string& name, const std::string& flag) {
  std::error_code ignored;
  if (name.find('/') != name.npos || name.ends_with(".safetensors") || fs::is_regular_file(name, ignored)) return name;
  std::vector<std::string> known;
  std::string folders;
  for (const std::string& folder : weight_folders()) {
    const fs::path file = fs::path(folder) / (name + ".safetensors");
    if (fs::is_regular_file(file, ignored)) return file.string();
    folders += (folders.empty() ? "" : ", ") + folder;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().extension() == ".safetensors") known.push_back(entry.path().stem().string());
  }
  std::sort(known.begin(), known.end());
  std::string list;
  for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
  fail(kMissingInput, "no file and no bundled weights named " + printable(name), flag + "; searched " + folders,
       list.empty() ? "give a .safetensors file, or set PURESCOPE_MODEL_DIR"
                    : "give a .safetensors file, or one of " + list);
}

bool has_bundled(const std::string& name) {
  std::error_code ignored;
  for (const std::string& folder : weight_folders())
    if (fs::is_regular_file(fs::path(folder) / (name + ".safetensors"), ignored)) return true;
  return false;
}

int bundled_range(const std::string& name) {
  if (!has_bundled(name)) return 0;
  const Safetensors file(find_weights(name, "--purifier"));
  const auto limit = file.metadata().find("t_max");
  return limit == file.metadata().end() ? 1000 : static_cast<int>(parse_int(limit->second, file.path() + ", metadata t_max", 1, 1000));
}

}  // namespace purescope
