#include "io/pickle_calls.h"

#include <string_view>

#include "io/text.h"

namespace purescope {

namespace {

const char* kSaveStateDict = "save the weights alone, with torch.save(model.state_dict(), path), or as safetensors";
const size_t kMaxTensors = 1'000'000, kMaxRank = 8;

struct StorageName { const char* name; Dtype dtype; };
const StorageName kStorages[] = {
    {"torch FloatStorage", Dtype::F32}, {"torch DoubleStorage", Dtype::F64}, {"torch HalfStorage", Dtype::F16},
    {"torch BFloat16Storage", Dtype::BF16}, {"torch LongStorage", Dtype::I64}, {"torch IntStorage", Dtype::I32},
    {"torch ShortStorage", Dtype::I16}, {"torch CharStorage", Dtype::I8}, {"torch ByteStorage", Dtype::U8},
    {"torch BoolStorage", Dtype::Bool}};

bool starts_with(const std::string& text, std::string_view start) { return text.compare(0, start.size(), start) == 0; }
bool is_script_class(const std::string& name) {
  return starts_with(name, "__torch__ ") || starts_with(name, "__torch__.");
}
bool is_script_list(const std::string& name) { return starts_with(name, "torch.jit._pickle build_"); }

int64_t integer(const PickleValue& v, const char* what) {
  if (v.kind != PickleKind::Int) refuse_pickle(std::string(what) + " is not an integer");
  return v.integer;
}

std::vector<int64_t> integers(const Pickle& p, const PickleValue& v, const char* what) {
  if (v.kind != PickleKind::Tuple && v.kind != PickleKind::List) refuse_pickle(std::string(what) + " is not a tuple");
  std::vector<int64_t> out;
  for (const PickleValue& item : p.lists[v.index]) out.push_back(integer(item, what));
  if (out.size() > kMaxRank) refuse_pickle("a tensor has more than 8 dimensions");
  return out;
}

// Largest element index = offset + sum (size - 1) stride must be below the number of elements; all without overflow.
void check_geometry(const TensorRef& t, const StorageRef& s) {
  size_t bytes = 0;
  if (t.size.size() != t.stride.size()) refuse_pickle("size and stride of a tensor differ in length");
  if (t.offset < 0) refuse_pickle("negative tensor offset");
  for (int64_t n : t.size) if (n < 0) refuse_pickle("negative tensor size");
  for (int64_t n : t.stride) if (n < 0) refuse_pickle("negative tensor stride");
  if (!tensor_bytes(s.dtype, t.size, bytes)) refuse_pickle("the size of a tensor overflows");
  if (bytes == 0) return;
  int64_t last = t.offset;
  for (size_t i = 0; i < t.size.size(); ++i) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(t.size[i] - 1, t.stride[i], &reach) || __builtin_add_overflow(last, reach, &last))
      refuse_pickle("the strides of a tensor overflow");
  }
  if (last >= s.count) refuse_pickle("a tensor reaches beyond its storage");
}

// (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
PickleValue rebuild_tensor(Pickle& p, const std::vector<PickleValue>& args) {
  if (args[0].kind != PickleKind::Storage) refuse_pickle("a tensor is built from something that is not a storage");
  if (args.size() == 7) {  // conjugation and negation bits would change the values
    const PickleValue& m = args[6];
    const bool dict = m.kind == PickleKind::Dict || m.kind == PickleKind::OrderedDict;
    if (m.kind != PickleKind::None && !(dict && p.lists[m.index].empty())) refuse_pickle("a tensor carries metadata");
  }
  TensorRef t;
  t.storage = args[0].index;
  t.offset = integer(args[1], "tensor offset");
  t.size = integers(p, args[2], "tensor size");
  t.stride = integers(p, args[3], "tensor stride");
  check_geometry(t, p.storages[t.storage]);
  if (p.tensors.size() == kMaxTensors) refuse_pickle("more than 1000000 tensors");
  p.tensors.push_back(std::move(t));
  return pickle_index(PickleKind::Tensor, p.tensors.size() - 1);
}

// OrderedDict(), or OrderedDict([(key, value), ...]) as Python 2 wrote it.
PickleValue ordered_dict(Pickle& p, const std::vector<PickleValue>& args) {
  std::vector<PickleValue> items;
  if (args.size() > 1) refuse_pickle("OrderedDict with more than one argument");
  if (args.size() == 1) {
    if (args[0].kind != PickleKind::List) refuse_pickle("OrderedDict of something that is not a list");
    for (const PickleValue& pair : p.lists[args[0].index]) {
      const bool sequence = pair.kind == PickleKind::List || pair.kind == PickleKind::Tuple;
      if (!sequence || p.lists[pair.index].size() != 2) refuse_pickle("OrderedDict of something that is not pairs");
      items.insert(items.end(), p.lists[pair.index].begin(), p.lists[pair.index].end());
    }
  }
  p.lists.push_back(std::move(items));
  return pickle_index(PickleKind::OrderedDict, p.lists.size() - 1);
}

