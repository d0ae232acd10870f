// What host loops decide on: one number per image, the sums of a gradient, the loss of a regression. In double, in the order of memory.
#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace cpu {

void first_maximum(View x, int* index) {
  for (int n = 0; n < x.n; ++n) {
    const real* xi = x.image(n);
    int best = 0;
    for (int i = 0; i < static_cast<int>(x.image_size()); ++i) {
      if (!std::isfinite(xi[i])) { best = -1; break; }
      if (xi[i] > xi[best]) best = i;
    }
    index[n] = best;
  }
}

void count_values(View x, size_t* zeros, size_t* not_finite) {
  parallel_for(x.n, [&](int n) {
    zeros[n] = not_finite[n] = 0;
    for (size_t i = 0; i < x.image_size(); ++i) {
      zeros[n] += x.image(n)[i] == 0;
      not_finite[n] += !std::isfinite(x.image(n)[i]);
    }
  });
}

void distances(View a, View b, double* l2, double* linf) {
  parallel_for(a.n, [&](int n) {
    accum square = 0, largest = 0;
    for (size_t i = 0; i < a.image_size(); ++i) {
      const accum d = static_cast<accum>(a.image(n)[i]) - b.image(n)[i];
      square += d * d;
      largest = std::max(largest, std::abs(d));
    }
    if (l2) l2[n] = std::sqrt(square);
    if (linf) linf[n] = largest;
  });
}

void square_sums(const View* x, int count, double* sums) {
  parallel_for(count, [&](int k) {
    accum sum = 0;
    for (size_t i = 0; i < x[k].size(); ++i) sum += static_cast<accum>(x[k].data[i]) * x[k].data[i];
    sums[k] = sum;
  });
}

void squared_error(View x, View target, double scale, View dx, double* sum) {
  *sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const accum d = x.data[i] - target.data[i];
    *sum += d * d;
    if (!dx.empty()) dx.data[i] = static_cast<real>(scale * d);
  }
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
