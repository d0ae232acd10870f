#include "core/current_device.h"

#include <cstdlib>

#include "core/check.h"

namespace purescope {
namespace {

Device select(const DeviceChoice& choice) {
  std::string why;
  if (!device_available(choice.device, &why))
    fail(kUnavailable, why, "--device " + to_string(choice), "use --device cpu or --device emulated");
  device_select(choice.device, choice.ordinal);
  return choice.device;
}

Device& current() {
  static Device device = [] {
    const char* text = std::getenv("PURESCOPE_DEVICE");
    return text && *text ? select(parse_device(text)) : Device::Cpu;
  }();
  return device;
}

}  // namespace

Device current_device() { return current(); }

void set_current_device(const DeviceChoice& choice) { current() = select(choice); }

}  // namespace purescope
