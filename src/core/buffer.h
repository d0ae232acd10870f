// A Buffer owns memory for reals; Views look into it. 64-byte aligned.
#pragma once
#include <cstddef>
#include <memory>

#include "core/view.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t count);                             // uninitialised (NaN in debug builds)
  Buffer(int n, int c, int h, int w) : Buffer(static_cast<size_t>(n) * c * h * w) { shape_ = {nullptr, n, c, h, w}; }
  real* data() const { return data_.get(); }
  size_t size() const { return size_; }
  // The whole buffer with the shape it was made with.
  View view() const { View v = shape_; v.data = data(); return v; }

 private:
  struct Free { void operator()(real* p) const; };
  std::unique_ptr<real[], Free> data_;
  size_t size_ = 0;
  View shape_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
