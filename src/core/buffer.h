// A Buffer owns memory for reals on one device; Views look into it. 64-byte aligned. Below: the ways to move values between devices.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "core/current_device.h"
#include "core/view.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t count, Device device = current_device());    // uninitialised (NaN in debug builds)
  Buffer(int n, int c, int h, int w, Device device = current_device()) : Buffer(static_cast<size_t>(n) * c * h * w, device) {
    shape_ = {nullptr, n, c, h, w, device};
  }
  real* data() const { return data_.get(); }      // the host may read it where device() is Cpu
  size_t size() const { return size_; }
  Device device() const { return data_.get_deleter().device; }
  // The whole buffer with the shape it was made with.
  View view() const { View v = shape_; v.data = data(); return v; }

 private:
  struct Free {
    Free(Device d) : device(d) {}
    Free() : device(Device::Cpu) {}
    void operator()(real* p) const;
    Device device;
  };
  std::unique_ptr<real[], Free> data_;
  size_t size_ = 0;
  View shape_;
};

// to = from, wherever both lie. The number of values must be the same, the shape need not.
void transfer(View from, View to);
// The values of a view, on the host.
std::vector<real> to_host(View v);
// v = values, which are v.size() reals on the host.
void from_host(const real* values, View v);
// A buffer of the host as one of the current device: itself on the CPU, else a copy.
Buffer on_device(Buffer host);

// The values of a view where `device` can use them: the view itself if it lies there, else a copy, which store() writes back.
class Mirror {
 public:
  enum class Load { Yes, No };                    // No: the copy starts undefined, to be overwritten
  explicit Mirror(View v, Device device = Device::Cpu, Load load = Load::Yes);
  View view() const { return view_; }
  real* data() const { return view_.data; }
  void store() const { if (view_.data != original_.data) transfer(view_, original_); }

 private:
  View original_, view_;
  Buffer copy_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
