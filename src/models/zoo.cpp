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
      {"ddpmpp-cifar10", "ddpmpp:nf=128,mult=1-2-2-2,blocks=8,attn=16,size=32"},
      {"adm-256", "adm:ch=256,mult=1-1-2-2-4-4,blocks=2,attn=8-16-32,head=64,size=256,learn-sigma,scale-shift,resblock-updown"},
      {"wrn-28-10", "wrn:depth=28,widen=10"},
      {"resnet50", "resnet:stem=64,planes=64-128-256-512,layers=3-4-6-3,classes=1000"},
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
       "presets: " + names + "; or spell it out: ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16 | wrn:depth=10,widen=1 | cifar-resnet:depth=20 | "
       "adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown | ddpmpp:nf=32,mult=1-2,blocks=1,attn=8,size=16 | "
       "resnet:stem=16,planes=8-16-24-32,layers=2-1-1-1,classes=10");
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

using SetKey = std::function<bool(const std::string&, const std::vector<int>&)>;
using SetFlag = std::function<bool(const std::string&)>;

// The key=value,... part of a spelled-out architecture, each key given to `set` and each bare word to `set_flag`, which answer false for
// what they do not know.
void parse_keys(const std::string& arch, const SetKey& set, const SetFlag& set_flag = {}) {
  const size_t colon = arch.find(':');
  if (colon == std::string::npos) return;
  std::stringstream stream(arch.substr(colon + 1));
  for (std::string item; std::getline(stream, item, ',');) {
    const size_t equal = item.find('=');
    if (equal == std::string::npos && set_flag && set_flag(item)) continue;
    if (equal == std::string::npos) bad_arch(arch, "'" + item + "' is not key=value");
    const std::string key = item.substr(0, equal);
    const std::vector<int> values = int_list(arch, key, item.substr(equal + 1));
    if (!set(key, values)) bad_arch(arch, "unknown key '" + key + "'");
    if (values.size() > 1 && key != "mult" && key != "attn" && key != "planes" && key != "layers") bad_arch(arch, key + " takes one number");
  }
}

// `fresh`: a spelled-out form, whose lists start empty.
Model make_ddpm_unet(const std::string& arch, bool fresh) {
  DdpmUnetConfig c;
  if (fresh) c.attn.clear();
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

Model make_ddpmpp_unet(const std::string& arch, bool fresh) {
  DdpmppUnetConfig c;
  if (fresh) c.attn.clear();
  parse_keys(arch, [&](const std::string& key, const std::vector<int>& v) {
    if (key == "nf") c.nf = v[0];
    else if (key == "mult") c.mult = v;
    else if (key == "blocks") c.blocks = v[0];
    else if (key == "attn") c.attn = v;
    else if (key == "size") c.size = v[0];
    else return false;
    return true;
  });
  return ddpmpp_unet(c);
}

Model make_adm_unet(const std::string& arch, bool fresh) {
  AdmUnetConfig c;
  if (fresh) c.attn.clear();
  parse_keys(
      arch,
      [&](const std::string& key, const std::vector<int>& v) {
        if (key == "ch") c.ch = v[0];
        else if (key == "mult") c.mult = v;
        else if (key == "blocks") c.blocks = v[0];
        else if (key == "attn") c.attn = v;
        else if (key == "head") c.head = v[0];
        else if (key == "size") c.size = v[0];
        else if (key == "groups") c.groups = v[0];
        else return false;
        return true;
      },
      [&](const std::string& flag) {
        if (flag == "learn-sigma") c.learn_sigma = true;
        else if (flag == "scale-shift") c.scale_shift = true;
        else if (flag == "resblock-updown") c.resblock_updown = true;
        else return false;
        return true;
      });
  return adm_unet(c);
}

Model make_wide_resnet(const std::string& arch, bool training) {
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

Model make_resnet(const std::string& arch, bool training) {
  ResnetConfig c;
  c.training = training;
  parse_keys(arch, [&](const std::string& key, const std::vector<int>& v) {
    if (key == "stem") c.stem = v[0];
    else if (key == "planes") c.planes = v;
    else if (key == "layers") c.layers = v;
    else if (key == "classes") c.classes = v[0];
    else if (key == "size") c.size = v[0];
    else return false;
    return true;
  });
  return resnet(c);
}

Model make_cifar_resnet(const std::string& arch, bool training) {
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

}  // namespace

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& [name, form] : presets()) names.push_back(name);
  return names;
}

Model make_model(const std::string& name, bool training) {
  const auto preset = presets().find(name);
  const bool fresh = preset == presets().end();
  const std::string arch = fresh ? name : preset->second, family = arch.substr(0, arch.find(':'));
  if (family == "ddpm-unet") return make_ddpm_unet(arch, fresh);
  if (family == "ddpmpp") return make_ddpmpp_unet(arch, fresh);
  if (family == "adm") return make_adm_unet(arch, fresh);
  if (family == "wrn") return make_wide_resnet(arch, training);
  if (family == "resnet") return make_resnet(arch, training);
  if (family == "cifar-resnet") return make_cifar_resnet(arch, training);
  bad_arch(name, "unknown architecture");
}

bool is_purifier(const Model& model) { return model.time >= 0; }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
