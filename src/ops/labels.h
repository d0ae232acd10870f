// The labels of a batch where the device can read them: themselves on the CPU, else a copy.
#pragma once
#include "core/device.h"

namespace purescope {

class DeviceLabels {
 public:
  // `host`: `count` labels that outlive this object.
  DeviceLabels(const int* host, int count, Device device) : device_(device), data_(host) {
    if (device == Device::Cpu) return;
    copy_ = static_cast<int*>(device_allocate(device, count * sizeof(int)));
    device_copy(device, copy_, Device::Cpu, host, count * sizeof(int));
    data_ = copy_;
  }
  ~DeviceLabels() { device_free(device_, copy_); }
  DeviceLabels(const DeviceLabels&) = delete;
  DeviceLabels& operator=(const DeviceLabels&) = delete;
  const int* data() const { return data_; }

 private:
  Device device_;
  int* copy_ = nullptr;
  const int* data_;
};

}  // namespace purescope
