#include "data/dataset.h"

#include <charconv>
#include <limits>

#include "core/check.h"
#include "core/hash.h"

namespace purescope {
namespace {

constexpr int64_t kDefaultShapes = 100;
constexpr const char* kSpecs =
    "use shapes[:SEED], cifar10:FILE.bin or folder, cifar10-train:FOLDER, folder:FOLDER[,LIST][,Res256Crop224] (LIST: lines CLASS/FILE, "
    "FILE LABEL or LABEL), or npy:X.npy,LABELS.npy";

uint64_t parse_seed(const std::string& text) {
  uint64_t seed = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, seed);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) {
    fail(kUsage, "the seed \"" + text + "\" is not a whole number from 0 to 2^64-1", "--data shapes:" + text,
         "for example: shapes:1");
  }
  return seed;
}

Dataset load_source(const std::string& spec, int64_t first, int64_t count) {
  const size_t colon = spec.find(':');
  const std::string kind = spec.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (kind == "shapes") {
    return load_shapes(colon == std::string::npos ? 1 : parse_seed(rest), first, count < 0 ? kDefaultShapes : count);
  }
  const bool known = kind == "cifar10" || kind == "cifar10-train" || kind == "folder" || kind == "npy";
  if (!known) fail(kUsage, "unknown source of images \"" + kind + "\"", "--data " + spec, kSpecs);
  if (rest.empty()) fail(kUsage, "a path is missing after \"" + kind + ":\"", "--data " + spec, kSpecs);
  if (kind == "folder") return load_image_folder(rest, first, count);
  if (kind == "npy") return load_array_pair(rest, first, count);
  return load_cifar10(rest, kind == "cifar10-train", first, count);
}

std::string content_hash(const Dataset& data) {
  static_assert(sizeof(int) == 4 && sizeof(float) == 4);
  Sha256 sha;
  sha.update(data.images.data(), data.images.size() * sizeof(float));
  sha.update(data.labels.data(), data.labels.size() * sizeof(int));
  return sha.hex();
}

}  // namespace

Dataset load_dataset(const std::string& spec, int64_t first, int64_t count) {
  if (first < 0) {
    fail(kUsage, "the first image has the negative index " + std::to_string(first), "--data " + spec,
         "count images from 0");
  }
  Dataset data = load_source(spec, first, count);
  data.sha256 = content_hash(data);
  return data;
}

int64_t resolve_count(int64_t first, int64_t count, int64_t available, const std::string& where) {
  if (count < 0 && first < available) count = available - first;
  if (count < 0 || first > available || count > available - first) {
    const std::string asked = count < 0 ? "image " + std::to_string(first)
                                        : std::to_string(count) + " images from image " + std::to_string(first) + " on";
    fail(kBadInput, "asked for " + asked + ", but there are " + std::to_string(available), where,
         "ask for fewer images, or give a larger data set");
  }
  if (count > std::numeric_limits<int>::max()) {
    fail(kBadInput, "asked for " + std::to_string(count) + " images at once", where, "ask for fewer images");
  }
  return count;
}

}  // namespace purescope
