// Makes a device the current one for the length of a test; networks and buffers made meanwhile live there.
#pragma once
#include "core/current_device.h"

namespace purescope {

struct OnDevice {
  explicit OnDevice(Device device) : before(current_device()) { set_current_device({device, 0}); }
  ~OnDevice() { set_current_device({before, 0}); }
  OnDevice(const OnDevice&) = delete;
  Device before;
};

}  // namespace purescope
