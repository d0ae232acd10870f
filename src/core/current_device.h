// The one device of this process: what a Buffer, a network and its parameters use unless they are told otherwise. Chosen before any
// network is built: PURESCOPE_DEVICE is the default (cpu where it is not set), `--device` overrides it.
#pragma once
#include "core/device.h"

namespace purescope {

Device current_device();
// Exit 69 where that device is not there.
void set_current_device(const DeviceChoice& choice);

}  // namespace purescope
