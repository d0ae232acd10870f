#include "io/npy.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "core/check.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "io/text.h"

namespace purescope {

namespace {

const size_t kMaxHeader = 10'000, kMaxRank = 8;

struct NpyType { const char* descr; Dtype dtype; };
const NpyType kTypes[] = {{"<f4", Dtype::F32}, {"<f8", Dtype::F64}, {"<f2", Dtype::F16}, {"<i4", Dtype::I32},
                          {"<i8", Dtype::I64}, {"|u1", Dtype::U8},  {"|i1", Dtype::I8},  {"|b1", Dtype::Bool}};

struct Header { Dtype dtype = Dtype::F32; bool fortran = false; std::vector<int64_t> shape; };

// Parser of the one dictionary a header consists of: {'descr': 'text', 'fortran_order': False, 'shape': (2, 3), }.
class DictParser {
 public:
  DictParser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header parse() {
    bool seen[3] = {false, false, false};
    expect('{');
    while (!next('}')) {
      const std::string key = quoted();
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0) refuse("unexpected key '" + printable(key) + "' in the header");
      if (seen[which]) refuse("the key '" + key + "' stands twice");
      seen[which] = true;
      expect(':');
      if (which == 0) descr();
      else if (which == 1) header_.fortran = boolean();
      else shape();
      if (!next(',')) { expect('}'); break; }
    }
    if (!seen[0] || !seen[1] || !seen[2]) refuse("the header lacks descr, fortran_order or shape");
    skip();
    if (at_ != text_.size()) refuse("text after the dictionary of the header");
    return header_;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    fail(kBadInput, what, path_ + ", npy header at byte " + std::to_string(at_),
         "save it again with numpy.save(path, numpy.ascontiguousarray(x).astype('<f4'))");
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool next(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!next(c)) refuse(std::string("the header is not the expected dictionary: no '") + c + "' here");
  }
  std::string quoted() {
    skip();
    const char quote = at_ < text_.size() ? text_[at_] : 0;
    if (quote != '\'' && quote != '"') refuse("the header is not the expected dictionary: no quoted text here");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) refuse("quoted text without an end");
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    if (value.find('\\') != value.npos) refuse("escapes in the header are not read");
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.substr(at_, word.size()) == word) { at_ += word.size(); return value; }
    refuse("fortran_order is neither True nor False");
  }
  void descr() {
    skip();
    if (at_ < text_.size() && text_[at_] == '[') refuse("structured arrays are not read");
    const std::string text = quoted();
    for (const NpyType& type : kTypes)
      if (text == type.descr) { header_.dtype = type.dtype; return; }
    if (text.find('O') != text.npos)
      refuse("object arrays hold pickles and are not read (descr '" + printable(text) + "')");
    if (!text.empty() && text[0] == '>') refuse("big-endian data is not read (descr '" + printable(text) + "')");
    refuse("data type '" + printable(text) + "' is not read");
  }
  void shape() {
    expect('(');
    while (!next(')')) {
      header_.shape.push_back(number());
      if (header_.shape.size() > kMaxRank) refuse("the shape has more than 8 entries");
      if (next(',')) continue;
      expect(')');
      // (3) without a comma is a number in Python, not a shape.
      if (header_.shape.size() == 1) refuse("the shape is not a tuple: comma missing after its only entry");
      break;
    }
  }
  int64_t number() {
    skip();
    if (at_ < text_.size() && text_[at_] == '-') refuse("negative entry in the shape");
    uint64_t value = 0;
    const size_t first = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(value, uint64_t(10), &value) ||
          __builtin_add_overflow(value, uint64_t(text_[at_] - '0'), &value) ||
          value > uint64_t(std::numeric_limits<int64_t>::max()))
        refuse("an entry of the shape is too large");
    if (at_ == first) refuse("the shape holds something that is not a number");
    return static_cast<int64_t>(value);
  }

  std::string_view text_;
  const std::string& path_;
  size_t at_ = 0;
  Header header_;
};

[[noreturn]] void refuse(const std::string& what, const std::string& path) {
  fail(kBadInput, what, path, "save it again with numpy.save(path, numpy.ascontiguousarray(x).astype('<f4'))");
}

