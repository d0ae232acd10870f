#include "io/safetensors_header.h"

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/check.h"
#include "io/text.h"

namespace purescope {

namespace {

const size_t kMaxTensors = 1'000'000, kMaxRank = 8;
const int kMaxDepth = 8;

// Receives the events of the parser. depth_ 1 = the table of tensors, 2 = one tensor or the metadata, 3 = a list of
// numbers.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(SafetensorsHeader& out, const std::string& path) : out_(out), path_(path) {}

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_float(double, const std::string& text) override { return value("the number " + printable(text)); }
  bool number_integer(int64_t v) override { return value("the number " + std::to_string(v)); }
  bool binary(binary_t&) override { return value("binary data"); }

  bool number_unsigned(uint64_t v) override {
    if (depth_ != 3 || skip_) return value("the number " + std::to_string(v));
    auto& list = field_ == "shape" ? shape_ : offsets_;
    if (v > uint64_t(std::numeric_limits<int64_t>::max())) refuse("the number " + std::to_string(v) + " is too large");
    if (list.size() == kMaxRank) refuse(field_ + " has more than 8 entries");
    list.push_back(static_cast<int64_t>(v));
    return true;
  }

  bool string(string_t& text) override {
    if (skip_) return true;
    if (depth_ == 2 && in_metadata_) {
      if (!out_.metadata.emplace(field_, text).second) refuse("metadata key " + printable(field_) + " stands twice");
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") return value("a string");
    if (!dtype_from_name(text, tensor_.dtype)) refuse("unknown dtype " + printable(text));
    return true;
  }

  bool key(string_t& name) override {
    if (depth_ == 1) {
      in_metadata_ = name == "__metadata__";
      tensor_ = TensorInfo{};
      tensor_.name = name;
      seen_fields_.clear();
      shape_.clear();
      offsets_.clear();
      if (const std::string wrong = bad_tensor_name(name); !wrong.empty()) refuse("tensor name " + wrong);
      if (!seen_names_.insert(name).second) refuse("tensor name stands twice");
      if (seen_names_.size() > kMaxTensors + 1) refuse("more than 1000000 tensors");
    } else if (depth_ == 2) {
      field_ = name;
      if (in_metadata_) return true;
      skip_ = name != "dtype" && name != "shape" && name != "data_offsets";  // other fields are allowed and ignored
      if (!skip_ && !seen_fields_.insert(name).second) refuse("field " + name + " stands twice");
    }
    return true;
  }

  bool start_object(size_t) override {
    if (depth_ >= 2 && !skip_) return value("an object");
    return deeper();
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !in_metadata_) finish_tensor();
    if (depth_ <= 2) skip_ = false;
    return true;
  }

  bool start_array(size_t) override {
    const bool wanted = depth_ == 2 && !in_metadata_ && (field_ == "shape" || field_ == "data_offsets");
    if (!wanted && !skip_) return value("a list");
    return deeper();
  }

  bool end_array() override {
    if (--depth_ == 2) skip_ = false;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& error) override {
    const std::string text = error.what();
    const char* kind = text.find("UTF-8") != text.npos ? "the header is not UTF-8" : "the header is not valid JSON";
    fail(kBadInput, std::string(kind) + " at byte " + std::to_string(position + 7), path_,
         "the file is damaged or not safetensors; copy or convert it again");
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    const std::string where = tensor_.name.empty() ? path_ : path_ + ", tensor " + printable(tensor_.name);
    fail(kBadInput, what, where, "the file is damaged or not safetensors; copy or convert it again");
  }

  // A value that is wrong unless it stands inside a field that is skipped.
  bool value(const std::string& got) {
    if (skip_) return true;
    if (depth_ == 0) refuse("the header is not a JSON object but " + got);
    if (depth_ == 1) refuse("a tensor must be described by an object, not by " + got);
    if (in_metadata_) refuse("metadata values must be strings, not " + got);
    refuse(field_ + " cannot hold " + got);
  }

  bool deeper() {
    if (++depth_ > kMaxDepth) refuse("the header is nested deeper than 8 levels");
    return true;
  }

  void finish_tensor() {
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!seen_fields_.count(field)) refuse(std::string(field) + " is missing");
    if (offsets_.size() != 2) refuse("data_offsets must hold two numbers");
    tensor_.shape = shape_;
    tensor_.begin = static_cast<size_t>(offsets_[0]);
    tensor_.end = static_cast<size_t>(offsets_[1]);
    out_.tensors.push_back(tensor_);
    tensor_.name.clear();
  }

  SafetensorsHeader& out_;
  const std::string& path_;
  int depth_ = 0;
  bool in_metadata_ = false, skip_ = false;
  TensorInfo tensor_;
  std::string field_;
  std::vector<int64_t> shape_, offsets_;
  std::unordered_set<std::string> seen_names_, seen_fields_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(const char* text, size_t length, const std::string& path) {
  SafetensorsHeader header;
  // The parser takes a NUL byte for the end of the text and skips a byte order mark; the format allows neither.
  if (std::memchr(text, 0, length) || (length >= 3 && std::memcmp(text, "\xef\xbb\xbf", 3) == 0))
    fail(kBadInput, "the header is not valid JSON: NUL byte or byte order mark", path,
         "the file is damaged or not safetensors; copy or convert it again");
  HeaderReader reader(header, path);
  nlohmann::json::sax_parse(text, text + length, &reader);
  return header;
}

}  // namespace purescope
