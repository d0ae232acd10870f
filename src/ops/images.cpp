// Constants, clamping, and the noising of training images.
#include <algorithm>

#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace cpu {

void fill_forward(double value, View y) { std::fill_n(y.data, y.size(), static_cast<real>(value)); }

void clamp_forward(double low, double high, View x, View y) {
  const real least = static_cast<real>(low), most = static_cast<real>(high);
  parallel_for(x.n, [&](int n) {
    for (size_t i = 0; i < x.image_size(); ++i) y.image(n)[i] = std::clamp(x.image(n)[i], least, most);
  });
}

void noising_forward(const double* a, const double* b, View x, View z, View y) {
  parallel_for(x.n, [&](int n) {
    for (size_t i = 0; i < x.image_size(); ++i)
      y.image(n)[i] = static_cast<real>(a[n] * (2 * x.image(n)[i] - 1) + b[n] * z.image(n)[i]);
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
