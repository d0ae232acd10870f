#include "models/zoo.h"

#include <functional>
#include <map>
#include <sstream>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

const std::map<std::string, std::string>& presets() {
  static const std::map<std::string, std::string> table = {
      {"ddpm-cifar10", "ddpm-unet:ch=128,mult=1-2-2-2,blocks=2,attn=16,size=32"},
      {"wrn-28-10", "wrn:depth=28,widen=10"},
      {"cifar-resnet-20", "cifar-resnet:depth=20"}, {"cifar-resnet-32", "cifar-resnet:depth=32"},
      {"cifar-resnet-44", "cifar-resnet:depth=44"}, {"cifar-resnet-56", "cifar-resnet:depth=56"},
      {"cifar-resnet-110", "cifar-resnet:depth=110"},
  };
  return table;
}

[[noreturn]] void bad_arch(const std::string& arch, const std::string& what) {
  std::string names;
  for (const std::string& name : preset_names()) names += (names.empty() ? "" : ", ") + name;
  fail(kUsage, what, "architecture '" + arch + "'",
       "presets: " + names + "; or spell it out: ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16 | wrn:depth=10,widen=1 | cifar-resnet:depth=20");
}

// "1-2-2" -> {1, 2, 2}, every entry in 1..65536.
std::vector<int> int_list(const std::string& arch, const std::string& key, const std::string& text) {
  std::vector<int> values;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, '-');) {
    if (part.empty() || part.size() > 5 || part.find_first_not_of("0123456789") != std::string::npos || std::stoi(part) < 1)
      bad_arch(arch, key + "=" + text + " is not a list of positive numbers");
    values.push_back(std::stoi(part));
  }
  if (values.empty()) bad_arch(arch, key + " needs a value");
  return values;
}

// The key=value,... part of a spelled-out architecture, each key given to `set`, which answers false for a key it does not know.
void parse_keys(const std::string& arch, const std::function<bool(const std::string&, const std::vector<int>&)>& set) {
  const size_t colon = arch.find(':');
  if (colon == std::string::npos) return;
  std::stringstream stream(arch.substr(colon + 1));
  for (std::string item; std::getline(stream, item, ',');) {
    const size_t equal = item.find('=');
    if (equal == std::string::npos) bad_arch(arch, "'" + item + "' is not key=value");
    const std::string key = item.substr(0, equal);
    const std::vector<int> values = int_list(arch, key, item.substr(equal + 1));
    if (!set(key, values)) bad_arch(arch, "unknown key '" + key + "'");
    if (values.size() > 1 && key != "mult" && key != "attn") bad_arch(arch, key + " takes one number");
  }
}

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& [name, form] : presets()) names.push_back(name);
  return names;
}

Model make_model(const std::string& name, bool training) {
  const auto preset = presets().find(name);
  const std::string arch = preset == presets().end() ? name : preset->second;
  const std::string family = arch.substr(0, arch.find(':'));
  if (family == "ddpm-unet") {
    DdpmUnetConfig c;
    if (preset == presets().end()) c.attn.clear();
    parse_keys(arch, [&](const std::string& key, const std::vector<int>& v) {
      if (key == "ch") c.ch = v[0];
      else if (key == "mult") c.mult = v;
      else if (key == "blocks") c.blocks = v[0];
      else if (key == "attn") c.attn = v;
      else if (key == "size") c.size = v[0];
      else if (key == "groups") c.groups = v[0];
      else return false;
      return true;
    });
    return ddpm_unet(c);
  }
  if (family == "wrn") {
    WideResnetConfig c;
    c.training = training;
    parse_keys(arch, [&](const std::string& key, const std::vector<int>& v) {
      if (key == "depth") c.depth = v[0];
      else if (key == "widen") c.widen = v[0];
      else if (key == "classes") c.classes = v[0];
      else if (key == "size") c.size = v[0];
      else return false;
      return true;
    });
    return wide_resnet(c);
  }
  if (family == "cifar-resnet") {
    CifarResnetConfig c;
    c.training = training;
    parse_keys(arch, [&](const std::string& key, const std::vector<int>& v) {
      if (key == "depth") c.depth = v[0];
      else if (key == "width") c.width = v[0];
      else if (key == "classes") c.classes = v[0];
      else if (key == "size") c.size = v[0];
      else return false;
      return true;
    });
    return cifar_resnet(c);
  }
  bad_arch(name, "unknown architecture");
}

bool is_purifier(const Model& model) { return model.time >= 0; }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
