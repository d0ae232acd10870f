// A View looks at a tensor that somebody else owns: n images, c channels, h rows, w columns, dense, NCHW.
#pragma once
#include <cstddef>

#include "core/device.h"
#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct View {
  real* data = nullptr;
  int n = 0, c = 0, h = 1, w = 1;
  Device device = Device::Cpu;

  size_t image_size() const { return static_cast<size_t>(c) * h * w; }  // values in one image
  size_t size() const { return n * image_size(); }
  bool empty() const { return data == nullptr; }
  real* image(int i) const { return data + i * image_size(); }
  real* plane(int i, int channel) const { return image(i) + static_cast<size_t>(channel) * h * w; }
  // Images [first, first + count) of this view.
  View images(int first, int count) const { return {image(first), count, c, h, w, device}; }
};

inline bool same_shape(const View& a, const View& b) { return a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w; }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