// Finds the header text; `start` is where the data begins.
std::string_view header_text(const MappedFile& file, size_t& start) {
  const unsigned char* p = file.data();
  const size_t size = file.size();
  if (size < 10) refuse("the file is too short for an npy header", file.path());
  if (std::memcmp(p, "PK\3\4", 4) == 0) refuse("this is a zip (npz) file, not npy", file.path());
  if (std::memcmp(p, "\x93NUMPY", 6) != 0) refuse("this is not an npy file: bad magic bytes", file.path());
  const int major = p[6], minor = p[7];
  if (major < 1 || major > 3 || minor != 0)
    refuse("npy version " + std::to_string(major) + "." + std::to_string(minor) + " is not known", file.path());
  if (major > 1 && size < 12) refuse("the file is too short for an npy header", file.path());
  const size_t prefix = major == 1 ? 10 : 12;
  size_t length = p[8] | size_t(p[9]) << 8;
  if (major > 1) length |= size_t(p[10]) << 16 | size_t(p[11]) << 24;
  if (length > size - prefix) refuse("the npy header reaches beyond the end of the file", file.path());
  if (length > kMaxHeader) refuse("the npy header is longer than 10000 bytes", file.path());
  if (length == 0 || p[prefix + length - 1] != '\n') refuse("the npy header does not end with a newline", file.path());
  start = prefix + length;
  return {reinterpret_cast<const char*>(p) + prefix, length};
}

void write_any(const std::string& path, const std::vector<int64_t>& shape, const char* descr, Dtype dtype,
               const void* data) {
  size_t bytes = 0;
  PURESCOPE_REQUIRE(tensor_bytes(dtype, shape, bytes));
  std::string text = std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i) text.append(i ? " " : "").append(std::to_string(shape[i])).append(",");
  if (shape.size() > 1) text.pop_back();
  text += "), }";
  text.append(63 - (10 + text.size()) % 64, ' ');  // with the newline a multiple of 64
  text += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(text.size() & 255);
  prefix += static_cast<char>(text.size() >> 8);
  std::vector<std::pair<const void*, size_t>> parts{{prefix.data(), prefix.size()}, {text.data(), text.size()}};
  if (bytes) parts.emplace_back(data, bytes);
  write_file_atomic(path, parts);
}

template <typename T>
std::vector<T> converted(const Array& array) {
  std::vector<T> out(array.count());
  convert(array.dtype, array.bytes.data(), out.size(), out.data(), "array of shape " + shape_text(array.shape));
  return out;
}

// One tensor of a safetensors file as an array.
Array read_tensor(const std::string& path, const std::string& name) {
  const Safetensors file(path);
  const TensorInfo* info = file.find(name);
  if (!info) {
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(8, file.tensors().size()); ++i)
      names.append(i ? ", " : "").append(printable(file.tensors()[i].name));
    fail(kBadInput, "no tensor named " + printable(name), path, "it holds: " + (names.empty() ? "nothing" : names));
  }
  Array array{info->dtype, info->shape, {}};
  const auto* data = static_cast<const unsigned char*>(file.data(*info));
  array.bytes.assign(data, data + (info->end - info->begin));
  return array;
}

}  // namespace

size_t Array::count() const {
  size_t product = 1;
  for (int64_t n : shape) product *= static_cast<size_t>(n);
  return product;
}

std::vector<float> Array::as_float() const { return converted<float>(*this); }
std::vector<double> Array::as_double() const { return converted<double>(*this); }
std::vector<int64_t> Array::as_int() const { return converted<int64_t>(*this); }

Array read_npy(const std::string& path) {
  const MappedFile file(path);
  size_t start = 0, bytes = 0;
  const Header header = DictParser(header_text(file, start), path).parse();
  if (header.fortran && header.shape.size() > 1) refuse("the array is stored in Fortran order", path);
  if (!tensor_bytes(header.dtype, header.shape, bytes))
    refuse("the size of shape " + shape_text(header.shape) + " overflows", path);
  const size_t have = file.size() - start;
  if (have != bytes)
    refuse(std::string(have < bytes ? "the data is cut short: " : "extra data: ") + std::to_string(have) +
               " bytes where " + std::to_string(bytes) + " are expected",
           path);
  Array array{header.dtype, header.shape, {}};
  if (bytes) array.bytes.assign(file.data() + start, file.data() + start + bytes);
  return array;
}

void write_npy(const std::string& path, const std::vector<int64_t>& shape, const float* data) {
  write_any(path, shape, "<f4", Dtype::F32, data);
}
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const double* data) {
  write_any(path, shape, "<f8", Dtype::F64, data);
}
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const int64_t* data) {
  write_any(path, shape, "<i8", Dtype::I64, data);
}

Array read_array(const std::string& spec) {
  const std::string_view suffix = ".npy";
  if (spec.size() >= suffix.size() && spec.compare(spec.size() - suffix.size(), suffix.size(), suffix) == 0 &&
      spec.find(".safetensors:") == spec.npos)
    return read_npy(spec);
  const std::string_view mark = ".safetensors:";
  const size_t at = spec.find(mark);
  if (at == spec.npos || at + mark.size() == spec.size())
    fail(kUsage, "cannot tell what array this is", printable(spec), "give x.npy or FILE.safetensors:TENSOR");
  return read_tensor(spec.substr(0, at + mark.size() - 1), spec.substr(at + mark.size()));
}

}  // namespace purescope
