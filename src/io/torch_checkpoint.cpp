#include "io/torch_checkpoint.h"

#include <cstring>
#include <unordered_set>

#include "core/check.h"
#include "io/atomic_file.h"
#include "io/checkpoint_tree.h"
#include "io/pickle.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "io/zip_container.h"

namespace purescope {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where) {
  fail(kBadInput, what, where, "the file is damaged or was not written by torch.save; copy it again or re-save it");
}

size_t storage_bytes(const StorageRef& s) { return static_cast<size_t>(s.numel) * (dtype_bits(s.dtype) / 8); }

// The one <stem>/data.pkl; gives "<stem>/".
std::string find_stem(const ZipContainer& zip, const std::string& path) {
  std::string stem;
  for (const ZipEntry& e : zip.entries()) {
    const size_t slash = e.name.find('/');
    if (slash == e.name.npos || e.name.substr(slash) != "/data.pkl") continue;
    if (!stem.empty()) refuse("the archive holds two data.pkl", path);
    stem = e.name.substr(0, slash + 1);
  }
  if (stem.empty()) refuse("the archive holds no <name>/data.pkl: not a PyTorch checkpoint", path);
  return stem;
}

void read_zip(const MappedFile& file, Checkpoint& out) {
  const ZipContainer zip(file);
  const std::string stem = find_stem(zip, file.path());
  const ZipEntry* order = zip.find(stem + "byteorder");
  if (order && std::string(reinterpret_cast<const char*>(zip.content(*order)), order->size) != "little")
    refuse("the byte order is not little-endian", file.path() + ", entry " + printable(order->name));
  PickleRules rules;
  rules.storages = true;
  rules.objects = zip.find(stem + "constants.pkl") != nullptr;
  out.container = rules.objects ? "torchscript" : "zip";
  const ZipEntry& main = *zip.find(stem + "data.pkl");
  const std::string where = file.path() + ", entry " + printable(main.name);
  const Pickle pickle = read_pickle(zip.content(main), main.size, 0, rules, where);
  if (pickle.end != main.size) refuse("trailing bytes after the pickle", where);
  std::vector<StorageBytes> roots(pickle.storages.size());
  for (size_t i = 0; i < roots.size(); ++i) {
    const StorageRef& s = pickle.storages[i];
    const ZipEntry* entry = zip.find(stem + "data/" + s.key);
    if (!entry) refuse("storage " + printable(s.key) + " is missing in the archive", file.path());
    if (entry->size != storage_bytes(s))
      refuse("storage " + printable(s.key) + " has " + std::to_string(entry->size) + " bytes instead of " +
             std::to_string(storage_bytes(s)), file.path() + ", entry " + printable(entry->name));
    roots[i].data = zip.content(*entry);
  }
  collect_tensors(pickle, roots, file.size(), out);
}

// The three pickles in front of the object; gives the position of the object.
size_t read_legacy_preamble(const MappedFile& file) {
  const unsigned char magic[15] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
  if (file.size() < sizeof magic || std::memcmp(file.data(), magic, sizeof magic) != 0)
    refuse("wrong magic number: not a PyTorch checkpoint", file.path());
  const Pickle version = read_pickle(file.data(), file.size(), sizeof magic, {}, file.path() + ", protocol version");
  if (version.root.kind != PickleKind::Int || version.root.integer != 1001)
    refuse("the protocol version is not 1001", file.path());
  const Pickle system = read_pickle(file.data(), file.size(), version.end, {}, file.path() + ", system information");
  if (system.root.kind != PickleKind::Dict) refuse("the system information is not a dictionary", file.path());
  const PickleValue* little = system.get(system.root, "little_endian");
  if (!little || little->kind != PickleKind::Bool || little->integer != 1)
    refuse("the data is not little-endian", file.path() + ", system information");
  return system.end;
}

// The storages behind the key list: for each key, int64 numel and the elements. The file ends with the last one.
std::vector<const unsigned char*> find_legacy_storages(const MappedFile& file, const Pickle& object,
                                                       const Pickle& keys) {
  if (keys.root.kind != PickleKind::List) refuse("the storage keys are not a list", file.path());
  std::vector<const unsigned char*> data(object.storages.size(), nullptr);
  std::unordered_set<std::string> seen;
  size_t at = keys.end;
  for (const PickleValue& item : keys.lists[keys.root.index]) {
    if (item.kind != PickleKind::String) refuse("the storage keys are not a list of strings", file.path());
    const std::string& key = keys.strings[item.index];
    const std::string where = file.path() + ", storage " + printable(key);
    const auto root = object.roots.find(key);
    if (root == object.roots.end()) refuse("a storage key that no tensor uses", where);
    if (!seen.insert(key).second) refuse("a storage key stands twice", where);
    const StorageRef& s = object.storages[root->second];
    int64_t numel = 0;
    if (file.size() - at < 8) refuse("the storage is cut short", where);
    std::memcpy(&numel, file.data() + at, 8);
    at += 8;
    if (numel != s.numel)
      refuse("the storage has " + std::to_string(numel) + " elements where its tensors say " + std::to_string(s.numel),
             where);
    if (file.size() - at < storage_bytes(s)) refuse("the storage is cut short", where);
    data[root->second] = file.data() + at;
    at += storage_bytes(s);
  }
  if (seen.size() != object.roots.size()) refuse("the list of storage keys lacks a key that tensors use", file.path());
  if (at != file.size())
    refuse(std::to_string(file.size() - at) + " trailing bytes after the last storage", file.path());
  return data;
}

