#include "io/checkpoint_tree.h"

#include <algorithm>
#include <unordered_set>

#include "core/check.h"
#include "io/text.h"

namespace purescope {

namespace {

const int kMaxDepth = 64;
const size_t kMaxVisits = 16'000'000, kMaxKey = 1024;

class Collector {
 public:
  Collector(const Pickle& p, const std::vector<StorageBytes>& roots, size_t file_size, Checkpoint& out)
      : p_(p), roots_(roots), budget_(4 * file_size + (size_t(64) << 20)), out_(out) {}

  void visit(const PickleValue& v, std::string& name, bool named, int depth) {
    if (++visits_ > kMaxVisits) refuse("too many entries", name);
    switch (v.kind) {
      case PickleKind::Tensor:
        if (!named) refuse("a tensor below a dictionary key that is neither a short text nor a whole number", name);
        add(p_.tensors[v.index], name.empty() ? "tensor" : name);
        return;
      case PickleKind::Tuple: case PickleKind::List: case PickleKind::Dict: case PickleKind::OrderedDict:
      case PickleKind::Object: break;
      case PickleKind::None:
      case PickleKind::Bool:
      case PickleKind::Int:
      case PickleKind::BigInt:
      case PickleKind::Float:
      case PickleKind::String: case PickleKind::Name: case PickleKind::Storage: return;
    }
    if (depth == kMaxDepth) refuse("nested deeper than 64 levels", name);
    const bool list = v.kind == PickleKind::Tuple || v.kind == PickleKind::List;
    const auto& items = p_.lists[v.index];
    for (size_t i = 0; i < items.size(); i += list ? 1 : 2) {
      const size_t length = name.size();
      if (length) name += '.';
      bool usable = named;
      if (list) name += std::to_string(i);
      else if (is_short_text(items[i])) name += p_.strings[items[i].index];
      else if (items[i].kind == PickleKind::Int) name += std::to_string(items[i].integer);
      else usable = false;
      visit(list ? items[i] : items[i + 1], name, usable, depth + 1);
      name.resize(length);
    }
  }

 private:
  bool is_short_text(const PickleValue& v) const {
    return v.kind == PickleKind::String && p_.strings[v.index].size() <= kMaxKey;
  }

  [[noreturn]] void refuse(const std::string& what, const std::string& name) const {
    fail(kBadInput, what, out_.path + (name.empty() ? "" : ", entry " + printable(name)),
         "save the weights alone, with torch.save(model.state_dict(), path), or as safetensors");
  }

  void add(const TensorRef& t, const std::string& name) {
    if (const std::string wrong = bad_tensor_name(name); !wrong.empty()) refuse("tensor name " + wrong, name);
    if (!seen_.insert(name).second) refuse("two tensors have this name", name);
    const StorageRef& s = p_.storages[t.storage];
    const size_t item = dtype_bits(s.dtype) / 8;
    size_t bytes = 0;
    PURESCOPE_REQUIRE(tensor_bytes(s.dtype, t.size, bytes));
    if (bytes > budget_) refuse("the tensors expand to far more than the file holds", name);
    budget_ -= bytes;
    CheckpointTensor tensor{name, s.dtype, t.size, nullptr, nullptr, t.stride};
    if (bytes) tensor.first = roots_[t.storage].data + static_cast<size_t>(s.begin + t.offset) * item;
    out_.tensors.push_back(std::move(tensor));
  }

  const Pickle& p_;
  const std::vector<StorageBytes>& roots_;
  size_t budget_, visits_ = 0;
  Checkpoint& out_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

void collect_tensors(const Pickle& p, const std::vector<StorageBytes>& roots, size_t file_size, Checkpoint& out) {
  std::string name;
  Collector(p, roots, file_size, out).visit(p.root, name, true, 0);
  if (out.tensors.empty())
    fail(kBadInput, "the checkpoint holds no tensors", out.path, "save model.state_dict() into the file");
  if (p.root.kind != PickleKind::Dict && p.root.kind != PickleKind::OrderedDict) return;
  const auto& items = p.lists[p.root.index];
  for (size_t i = 0; i < items.size(); i += 2) {
    const PickleKind kind = items[i + 1].kind;
    const bool holds = kind == PickleKind::Dict || kind == PickleKind::OrderedDict || kind == PickleKind::List ||
                       kind == PickleKind::Tuple || kind == PickleKind::Object;
    if (holds && items[i].kind == PickleKind::String) out.sections.push_back(p.strings[items[i].index]);
  }
}

}  // namespace purescope
