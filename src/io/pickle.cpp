#include "io/pickle.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "io/pickle_calls.h"
#include "io/text.h"

namespace purescope {

namespace {

const size_t kMaxStack = 1'000'000, kMaxMemo = 1'000'000, kMaxString = 1 << 20, kMaxPickle = size_t(256) << 20;
const size_t kMaxNodes = 16'000'000, kMaxItems = 32'000'000;

struct OpcodeName { unsigned char code; const char* name; };
const OpcodeName kOpcodes[] = {
    {0x80, "PROTO"}, {'c', "GLOBAL"}, {'q', "BINPUT"}, {'r', "LONG_BINPUT"}, {'h', "BINGET"}, {'j', "LONG_BINGET"},
    {')', "EMPTY_TUPLE"}, {'}', "EMPTY_DICT"}, {']', "EMPTY_LIST"}, {'(', "MARK"}, {'t', "TUPLE"},
    {0x85, "TUPLE1"}, {0x86, "TUPLE2"}, {0x87, "TUPLE3"}, {'R', "REDUCE"}, {'X', "BINUNICODE"}, {'U', "SHORT_BINSTRING"},
    {'T', "BINSTRING"},
    {'J', "BININT"}, {'K', "BININT1"}, {'M', "BININT2"}, {'G', "BINFLOAT"}, {'Q', "BINPERSID"}, {0x88, "NEWTRUE"},
    {0x89, "NEWFALSE"}, {'N', "NONE"}, {'s', "SETITEM"}, {'u', "SETITEMS"}, {'a', "APPEND"}, {'e', "APPENDS"},
    {'b', "BUILD"}, {0x8a, "LONG1"}, {'.', "STOP"}, {0x81, "NEWOBJ"},
    // Known, never allowed.
    {0x93, "STACK_GLOBAL"}, {0x8c, "SHORT_BINUNICODE"}, {0x94, "MEMOIZE"}, {0x95, "FRAME"}, {0x92, "NEWOBJ_EX"},
    {'i', "INST"}, {'o', "OBJ"}, {'P', "PERSID"}, {0x82, "EXT1"}, {0x83, "EXT2"}, {0x84, "EXT4"}, {0x8b, "LONG4"},
    {'0', "POP"}, {'1', "POP_MARK"}, {'2', "DUP"}, {'I', "INT"}, {'L', "LONG"}, {'F', "FLOAT"}, {'S', "STRING"},
    {'V', "UNICODE"}, {'p', "PUT"}, {'g', "GET"}, {'d', "DICT"}, {'l', "LIST"}, {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"}};

std::string opcode_name(unsigned char code) {
  for (const OpcodeName& row : kOpcodes)
    if (row.code == code) return row.name;
  return printable(std::string(1, static_cast<char>(code)));
}

bool is_dict(PickleKind kind) { return kind == PickleKind::Dict || kind == PickleKind::OrderedDict; }

class Machine {
 public:
  Machine(const unsigned char* data, size_t size, size_t begin, const PickleRules& rules)
      : data_(data), size_(std::min(size, begin + kMaxPickle)), at_(begin), cut_(size_ < size), rules_(rules) {
    p_.lists.emplace_back();  // the empty tuple
  }

  Pickle run() {
    if (u8() != 0x80 || u8() != 2) refuse_pickle("this is not a pickle of protocol 2");
    while (step()) {}
    p_.end = at_;
    return std::move(p_);
  }

  // "byte 12, opcode GLOBAL", for messages.
  std::string place() const { return "byte " + std::to_string(opcode_at_) + ", opcode " + opcode_name(opcode_); }

 private:
  const unsigned char* take(size_t n) {
    if (n > size_ - at_) refuse_pickle(cut_ ? "the pickle is longer than 256 MiB" : "the pickle is cut short");
    at_ += n;
    return data_ + at_ - n;
  }
  unsigned char u8() { return *take(1); }
  uint32_t little(int bytes) {
    const unsigned char* p = take(bytes);
    uint32_t v = 0;
    for (int i = 0; i < bytes; ++i) v |= uint32_t(p[i]) << (8 * i);
    return v;
  }

  void push(const PickleValue& v) {
    if (stack_.size() == kMaxStack) refuse_pickle("the stack grows beyond 1000000 values");
    stack_.push_back(v);
  }
  void push_integer(PickleKind kind, int64_t v) {
    PickleValue value;
    value.kind = kind;
    value.integer = v;
    push(value);
  }
  PickleValue pop() {
    const PickleValue v = top();
    stack_.pop_back();
    return v;
  }
  // Values below the last mark belong to somebody else.
  PickleValue& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse_pickle("stack underflow");
    return stack_.back();
  }
  std::vector<PickleValue> pop_mark() {
    if (marks_.empty()) refuse_pickle("stack underflow: no mark");
    std::vector<PickleValue> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    count_items(items.size());
    return items;
  }
  void count_items(size_t n) {
    items_ += n;
    if (items_ > kMaxItems) refuse_pickle("more than 32000000 items");
  }
  void count_nodes() {
    if (p_.lists.size() + p_.strings.size() > kMaxNodes) refuse_pickle("more than 16000000 objects");
  }

  void push_list(PickleKind kind, std::vector<PickleValue> items) {
    count_nodes();
    p_.lists.push_back(std::move(items));
    push(pickle_index(kind, p_.lists.size() - 1));
  }
  void push_string(PickleKind kind, std::string text) {
    count_nodes();
    p_.strings.push_back(std::move(text));
    push(pickle_index(kind, p_.strings.size() - 1));
  }
  void push_text(size_t length) {
    if (length > kMaxString) refuse_pickle("a string is longer than 1 MiB");
    const unsigned char* p = take(length);
    push_string(PickleKind::String, std::string(reinterpret_cast<const char*>(p), length));
  }
  void push_tuple(size_t n) {
    std::vector<PickleValue> items(n);
    for (size_t i = n; i-- > 0;) items[i] = pop();
    count_items(n);
    push_list(PickleKind::Tuple, std::move(items));
  }

  // Two lines of text: module and name.
  void global() {
    std::string parts[2];
    for (std::string& part : parts)
      for (unsigned char c = u8(); c != '\n'; c = u8()) {
        if (c < 0x21 || c > 0x7e) refuse_pickle("a global name with a character that is not allowed");
        part += static_cast<char>(c);
        if (part.size() > 1024) refuse_pickle("a global name longer than 1024 bytes");
      }
    std::string name = parts[0] + " " + parts[1];
    check_name(name, rules_);
    push_string(PickleKind::Name, std::move(name));
  }

  // Two's complement, little-endian; more than 8 bytes are kept as bytes.
  void long1() {
    const size_t n = u8();
    const unsigned char* p = take(n);
    if (n > 8) return push_string(PickleKind::BigInt, std::string(reinterpret_cast<const char*>(p), n));
    uint64_t v = n && p[n - 1] & 0x80 ? ~uint64_t(0) : 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    push_integer(PickleKind::Int, static_cast<int64_t>(v));
  }

  void big_endian_double() {
    const unsigned char* p = take(8);
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | p[i];
    PickleValue v;
    v.kind = PickleKind::Float;
    std::memcpy(&v.real, &bits, 8);
    push(v);
  }

  void put(size_t index) {
    if (index >= kMaxMemo) refuse_pickle("memo index above 1000000");
    const PickleValue v = top();
    if (index >= memo_.size()) { memo_.resize(index + 1); set_.resize(index + 1); }
    memo_[index] = v;
    set_[index] = true;
  }
  void get(size_t index) {
    if (index >= set_.size() || !set_[index]) refuse_pickle("memo index " + std::to_string(index) + " was never set");
    push(memo_[index]);
  }

  void append(std::vector<PickleValue> items) {
    if (top().kind != PickleKind::List) refuse_pickle("append to something that is not a list");
    auto& list = p_.lists[top().index];
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(std::vector<PickleValue> items) {
    if (!is_dict(top().kind)) refuse_pickle("an item is set in something that is not a dictionary");
    if (items.size() % 2) refuse_pickle("a key without a value");
    auto& dict = p_.lists[top().index];
    dict.insert(dict.end(), items.begin(), items.end());
  }

  void new_object() {
    const PickleValue arguments = pop(), type = pop();
    const bool script = rules_.objects && type.kind == PickleKind::Name &&
                        p_.strings[type.index].compare(0, 9, "__torch__") == 0 && arguments.kind == PickleKind::Tuple;
    if (!script) refuse_pickle("the opcode NEWOBJ is not allowed");
    push_list(PickleKind::Object, {});
  }

  // State of an OrderedDict (its _metadata) is dropped; state of a TorchScript object is its attributes.
  void build() {
    const PickleValue state = pop(), target = top();
    if (target.kind == PickleKind::OrderedDict) return;
    if (target.kind != PickleKind::Object || !is_dict(state.kind))
      refuse_pickle("BUILD of something that is not an OrderedDict");
    const std::vector<PickleValue> items = p_.lists[state.index];
    count_items(items.size());
    auto& bag = p_.lists[target.index];
    bag.insert(bag.end(), items.begin(), items.end());
  }

  void stop() {
    p_.root = pop();
    if (!stack_.empty() || !marks_.empty()) refuse_pickle("values are left on the stack at the end");
  }

  // One opcode; false after STOP.
  bool step() {
    opcode_at_ = at_;
    opcode_ = u8();
    switch (opcode_) {
      case '.': stop(); return false;
      case '(':
        if (marks_.size() == kMaxStack) refuse_pickle("the stack grows beyond 1000000 marks");
        marks_.push_back(stack_.size());
        break;
      case 'c': global(); break;
      case 'q': put(u8()); break;
      case 'r': put(little(4)); break;
      case 'h': get(u8()); break;
      case 'j': get(little(4)); break;
      case ')': push(pickle_index(PickleKind::Tuple, 0)); break;
      case '}': push_list(PickleKind::Dict, {}); break;
      case ']': push_list(PickleKind::List, {}); break;
      case 't': push_list(PickleKind::Tuple, pop_mark()); break;
      case 0x85: push_tuple(1); break;
      case 0x86: push_tuple(2); break;
      case 0x87: push_tuple(3); break;
      case 'X': push_text(little(4)); break;
      case 'U': push_text(u8()); break;
      case 'T': push_text(little(4)); break;
      case 'J': push_integer(PickleKind::Int, static_cast<int32_t>(little(4))); break;
      case 'K': push_integer(PickleKind::Int, u8()); break;
      case 'M': push_integer(PickleKind::Int, little(2)); break;
      case 0x8a: long1(); break;
      case 'G': big_endian_double(); break;
      case 0x88: push_integer(PickleKind::Bool, 1); break;
      case 0x89: push_integer(PickleKind::Bool, 0); break;
      case 'N': push(PickleValue()); break;
      case 'Q': push(load_storage(p_, pop(), rules_)); break;
      case 'R': {
        const PickleValue arguments = pop(), function = pop();
        push(call_name(p_, function, arguments, rules_));
        break;
      }
      case 's': { const PickleValue value = pop(), key = pop(); count_items(2); set_items({key, value}); break; }
      case 'u': set_items(pop_mark()); break;
      case 'a': { const PickleValue value = pop(); count_items(1); append({value}); break; }
      case 'e': append(pop_mark()); break;
      case 'b': build(); break;
      case 0x81: new_object(); break;
      default: refuse_pickle("the opcode " + opcode_name(opcode_) + " is not allowed");
    }
    return true;
  }

  const unsigned char* data_;
  size_t size_, at_;
  bool cut_;
  const PickleRules& rules_;
  Pickle p_;
  std::vector<PickleValue> stack_, memo_;
  std::vector<size_t> marks_;
  std::vector<bool> set_;
  size_t items_ = 0, opcode_at_ = 0;
  unsigned char opcode_ = 0x80;
};

}  // namespace

bool Pickle::is_string(const PickleValue& v, const char* text) const {
  return v.kind == PickleKind::String && strings[v.index] == text;
}

const PickleValue* Pickle::get(const PickleValue& dict, const char* key) const {
  if (!is_dict(dict.kind)) return nullptr;
  const auto& items = lists[dict.index];
  for (size_t i = items.size(); i >= 2; i -= 2)
    if (is_string(items[i - 2], key)) return &items[i - 1];
  return nullptr;
}

Pickle read_pickle(const unsigned char* data, size_t size, size_t begin, const PickleRules& rules,
                   const std::string& where) {
  Machine machine(data, size, begin, rules);
  try {
    return machine.run();
  } catch (const PickleRefusal& refusal) {
    fail(kBadInput, refusal.what, where + ", " + machine.place(), refusal.todo);
  }
}

}  // namespace purescope
