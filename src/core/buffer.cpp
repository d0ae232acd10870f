#include "core/buffer.h"

#include <limits>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void Buffer::Free::operator()(real* p) const { device_free(device, p); }

Buffer::Buffer(size_t count, Device device)
    : data_(static_cast<real*>(device_allocate(device, count * sizeof(real))), Free(device)), size_(count) {
#ifdef PURESCOPE_DEBUG
  const std::vector<real> nan(count, std::numeric_limits<real>::quiet_NaN());
  device_copy(device, data_.get(), Device::Cpu, nan.data(), count * sizeof(real));
#endif
}

void transfer(View from, View to) {
  PURESCOPE_REQUIRE(from.size() == to.size());
  device_copy(to.device, to.data, from.device, from.data, from.size() * sizeof(real));
}

std::vector<real> to_host(View v) {
  std::vector<real> values(v.size());
  device_copy(Device::Cpu, values.data(), v.device, v.data, v.size() * sizeof(real));
  return values;
}

void from_host(const real* values, View v) { device_copy(v.device, v.data, Device::Cpu, values, v.size() * sizeof(real)); }

Buffer on_device(Buffer host) {
  if (current_device() == host.device()) return host;
  const View from = host.view();
  Buffer copy(from.n, from.c, from.h, from.w);
  transfer(from, copy.view());
  return copy;
}

Mirror::Mirror(View v, Device device, Load load) : original_(v), view_(v) {
  if (v.device == device || v.empty()) return;
  copy_ = Buffer(v.n, v.c, v.h, v.w, device);
  view_ = copy_.view();
  if (load == Load::Yes) transfer(original_, view_);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
