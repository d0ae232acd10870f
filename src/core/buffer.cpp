#include "core/buffer.h"

#include <cstdlib>
#include <limits>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void Buffer::Free::operator()(real* p) const { std::free(p); }

Buffer::Buffer(size_t count) : size_(count) {
  const size_t bytes = (count * sizeof(real) + 63) / 64 * 64;
  data_.reset(static_cast<real*>(std::aligned_alloc(64, bytes ? bytes : 64)));
  if (!data_)
    fail(kUnavailable, "out of memory: cannot allocate " + std::to_string(bytes >> 20) + " MiB", "",
         "use a smaller --batch, or --memory min");
#ifdef PURESCOPE_DEBUG
  for (size_t i = 0; i < count; ++i) data_[i] = std::numeric_limits<real>::quiet_NaN();
#endif
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
