#include "net/params.h"

#include <unistd.h>

#include <cmath>
#include <sstream>

#include "core/check.h"
#include "core/hash.h"
#include "io/safetensors.h"
#include "ops/winograd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

View parameter_view(const ParamInfo& info, real* data, Device device = Device::Cpu) {
  // [out, in, k, k] as n, c, h, w; [out, in, 1] and [out, in] as n, c; [size] as one image of `size` channels.
  const auto& s = info.shape;
  auto d = [&](size_t i) { return static_cast<int>(s[i]); };
  if (s.size() == 4) return {data, d(0), d(1), d(2), d(3), device};
  if (s.size() == 2 || (s.size() == 3 && s[2] == 1)) return {data, d(0), d(1), 1, 1, device};
  PURESCOPE_REQUIRE(s.size() == 1);
  return {data, 1, d(0), 1, 1, device};
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Every difference between the file and the model, at once.
void check_keys(const Model& model, const Safetensors& file) {
  std::vector<std::string> problems;
  std::map<std::string, const ParamInfo*> known;
  for (const ParamInfo& info : model.params) {
    known[info.key] = &info;
    const TensorInfo* tensor = file.find(info.key);
    if (!tensor) problems.push_back("missing " + info.key + " " + shape_text(info.shape));
    else if (tensor->shape != info.shape)
      problems.push_back(info.key + " has shape " + shape_text(tensor->shape) + ", expected " + shape_text(info.shape));
    else if (tensor->dtype != Dtype::F32 && tensor->dtype != Dtype::F64 && tensor->dtype != Dtype::F16 && tensor->dtype != Dtype::BF16)
      problems.push_back(info.key + " does not hold floating-point values");
  }
  for (const TensorInfo& tensor : file.tensors()) {
    bool ignored = known.count(tensor.name) > 0;
    for (const std::string& suffix : model.ignored_suffixes) ignored = ignored || ends_with(tensor.name, suffix);
    if (!ignored) problems.push_back("unexpected " + tensor.name + " " + shape_text(tensor.shape));
  }
  if (problems.empty()) return;
  std::ostringstream text;
  text << "weights do not fit " << model.arch << ": " << problems.size() << " problem" << (problems.size() > 1 ? "s" : "");
  for (size_t i = 0; i < problems.size() && i < 40; ++i) text << "\n    " << problems[i];
  if (problems.size() > 40) text << "\n    ... and " << problems.size() - 40 << " more";
  fail(kBadInput, text.str(), file.path(), "name the right architecture with --arch (or --purifier-arch, --classifier-arch); `purescope inspect` lists the file");
}

}  // namespace

Params::Params(const Model& model, Device device) : device_(device) {
  size_t total = 0;
  for (const ParamInfo& info : model.params) total += (info.count() + 15) / 16 * 16;
  memory_ = Buffer(total, device);
  real* at = memory_.data();
  for (const ParamInfo& info : model.params) {
    views_.push_back(parameter_view(info, at, device));
    at += (info.count() + 15) / 16 * 16;
  }
  fill_zero();
}

std::shared_ptr<Params> Params::load(const Model& model, const std::string& path, bool own_memory) {
  auto file = std::make_shared<Safetensors>(path);
  check_keys(model, *file);
  bool in_place = sizeof(real) == sizeof(float) && !own_memory && current_device() == Device::Cpu;
  for (const ParamInfo& info : model.params) {
    const TensorInfo* t = file->find(info.key);
    if (t->dtype != Dtype::F32 || reinterpret_cast<uintptr_t>(file->data(*t)) % alignof(real)) in_place = false;
  }
  std::shared_ptr<Params> params(in_place ? new Params() : new Params(model));
  params->metadata_ = file->metadata();
  for (size_t i = 0; i < model.params.size(); ++i) {
    const TensorInfo* t = file->find(model.params[i].key);
    if (in_place) {
      // The mapping is read-only; so is every use of a parameter outside training, which asks for memory of its own.
      params->views_.push_back(parameter_view(model.params[i], static_cast<real*>(const_cast<void*>(file->data(*t)))));
      params->mapped_ += t->end - t->begin;
    } else {
      const Mirror host(params->views_[i], Device::Cpu, Mirror::Load::No);
      file->read(*t, host.data());
      host.store();
      file->forget(*t);   // a large file and its copy are never in memory together
    }
  }
  if (in_place) params->file_ = file;
  if (!own_memory) params->freeze();
  return params;
}

void Params::fill_zero() { device_fill_zero(device_, memory_.data(), memory_.size() * sizeof(real)); }

const real* Params::filters(int index, const Conv2d& s, bool flipped) {
  if (!frozen_) return nullptr;
  const auto key = std::make_tuple(index, s.algorithm, flipped);
  const auto known = filters_.find(key);
  if (known != filters_.end()) return known->second.data();
  const size_t bytes = winograd_filter_size(s, flipped) * sizeof(real);
  const size_t machine = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (filter_bytes_ + bytes > machine / 4) return nullptr;
  filter_bytes_ += bytes;
  Buffer& made = filters_[key] = Buffer(bytes / sizeof(real), Device::Cpu);
  winograd_filters(s, view(index), flipped, made.data());
  return made.data();
}

std::string Params::sha256() const {
  Sha256 sha;
  for (const View& v : views_) {
    const Mirror host(v);
    for (size_t i = 0; i < v.size(); ++i) {
      const float value = static_cast<float>(host.data()[i]);
      sha.update(&value, sizeof value);
    }
  }
  return sha.hex();
}

void save_params(const Params& params, const Model& model, const std::string& path, const std::map<std::string, std::string>& metadata) {
  std::vector<std::vector<float>> rounded(model.params.size());
  std::vector<TensorOut> tensors;
  for (size_t i = 0; i < model.params.size(); ++i) {
    const Mirror host(params.view(static_cast<int>(i)));
    rounded[i].assign(host.data(), host.data() + host.view().size());
    tensors.push_back({model.params[i].key, Dtype::F32, model.params[i].shape, rounded[i].data()});
  }
  write_safetensors(path, tensors, metadata);
}

float formula_value(const std::string& key, uint64_t index, double shift, double scale) {
  const double v = static_cast<double>(mix(fnv1a(key) + index) >> 40) * 0x1p-23 - 1;
  return static_cast<float>(shift + scale * v);
}

void fill_by_formula(Params& params, const Model& model) {
  for (size_t p = 0; p < model.params.size(); ++p) {
    const ParamInfo& info = model.params[p];
    double shift = 0, scale = 0.02;
    if (info.shape.size() >= 2) scale = std::sqrt(3.0 / (info.count() / info.shape[0]));
    else if (ends_with(info.key, "running_mean")) scale = 0.1;
    else if (ends_with(info.key, "running_var")) { shift = 1; scale = 0.5; }
    else if (ends_with(info.key, "weight")) { shift = 1; scale = 0.1; }
    const Mirror host(params.view(static_cast<int>(p)), Device::Cpu, Mirror::Load::No);
    for (size_t i = 0; i < host.view().size(); ++i) host.data()[i] = formula_value(info.key, i, shift, scale);
    host.store();
  }
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