void read_legacy(const MappedFile& file, Checkpoint& out) {
  out.container = "legacy";
  const size_t begin = read_legacy_preamble(file);
  PickleRules rules;
  rules.storages = rules.legacy = true;
  const Pickle object = read_pickle(file.data(), file.size(), begin, rules, file.path() + ", object");
  const Pickle keys = read_pickle(file.data(), file.size(), object.end, {}, file.path() + ", storage keys");
  const std::vector<const unsigned char*> data = find_legacy_storages(file, object, keys);
  std::vector<StorageBytes> roots(object.storages.size());
  for (size_t i = 0; i < roots.size(); ++i) roots[i].data = data[object.roots.at(object.storages[i].key)];
  collect_tensors(object, roots, file.size(), out);
}

// out = the elements at sum i_k stride_k, last index fastest; `at` walks the outer indices.
void copy_strided(const CheckpointTensor& t, size_t item, unsigned char* out) {
  const size_t rank = t.shape.size();
  const int64_t inner = rank ? t.shape[rank - 1] : 1, inner_stride = rank ? t.stride[rank - 1] : 1;
  std::vector<int64_t> index(rank, 0);
  for (;;) {
    int64_t at = 0;
    for (size_t k = 0; k + 1 < rank; ++k) at += index[k] * t.stride[k];
    const unsigned char* row = t.first + static_cast<size_t>(at) * item;
    if (inner_stride == 1) {
      std::memcpy(out, row, static_cast<size_t>(inner) * item);
      out += static_cast<size_t>(inner) * item;
    } else {
      for (int64_t i = 0; i < inner; ++i, out += item)
        std::memcpy(out, row + static_cast<size_t>(i * inner_stride) * item, item);
    }
    size_t k = rank ? rank - 1 : 0;
    while (k > 0 && ++index[k - 1] == t.shape[k - 1]) index[--k] = 0;
    if (k == 0) return;
  }
}

// Row-major without gaps: one copy does it.
bool is_dense(const CheckpointTensor& t) {
  int64_t expected = 1;
  for (size_t k = t.shape.size(); k-- > 0;) {
    if (t.shape[k] != 1 && t.stride[k] != expected) return false;
    expected *= t.shape[k];
  }
  return true;
}

}  // namespace

std::vector<unsigned char> CheckpointTensor::bytes() const {
  const size_t item = dtype_bits(dtype) / 8, size = count() * item;
  std::vector<unsigned char> copy(size);
  if (size == 0) return copy;
  if (!is_dense(*this)) copy_strided(*this, item, copy.data());
  else {
    std::memcpy(copy.data(), first, size);
    file->forget(first, size);
  }
  return copy;
}

size_t CheckpointTensor::count() const {
  size_t product = 1;
  for (int64_t n : shape) product *= static_cast<size_t>(n);
  return product;
}

const CheckpointTensor* Checkpoint::find(const std::string& name) const {
  for (const CheckpointTensor& t : tensors)
    if (t.name == name) return &t;
  return nullptr;
}

Checkpoint read_torch_checkpoint(const std::string& path) {
  const auto mapped = std::make_shared<const MappedFile>(path);
  const MappedFile& file = *mapped;
  Checkpoint out;
  out.path = path;
  const auto has = [&](size_t at, const char* text, size_t n) {
    return file.size() >= at + n && std::memcmp(file.data() + at, text, n) == 0;
  };
  if (file.size() == 0) refuse("the file is empty", path);
  if (has(0, "PK\3\4", 4)) read_zip(file, out);
  else if (has(257, "ustar", 5))
    fail(kBadInput, "this is the tar container of PyTorch before 0.1.10, which is not read", path,
         "load and re-save it with a current PyTorch");
  else if (file.data()[0] == 0x80) read_legacy(file, out);
  else refuse("this is not a PyTorch checkpoint (neither zip nor legacy)", path);
  for (CheckpointTensor& t : out.tensors) t.file = mapped;
  return out;
}

Checkpoint read_checkpoint(const std::string& path, std::map<std::string, std::string>& metadata) {
  if (!path.ends_with(".safetensors")) return read_torch_checkpoint(path);
  const Safetensors checked(path);
  metadata = checked.metadata();
  Checkpoint c{path, "safetensors", {}, {}};
  if (checked.tensors().empty()) return c;
  // The data section ends with the file, without gaps: that has just been checked.
  const auto mapped = std::make_shared<const MappedFile>(path);
  const unsigned char* data = mapped->data() + (mapped->size() - checked.tensors().back().end);
  for (const TensorInfo& t : checked.tensors()) {
    std::vector<int64_t> stride(t.shape.size(), 1);
    for (size_t k = stride.size(); k-- > 1;) stride[k - 1] = stride[k] * t.shape[k];
    c.tensors.push_back({t.name, t.dtype, t.shape, mapped, data + t.begin, stride});
  }
  return c;
}

}  // namespace purescope
