// The parameters of a network: one View per state-dict key, in memory of their own or read in place from a mapped file.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "core/buffer.h"
#include "net/step.h"

namespace purescope {

class Safetensors;

inline namespace PURESCOPE_REAL_NS {

class Params {
 public:
  // Own memory on a device, zero-filled.
  explicit Params(const Model& model, Device device = current_device());

  // From a safetensors file with exactly the model's keys. All missing, unexpected and mis-shaped keys are reported at once (exit 65).
  // A float program on the CPU reads F32 tensors in place (the file stays mapped); otherwise values are widened or rounded into own
  // memory, on the current device.
  static std::shared_ptr<Params> load(const Model& model, const std::string& path, bool own_memory = false);

  View view(int index) const { return views_[index]; }
  Device device() const { return device_; }
  // Says that the values will not change any more, so that filters() may keep what it makes of them. load() without own memory does.
  void freeze() { frozen_ = true; }
  // The transformed filters of parameter `index` for s.algorithm (ops/winograd.h; flipped: those of dx), made at the first call and
  // kept. Null where the values may change, or where all kept filters together would take more than a quarter of the machine's memory.
  const real* filters(int index, const Conv2d& s, bool flipped);
  size_t filter_bytes() const { return filter_bytes_; }
  int count() const { return static_cast<int>(views_.size()); }
  void fill_zero();
  // sha256 over all values as little-endian float32, in the order of the model's keys: the same for every container and scalar.
  std::string sha256() const;
  // Metadata of the file that the parameters came from.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  size_t owned() const { return memory_.size(); }      // reals in own memory
  size_t mapped() const { return mapped_; }            // bytes read in place

 private:
  Params() = default;
  Device device_ = Device::Cpu;
  std::vector<View> views_;
  Buffer memory_;
  std::shared_ptr<Safetensors> file_;
  std::map<std::string, std::string> metadata_;
  size_t mapped_ = 0;
  bool frozen_ = false;
  std::map<std::tuple<int, ConvAlgorithm, bool>, Buffer> filters_;
  size_t filter_bytes_ = 0;
};

// Writes the parameters as float32 (or the program's scalar) with the model's keys and this metadata.
void save_params(const Params& params, const Model& model, const std::string& path, const std::map<std::string, std::string>& metadata);

// Weights made by formula (no file needed; tests and benchmarks): value i of key K is shift + scale * v(K, i) with
// v(K, i) = (mix(fnv1a(K) + i) >> 40) * 2^-23 - 1 in [-1, 1); rank >= 2: scale sqrt(3 / fan_in); 1-D weight: 1 + 0.1 v;
// bias: 0.02 v; running_mean: 0.1 v; running_var: 1 + 0.5 v. One rounding to float32.
void fill_by_formula(Params& params, const Model& model);
float formula_value(const std::string& key, uint64_t index, double shift, double scale);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
