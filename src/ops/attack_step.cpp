// The update of projected gradient descent: step, project, clamp, in this order, as foolbox 3.3 does; random starts.
#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

real clamp01(real v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

}  // namespace

namespace cpu {

void linf_step(View x0, View g, View step, View eps, View x) {
  parallel_for(x.n, [&](int n) {
    const real a = step.data[n], e = eps.data[n], *base = x0.image(n), *gi = g.image(n);
    real* xi = x.image(n);
    for (size_t i = 0; i < x.image_size(); ++i) {
      const real sign = gi[i] > 0 ? 1 : gi[i] < 0 ? -1 : gi[i];  // sign(0) = 0, NaN stays NaN
      const real d = xi[i] + a * sign - base[i];
      xi[i] = clamp01(base[i] + (d < -e ? -e : d > e ? e : d));
    }
  });
}

void l2_step(View x0, View g, View step, View eps, View x) {
  parallel_for(x.n, [&](int n) {
    const real *base = x0.image(n), *gi = g.image(n);
    real* xi = x.image(n);
    const size_t size = x.image_size();
    accum square = 0;
    for (size_t i = 0; i < size; ++i) square += static_cast<accum>(gi[i]) * gi[i];
    const real a = static_cast<real>(step.data[n] / std::max(std::sqrt(square), 1e-12));
    square = 0;
    for (size_t i = 0; i < size; ++i) {
      xi[i] += a * gi[i];
      const accum d = xi[i] - base[i];
      square += d * d;
    }
    const real shrink = static_cast<real>(std::min(1.0, eps.data[n] / std::max(std::sqrt(square), 1e-12)));
    for (size_t i = 0; i < size; ++i) xi[i] = clamp01(base[i] + (xi[i] - base[i]) * shrink);
  });
}

void linf_start(const double* eps, View x0, View u, View x) {
  parallel_for(x.n, [&](int n) {
    const float high = static_cast<float>(eps[n]), width = high - (-high);
    for (size_t i = 0; i < x.image_size(); ++i) {
      const float product = static_cast<float>(u.image(n)[i]) * width, offset = product + (-high);
      x.image(n)[i] = clamp01(x0.image(n)[i] + offset);
    }
  });
}

void l2_start(const double* eps, View x0, View z, View x) {
  parallel_for(x.n, [&](int n) {
    accum square = 0;
    for (size_t i = 0; i < z.image_size(); ++i) square += static_cast<accum>(z.image(n)[i]) * z.image(n)[i];
    const double scale = eps[n] / std::sqrt(square);
    for (size_t i = 0; i < x.image_size(); ++i)
      x.image(n)[i] = clamp01(x0.image(n)[i] + static_cast<float>(scale * z.image(n)[i]));
  });
}

void signed_uniform_forward(double eps, View u, View y) {
  parallel_for(y.n, [&](int n) {
    for (size_t i = 0; i < y.image_size(); ++i) y.image(n)[i] = static_cast<real>((2.0 * u.image(n)[i] - 1) * eps);
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
