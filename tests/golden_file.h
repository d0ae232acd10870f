// What tests of networks and chains share: golden files (tests/golden/README.md), reference files
// (PURESCOPE_REFERENCE_DIR), values of Views as vectors, networks with weights from the formula, and bars for float.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "compare.h"
#include "core/check.h"
#include "io/safetensors.h"
#include "models/zoo.h"
#include "net/net.h"
#include "test_paths.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

constexpr bool kDouble = sizeof(real) == 8;

inline std::string golden_path(const std::string& name) {
  return std::string(PURESCOPE_TEST_DIR) + "/golden/" + name + ".safetensors";
}

// Path of a reference file; empty where PURESCOPE_REFERENCE_DIR is not set.
inline std::string reference_path(const std::string& name) {
  const char* dir = std::getenv("PURESCOPE_REFERENCE_DIR");
  return dir && *dir ? std::string(dir) + "/" + name : "";
}
#define PURESCOPE_NEEDS_REFERENCE() \
  do { if (reference_path("x").empty()) GTEST_SKIP() << "PURESCOPE_REFERENCE_DIR is not set"; } while (0)
#define PURESCOPE_NEEDS_DOUBLE() \
  do { if (!kDouble) GTEST_SKIP() << "finite differences need the double build"; } while (0)

inline std::vector<double> tensor(const Safetensors& file, const std::string& name) {
  const TensorInfo* info = file.find(name);
  if (!info) fail(kBadInput, "no tensor " + name, file.path(), "make the golden files again");
  std::vector<double> values(info->count());
  file.read(*info, values.data());
  return values;
}

inline std::vector<int> integers(const std::vector<double>& values) { return {values.begin(), values.end()}; }

// Tests never touch the memory of a View: it may lie on a device (PURESCOPE_DEVICE).
inline std::vector<real> values_of(View v) { return to_host(v); }
inline std::vector<real> values_of(const Buffer& b) { return to_host(b.view()); }
inline real value_at(View v, size_t i) { return values_of(v).at(i); }

template <class T>
void store(const std::vector<T>& values, View v) {
  PURESCOPE_REQUIRE(v.size() == values.size());
  const std::vector<real> rounded(values.begin(), values.end());
  from_host(rounded.data(), v);
}

inline void set_value(View v, size_t i, double value) {
  std::vector<real> values = values_of(v);
  values.at(i) = static_cast<real>(value);
  store(values, v);
}

// A buffer on the current device with one value everywhere.
inline Buffer filled(int n, int c, int h, int w, double value) {
  Buffer b(n, c, h, w);
  store(std::vector<double>(b.size(), value), b.view());
  return b;
}

// Pseudo-random values in [-1, 1) from a name: another name is another direction.
inline std::vector<double> direction(const std::string& name, size_t count, double shift = 0, double scale = 1) {
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = formula_value(name, i, shift, scale);
  return values;
}

inline double norm(const std::vector<double>& v) {
  double square = 0;
  for (double x : v) square += x * x;
  return std::sqrt(square);
}

// Weights from the formula of params.h, and a network with them.
inline std::shared_ptr<Params> formula_params(const Model& model) {
  auto params = std::make_shared<Params>(model);
  fill_by_formula(*params, model);
  return params;
}
inline Net formula_net(const Model& model) { return Net(model, formula_params(model)); }
inline Net formula_net(const std::string& arch) { return formula_net(make_model(arch)); }

// Times 3, 40, 77, ... by image. The time's memory is lent to other values: it must be written before every forward().
inline void fill_times(Net& net, int first_image = 0) {
  if (net.model().time < 0) return;
  std::vector<double> times;
  for (int n = 0; n < net.batch(); ++n) times.push_back(3 + 37 * (first_image + n));
  store(times, net.time());
}

// Writes an input and a time that depend on the image alone.
inline void fill_inputs(Net& net, int first_image = 0) {
  fill_times(net, first_image);
  const View x = net.input();
  for (int n = 0; n < x.n; ++n) {
    const auto image = direction("image " + std::to_string(first_image + n), x.image_size(),
                                 net.model().time < 0 ? 0.5 : 0, net.model().time < 0 ? 0.5 : 1.7);
    store(image, x.images(n, 1));
  }
}

// Cotangent that depends on the image alone.
inline void fill_cotangent(Net& net, int first_image = 0) {
  const View d = net.output_grad();
  for (int n = 0; n < d.n; ++n) {
    const auto image = direction("cotangent " + std::to_string(first_image + n), d.image_size());
    store(image, d.images(n, 1));
  }
}

// PyTorch's own relative l2 error of float32 against float64 that the bars of the float build start from: the largest
// of several runs on the original networks. A ReLU that changes sign moves the input gradient of a classifier far more
// than rounding does.
constexpr double kOutError = 1e-6, kInputGradError = 2e-6, kParamGradError = 6e-6, kReluGradError = 2.2e-4;

// Double: two implementations agree to 1e-13, 1e-9 leaves room for other orders of summation. Float: five times the
// larger of PyTorch's usual error and its error on this very tensor.
inline double bar(double usual, const std::vector<double>& f32 = {}, const std::vector<double>& f64 = {}) {
  if (kDouble) return 1e-9;
  double own = 0;
  if (!f32.empty()) own = compare_l2(f32.data(), f64.data(), f64.size(), 1).worst;
  return 5 * std::max(usual, own);
}

// Compares a View with NAME.f64 of a file, with the bar of NAME.f32 where the file has it.
inline Comparison against(View v, const Safetensors& file, const std::string& name, double usual) {
  const std::vector<double> expected = tensor(file, name + ".f64");
  Comparison r;
  if (v.size() != expected.size()) { r.message = name + ": sizes differ"; return r; }
  const std::vector<double> rounded = file.find(name + ".f32") ? tensor(file, name + ".f32") : std::vector<double>();
  r = compare_l2(values_of(v).data(), expected.data(), expected.size(), bar(usual, rounded, rounded.empty() ? rounded : expected));
  r.message = name + ": " + r.message;
  return r;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
