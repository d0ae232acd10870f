// One reverse diffusion step, given the network's eps, and its derivative.
#include <algorithm>

#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// exp(logvar / 2), logvar = f log_max + (1 - f) log_min, f = (v + 1) / 2.
real sigma(const ReverseStep& s, real v) {
  const accum f = (static_cast<accum>(v) + 1) / 2;
  return static_cast<real>(std::exp((f * s.log_max + (1 - f) * s.log_min) / 2));
}

}  // namespace

namespace cpu {

void reverse_step_forward(const ReverseStep& s, View x, View eps, View z, View y) {
  const real a = static_cast<real>(s.to_x0), b = static_cast<real>(s.from_eps), p = static_cast<real>(s.p), q = static_cast<real>(s.q),
             r = static_cast<real>(s.r), noise = static_cast<real>(s.s);
  parallel_for(x.n, [&](int n) {
    const real *xi = x.image(n), *ei = eps.image(n), *zi = z.empty() ? nullptr : z.image(n);
    real* yi = y.image(n);
    for (size_t i = 0; i < x.image_size(); ++i) {
      real x0 = a * xi[i] - b * ei[i];
      if (s.clip) x0 = x0 < -1 ? -1 : x0 > 1 ? 1 : x0;  // NaN stays NaN
      real v = p * x0 + q * xi[i] + r * ei[i];
      if (zi) v += noise * zi[i];
      yi[i] = v;
    }
  });
}

void reverse_step_backward(const ReverseStep& s, View x, View eps, View dy, View dx, View deps) {
  const real a = static_cast<real>(s.to_x0), b = static_cast<real>(s.from_eps), p = static_cast<real>(s.p), q = static_cast<real>(s.q),
             r = static_cast<real>(s.r);
  const bool mask = s.clip && !s.straight_through;
  parallel_for(x.n, [&](int n) {
    for (size_t i = 0; i < x.image_size(); ++i) {
      const real x0 = a * x.image(n)[i] - b * eps.image(n)[i], d = dy.image(n)[i];
      const real g = mask && (x0 < -1 || x0 > 1) ? 0 : p * d;
      if (!dx.empty()) dx.image(n)[i] = q * d + a * g;
      if (!deps.empty()) deps.image(n)[i] = r * d - b * g;
    }
  });
}

void learned_noise_forward(const ReverseStep& s, View x, View v, View z, View y) {
  PURESCOPE_REQUIRE(same_shape(x, v) && same_shape(x, z) && same_shape(x, y));
  parallel_for(x.n, [&](int n) {
    const real *xi = x.image(n), *vi = v.image(n), *zi = z.image(n);
    real* yi = y.image(n);
    for (size_t i = 0; i < x.image_size(); ++i) yi[i] = xi[i] + sigma(s, vi[i]) * zi[i];
  });
}

void learned_noise_backward(const ReverseStep& s, View v, View z, View dy, View dv) {
  const real slope = static_cast<real>((s.log_max - s.log_min) / 4);  // d(logvar / 2) / dv
  parallel_for(v.n, [&](int n) {
    for (size_t i = 0; i < v.image_size(); ++i)
      dv.image(n)[i] = dy.image(n)[i] * z.image(n)[i] * (slope * sigma(s, v.image(n)[i]));
  });
}

void affine_forward(double a, View x, double b, View z, double c, View y) {
  const real scale = static_cast<real>(a), noise = static_cast<real>(b), offset = static_cast<real>(c);
  parallel_for(x.n, [&](int n) {
    const real *xi = x.image(n), *zi = z.empty() ? nullptr : z.image(n);
    real* yi = y.image(n);
    for (size_t i = 0; i < x.image_size(); ++i) yi[i] = zi ? scale * xi[i] + noise * zi[i] + offset : scale * xi[i] + offset;
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
