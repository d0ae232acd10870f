// Constants, clamping, and what is done to training images.
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

void augment_forward(const Augmentation* how, View x, View y) {
  parallel_for(x.n, [&](int n) {
    const Augmentation& a = how[n];
    for (int c = 0; c < x.c; ++c)
      for (int row = 0; row < x.h; ++row)
        for (int col = 0; col < x.w; ++col) {
          const int from_row = row + a.down, from_col = (a.flip ? x.w - 1 - col : col) + a.right;
          const bool inside = from_row >= 0 && from_row < x.h && from_col >= 0 && from_col < x.w;
          y.plane(n, c)[row * x.w + col] = inside ? x.plane(n, c)[from_row * x.w + from_col] : 0;
        }
  });
}

void add_noise_forward(const double* sigma, View z, View x) {
  parallel_for(x.n, [&](int n) {
    for (size_t i = 0; i < x.image_size(); ++i) x.image(n)[i] += static_cast<real>(sigma[n] * z.image(n)[i]);
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
