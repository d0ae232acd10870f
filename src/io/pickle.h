// A reader of the pickles inside PyTorch checkpoints that has nothing to call: a closed list of opcodes builds plain
// data, names stay text, and the handful of calls a state dict needs are cases of a switch. Everything else is refused.
// Opcodes: Python's Lib/pickletools.py; meaning of the persistent ids: torch/serialization.py.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/dtype.h"

namespace purescope {

enum class PickleKind : unsigned char {
  None, Bool, Int, BigInt, Float, String, Name, Tuple, List, Dict, OrderedDict, Object, Storage, Tensor
};

// One value; `index` points into the table of its kind below (cycles are harmless: nothing is owned by a value).
struct PickleValue {
  PickleKind kind = PickleKind::None;
  union {
    int64_t integer;  // Bool, Int
    double real;      // Float
    uint32_t index;   // the others
  };
  PickleValue() : integer(0) {}
};

// Elements [begin, begin + count) of the storage with this key, which has `numel` elements.
struct StorageRef {
  std::string key;
  Dtype dtype = Dtype::F32;
  int64_t numel = 0, begin = 0, count = 0;
};

// Element (i0, i1, ...) = storage element offset + sum of i_k stride_k; checked to lie inside the storage.
struct TensorRef {
  uint32_t storage = 0;
  int64_t offset = 0;
  std::vector<int64_t> size, stride;
};

struct Pickle {
  std::vector<std::string> strings;             // String, Name ("module name"), BigInt (little-endian two's complement)
  std::vector<std::vector<PickleValue>>
      lists;  // Tuple, List; Dict, OrderedDict and Object as key, value, key, value, ...
  std::vector<StorageRef> storages;
  std::vector<TensorRef> tensors;
  std::unordered_map<std::string, uint32_t> roots;  // storage key -> its first StorageRef
  PickleValue root;
  size_t end = 0;  // position after STOP

  bool is_string(const PickleValue& v, const char* text) const;
  // The value of a text key of a dictionary; null if it is none or has no such key (the last one counts, as in Python).
  const PickleValue* get(const PickleValue& dict, const char* key) const;
};

struct PickleRules {
  bool storages = false;  // persistent ids and tensors may occur
  bool legacy = false;    // persistent ids have a sixth item, the view
  bool objects = false;   // TorchScript: objects of classes __torch__.* are bags of attributes
};

// Interprets one pickle that starts at `begin`. Limits: stack and memo 10^6, strings 1 MiB, pickle 256 MiB, tensors
// 10^6, rank 8. Error 65 for anything outside the closed set; `where` (file and part) goes into the message with the
// byte and the opcode.
Pickle read_pickle(const unsigned char* data, size_t size, size_t begin, const PickleRules& rules,
                   const std::string& where);

}  // namespace purescope