// (view key, offset, size) of a legacy id: a slice of the root storage.
void apply_view(const Pickle& p, const PickleValue& v, StorageRef& s) {
  if (v.kind == PickleKind::None) return;
  if (v.kind != PickleKind::Tuple || p.lists[v.index].size() != 3)
    refuse_pickle("view_metadata is not a tuple of three");
  s.begin = integer(p.lists[v.index][1], "view offset");
  s.count = integer(p.lists[v.index][2], "view size");
  int64_t end = 0;
  if (s.begin < 0 || s.count < 0 || __builtin_add_overflow(s.begin, s.count, &end) || end > s.numel)
    refuse_pickle("view_metadata reaches beyond its root storage");
}

}  // namespace

void refuse_pickle(const std::string& what) { throw PickleRefusal{what, kSaveStateDict}; }

PickleValue pickle_index(PickleKind kind, size_t index) {
  PickleValue v;
  v.kind = kind;
  v.index = static_cast<uint32_t>(index);
  return v;
}

void check_name(const std::string& name, const PickleRules& rules) {
  for (const StorageName& s : kStorages)
    if (name == s.name) return;
  for (const char* known : {"collections OrderedDict", "torch._utils _rebuild_tensor_v2",
                            "torch._utils _rebuild_tensor", "torch._utils _rebuild_parameter"})
    if (name == known) return;
  if (rules.objects && (is_script_class(name) || is_script_list(name))) return;
  std::string dotted = name;
  if (const size_t space = dotted.find(' '); space != dotted.npos) dotted[space] = '.';
  if (starts_with(name, "torch.nn."))
    throw PickleRefusal{"a whole module was saved (" + printable(dotted) + "), not its weights",
                        "save model.state_dict() instead of the model"};
  refuse_pickle("the name " + printable(dotted) + " is not on the list of allowed names");
}

PickleValue call_name(Pickle& p, const PickleValue& function, const PickleValue& arguments, const PickleRules& rules) {
  if (function.kind != PickleKind::Name) refuse_pickle("a call of something that is not a name");
  if (arguments.kind != PickleKind::Tuple) refuse_pickle("call arguments that are not a tuple");
  const std::string& name = p.strings[function.index];
  const std::vector<PickleValue> args = p.lists[arguments.index];
  if (name == "collections OrderedDict") return ordered_dict(p, args);
  if (name == "torch._utils _rebuild_tensor_v2") {
    if (args.size() != 6 && args.size() != 7) refuse_pickle("_rebuild_tensor_v2 needs 6 or 7 arguments");
    return rebuild_tensor(p, args);
  }
  if (name == "torch._utils _rebuild_tensor") {
    if (args.size() != 4) refuse_pickle("_rebuild_tensor needs 4 arguments");
    return rebuild_tensor(p, args);
  }
  if (name == "torch._utils _rebuild_parameter") {
    if (args.empty() || args[0].kind != PickleKind::Tensor) refuse_pickle("a parameter that is not a tensor");
    return args[0];
  }
  if (rules.objects && is_script_list(name)) {
    if (args.size() != 1 || args[0].kind != PickleKind::List)
      refuse_pickle("build_list of something that is not a list");
    return args[0];
  }
  refuse_pickle("a call of " + printable(name) + " is not allowed");
}

// ('storage', type, key, location, numel[, view]): the location is ignored.
PickleValue load_storage(Pickle& p, const PickleValue& id, const PickleRules& rules) {
  if (!rules.storages) refuse_pickle("a persistent id does not belong here");
  if (id.kind != PickleKind::Tuple) refuse_pickle("a persistent id is not a tuple");
  const std::vector<PickleValue>& items = p.lists[id.index];
  if (!items.empty() && p.is_string(items[0], "module"))
    throw PickleRefusal{"a whole module was saved (persistent id 'module'), not its weights",
                        "save model.state_dict() instead of the model"};
  if (items.size() != (rules.legacy ? 6u : 5u) || !p.is_string(items[0], "storage") ||
      items[1].kind != PickleKind::Name || items[2].kind != PickleKind::String)
    refuse_pickle("a persistent id does not describe a storage");
  StorageRef s;
  bool known = false;
  for (const StorageName& row : kStorages)
    if (p.strings[items[1].index] == row.name) { s.dtype = row.dtype; known = true; }
  if (!known) refuse_pickle("a persistent id with an unknown storage type");
  s.key = p.strings[items[2].index];
  if (s.key.empty() || s.key.find('/') != s.key.npos || s.key.find("..") != s.key.npos ||
      s.key.find('\0') != s.key.npos)
    refuse_pickle("the storage key " + printable(s.key) + " is not allowed");
  s.numel = s.count = integer(items[4], "storage size");
  size_t bytes = 0;
  if (!tensor_bytes(s.dtype, {s.numel}, bytes)) refuse_pickle("the storage size is negative or too large");
  if (rules.legacy) apply_view(p, items[5], s);
  const auto [known_root, is_new] = p.roots.emplace(s.key, static_cast<uint32_t>(p.storages.size()));
  if (!is_new) {
    const StorageRef& other = p.storages[known_root->second];
    if (other.dtype != s.dtype) refuse_pickle("storage " + printable(s.key) + " is used with two types");
    if (other.numel != s.numel) refuse_pickle("storage " + printable(s.key) + " is used with two sizes");
    if (other.begin == s.begin && other.count == s.count) return pickle_index(PickleKind::Storage, known_root->second);
  }
  p.storages.push_back(std::move(s));
  return pickle_index(PickleKind::Storage, p.storages.size() - 1);
}

}  // namespace purescope
