// Runs an OpCase on a device: arguments are copied there, between red zones, and results are copied back. The same data on the CPU gives
// what to compare with.
#pragma once
#include <functional>

#include "compare.h"
#include "core/parallel.h"
#include "ops/op_run.h"

namespace purescope {

// The emulated card always, a real one where there is one.
inline std::vector<Device> test_devices() {
  std::vector<Device> devices{Device::Emulated};
  if (device_available(Device::Cuda)) devices.push_back(Device::Cuda);
  return devices;
}

// Values on a device between two red zones of NaN.
class OnDevice {
 public:
  OnDevice(Device device, const View& shape, const Reals& values) : shape_(shape), count_(values.size()) {
    Reals all(values.size() + 2 * kZone, std::numeric_limits<real>::quiet_NaN());
    std::copy(values.begin(), values.end(), all.begin() + kZone);
    shape_.device = device;
    shape_.data = static_cast<real*>(device_allocate(device, all.size() * sizeof(real)));
    device_copy(device, shape_.data, Device::Cpu, all.data(), all.size() * sizeof(real));
    shape_.data += kZone;
  }
  OnDevice(Device device, const Array& a, int batch, const Reals& values)
      : OnDevice(device, View{nullptr, a.images(batch), a.c, a.h, a.w}, values) {}
  OnDevice(Device device, const Array& a, int batch, double fill)
      : OnDevice(device, a, batch, Reals(a.size(batch), static_cast<real>(fill))) {}
  OnDevice(OnDevice&& other) noexcept : shape_(other.shape_), count_(other.count_) { other.shape_.data = nullptr; }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() {
    if (shape_.data) device_free(shape_.device, shape_.data - kZone);
  }
  View view() const { return shape_; }
  // The values; a red zone that was written to is a failure.
  Reals values() const {
    Reals all(count_ + 2 * kZone);
    device_copy(Device::Cpu, all.data(), shape_.device, shape_.data - kZone, all.size() * sizeof(real));
    for (size_t i = 0; i < kZone; ++i)
      EXPECT_TRUE(std::isnan(all[i]) && std::isnan(all[count_ + kZone + i]))
          << "wrote outside an array, " << i << " from its edge";
    return Reals(all.begin() + kZone, all.end() - kZone);
  }

 private:
  static constexpr size_t kZone = 64;
  View shape_;
  size_t count_;
};

// As run() of op_run.h, on a device.
inline Result run_on(Device device, const OpCase& c, const Data& d, const RunOptions& options = {}) {
  std::vector<OnDevice> in, param, state, din, dparam;
  for (size_t i = 0; i < c.in.size(); ++i) in.emplace_back(device, c.in[i], d.batch, d.in[i]);
  for (size_t i = 0; i < c.param.size(); ++i) param.emplace_back(device, c.param[i], d.batch, d.param[i]);
  for (size_t i = 0; i < c.state.size(); ++i) state.emplace_back(device, c.state[i], d.batch, d.state[i]);
  for (const Array& a : c.in) din.emplace_back(device, a, d.batch, options.fill);
  for (const Array& a : c.param) dparam.emplace_back(device, a, d.batch, options.dparam);
  const OnDevice out(device, c.out, d.batch, options.fill), saved(device, c.saved, d.batch, options.fill),
      dout(device, c.out, d.batch, d.dout);
  Views v;
  v.first_image = d.first_image;
  for (const OnDevice& a : in) v.in.push_back(a.view());
  for (const OnDevice& a : param) v.param.push_back(a.view());
  for (const OnDevice& a : state) v.state.push_back(a.view());
  v.out = out.view();
  if (c.saved.c) v.saved = saved.view();
  c.forward(v);
  Result r;
  r.out = out.values();
  r.saved = saved.values();
  for (const OnDevice& a : state) r.state.push_back(a.values());
  auto wanted = [&](size_t i) { return (options.wanted >> i & 1) != 0; };
  v.dout = dout.view();
  for (size_t i = 0; i < din.size(); ++i) v.din.push_back(wanted(i) ? din[i].view() : View{});
  for (size_t i = 0; i < dparam.size(); ++i) v.dparam.push_back(wanted(din.size() + i) ? dparam[i].view() : View{});
  if (options.drop_unneeded && c.drop_unneeded) c.drop_unneeded(v);
  if (c.backward && (options.wanted & ((1u << (din.size() + dparam.size())) - 1)) != 0) {
    c.backward(v);
    for (size_t i = 0; i < din.size(); ++i) r.din.push_back(wanted(i) ? din[i].values() : Reals{});
    for (size_t i = 0; i < dparam.size(); ++i) r.dparam.push_back(wanted(din.size() + i) ? dparam[i].values() : Reals{});
  }
  for (size_t i = 0; i < in.size(); ++i) EXPECT_EQ(in[i].values(), d.in[i]) << c.name << ": changed its input " << c.in[i].name;
  for (size_t i = 0; i < param.size(); ++i)
    EXPECT_EQ(param[i].values(), d.param[i]) << c.name << ": changed its parameter " << c.param[i].name;
  return r;
}

// Calls compare(name, a, b) for every array that two runs have in common.
inline void for_each_array(const OpCase& c, const Result& a, const Result& b,
                           const std::function<void(const std::string&, const Reals&, const Reals&)>& compare) {
  compare("out", a.out, b.out);
  if (c.saved.c) compare("saved", a.saved, b.saved);
  for (size_t i = 0; i < a.state.size(); ++i) compare(c.state[i].name, a.state[i], b.state[i]);
  for (size_t i = 0; i < a.din.size() && i < b.din.size(); ++i)
    if (!a.din[i].empty() && !b.din[i].empty()) compare("d" + c.in[i].name, a.din[i], b.din[i]);
  for (size_t i = 0; i < a.dparam.size() && i < b.dparam.size(); ++i)
    if (!a.dparam[i].empty() && !b.dparam[i].empty()) compare("d" + c.param[i].name, a.dparam[i], b.dparam[i]);
}

inline bool all_zero(const Reals& v) {
  for (const real x : v)
    if (x != 0) return false;
  return true;
}

inline void expect_close(const std::string& what, const Reals& actual, const Reals& expected, double tolerance) {
  if (all_zero(expected)) {  // compare() takes no zeros for an answer
    EXPECT_TRUE(actual.size() == expected.size() && !actual.empty() && all_zero(actual)) << what;
    return;
  }
  const Comparison r = compare(actual, expected, tolerance);
  EXPECT_TRUE(r.ok) << what << ": " << r.message;
}

inline void expect_same_bits(const std::string& what, const Reals& actual, const Reals& expected) {
  EXPECT_TRUE(!actual.empty() && actual.size() == expected.size() &&
              std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(real)) == 0)
      << what << ": not the same bits";
}

}  // namespace purescope
