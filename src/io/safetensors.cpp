#include "io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "core/check.h"
#include "io/safetensors_header.h"
#include "io/text.h"

namespace purescope {

namespace {

const size_t kMaxHeader = 100'000'000;  // limit of the format
const char* kRepair = "the file is damaged or not safetensors; copy or convert it again";

[[noreturn]] void refuse(const std::string& what, const std::string& where) { fail(kBadInput, what, where, kRepair); }

// The length field at the start; checks that the header fits into the file.
size_t header_length(const MappedFile& file) {
  if (file.size() == 0) refuse("the file is empty", file.path());
  if (file.size() < 8) refuse("the file is shorter than the 8 bytes of the header length", file.path());
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  if (length > kMaxHeader)
    refuse("header length " + std::to_string(length) + " is above the limit of 100000000", file.path());
  if (length > file.size() - 8)
    refuse("header length " + std::to_string(length) + " reaches beyond the end of the file", file.path());
  if (length == 0) refuse("the header is empty", file.path());
  return length;
}

// One tensor after the other, without holes, filling the data section exactly.
void check_layout(const std::vector<TensorInfo>& tensors, size_t data_size, const std::string& path) {
  size_t at = 0;
  for (const TensorInfo& t : tensors) {
    const std::string where = path + ", tensor " + printable(t.name);
    size_t bytes = 0;
    if (t.end < t.begin) refuse("data_offsets are reversed", where);
    if (!tensor_bytes(t.dtype, t.shape, bytes))
      refuse("the size of shape " + shape_text(t.shape) + " overflows", where);
    if (t.end > data_size) refuse("data_offsets reach beyond the end of the file", where);
    if (t.begin < at) refuse("data overlaps another tensor", where);
    if (t.begin > at) refuse("there is a hole in front of the data", where);
    if (t.end - t.begin != bytes)
      refuse("data_offsets hold " + std::to_string(t.end - t.begin) + " bytes, but " + dtype_name(t.dtype) + " " +
             shape_text(t.shape) + " needs " + std::to_string(bytes), where);
    at = t.end;
  }
  if (at != data_size) refuse(std::to_string(data_size - at) + " trailing bytes after the last tensor", path);
}

}  // namespace

int64_t TensorInfo::count() const {
  int64_t product = 1;
  for (int64_t n : shape) product *= n;
  return product;
}

Safetensors::Safetensors(const std::string& path) : file_(path) {
  const size_t length = header_length(file_);
  SafetensorsHeader header = parse_safetensors_header(reinterpret_cast<const char*>(file_.data()) + 8, length, path);
  data_start_ = 8 + length;
  tensors_ = std::move(header.tensors);
  metadata_ = std::move(header.metadata);
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_layout(tensors_, file_.size() - data_start_, path);
  for (size_t i = 0; i < tensors_.size(); ++i) index_[tensors_[i].name] = i;
}

const TensorInfo* Safetensors::find(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

void Safetensors::read(const TensorInfo& info, float* out) const {
  convert(info.dtype, data(info), static_cast<size_t>(info.count()), out, path() + ", tensor " + printable(info.name));
}

void Safetensors::read(const TensorInfo& info, double* out) const {
  convert(info.dtype, data(info), static_cast<size_t>(info.count()), out, path() + ", tensor " + printable(info.name));
}

size_t count_nonfinite(const Safetensors& file, const TensorInfo& info) {
  return count_nonfinite(info.dtype, file.data(info), static_cast<size_t>(info.count()),
                         file.path() + ", tensor " + printable(info.name));
}

void write_safetensors(const std::string& path, std::vector<TensorOut> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorOut& a, const TensorOut& b) {
    const size_t bits_a = dtype_bits(a.dtype), bits_b = dtype_bits(b.dtype);
    return bits_a != bits_b ? bits_a > bits_b : a.name < b.name;
  });
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (!valid_utf8(key) || !valid_utf8(value)) fail(kBadInput, "metadata is not UTF-8", path, "use UTF-8 text");
      header.append(header.back() == '{' ? "" : ",").append(json_quoted(key)).append(":").append(json_quoted(value));
    }
    header += "}";
  }
  std::map<std::string, bool> seen;
  size_t at = 0;
  for (const TensorOut& t : tensors) {
    size_t bytes = 0;
    const std::string where = path + ", tensor " + printable(t.name);
    std::string wrong = bad_tensor_name(t.name);
    if (t.name == "__metadata__") wrong = "is reserved";
    if (!wrong.empty()) fail(kBadInput, "tensor name " + wrong, where, "rename the tensor");
    if (!seen.emplace(t.name, true).second) fail(kBadInput, "two tensors have this name", where, "rename one of them");
    if (!tensor_bytes(t.dtype, t.shape, bytes))
      fail(kBadInput, "the size of the shape overflows", where, "check the shape");
    std::string shape = shape_text(t.shape);
    shape.erase(std::remove(shape.begin(), shape.end(), ' '), shape.end());
    header.append(header.size() == 1 ? "" : ",").append(json_quoted(t.name));
    header.append(":{\"dtype\":\"").append(dtype_name(t.dtype)).append("\",\"shape\":").append(shape);
    header.append(",\"data_offsets\":[").append(std::to_string(at)).append(",").append(std::to_string(at + bytes));
    header.append("]}");
    at += bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  write_stream_atomic(path, [&](const PutBytes& put) {
    put(&length, 8);
    put(header.data(), header.size());
    for (const TensorOut& t : tensors) {
      size_t bytes = 0;
      PURESCOPE_REQUIRE(tensor_bytes(t.dtype, t.shape, bytes));
      if (bytes == 0) continue;
      const std::vector<unsigned char> made = t.make ? t.make() : std::vector<unsigned char>();
      PURESCOPE_REQUIRE(!t.make || made.size() == bytes);
      put(t.make ? made.data() : t.data, bytes);
    }
  });
}

}  // namespace purescope
