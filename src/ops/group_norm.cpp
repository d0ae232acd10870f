// Group normalisation. Statistics in double, in the order of memory.
//   xh = (x - mean) * r,  r = 1 / sqrt(var + eps),  y = xh * weight_c + bias_c
//   g = dy * weight_c,  dx = r * (g - mean(g) - xh * mean(g * xh)),  means over the group
// With silu y becomes silu(y), and before all else dy becomes dy * silu'(y), y computed again from x and the statistics.
#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/normalise.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

real* scratch(size_t count) { return static_cast<real*>(thread_scratch(count * sizeof(real))); }

}  // namespace

namespace cpu {

void group_norm_forward(const GroupNorm& s, View x, View weight, View bias, View y, View saved) {
  PURESCOPE_REQUIRE(x.c == s.channels && x.c % s.groups == 0);
  const int per_group = x.c / s.groups;
  const size_t pixels = static_cast<size_t>(x.h) * x.w, count = per_group * pixels;
  parallel_for(x.n * s.groups, [&](int task) {
    const int n = task / s.groups, group = task % s.groups;
    const real* from = x.plane(n, group * per_group);
    const accum mean = moments(from, count, 0).a / count;
    const accum r = 1 / std::sqrt(moments(from, count, mean).b / count + s.eps);
    real* keep = saved.image(n) + 2 * group;
    keep[0] = static_cast<real>(mean);
    keep[1] = static_cast<real>(r);
    for (int c = group * per_group; c < (group + 1) * per_group; ++c)
      (s.silu ? affine_silu : affine)(x.plane(n, c), pixels, keep[0], keep[1] * weight.data[c], bias.data[c], y.plane(n, c));
  });
}

void group_norm_backward(const GroupNorm& s, View x, View weight, View bias, View saved, View dy, View dx, View dweight, View dbias) {
  const int per_group = x.c / s.groups;
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  // One task per group over all images, so that dweight and dbias are added in image order; without them, one task per image too.
  const bool params = !dweight.empty() || !dbias.empty();
  auto one = [&](int n, int group) {
    const real *keep = saved.image(n) + 2 * group;
    const int first = group * per_group;
    // The cotangent of the norm itself: dy, or with silu a picture made where dx will be.
    real* made = !s.silu ? nullptr : dx.empty() ? scratch(per_group * pixels) : dx.plane(n, first);
    const auto cotangent = [&](int c) -> const real* { return made ? made + (c - first) * pixels : dy.plane(n, c); };
    accum mean_g = 0, mean_gx = 0;
    for (int c = first; c < first + per_group; ++c) {
      if (made)
        affine_silu_gradient(dy.plane(n, c), x.plane(n, c), pixels, keep[0], keep[1] * weight.data[c], bias.data[c], made + (c - first) * pixels);
      const Sums sums = gradient_sums(cotangent(c), x.plane(n, c), pixels, keep[0], keep[1]);
      mean_g += weight.data[c] * sums.a;
      mean_gx += weight.data[c] * sums.b;
      if (!dbias.empty()) dbias.data[c] += static_cast<real>(sums.a);
      if (!dweight.empty()) dweight.data[c] += static_cast<real>(sums.b);
    }
    if (dx.empty()) return;
    const accum count = static_cast<accum>(per_group) * pixels, r = keep[1];
    const real b = static_cast<real>(r * mean_g / count), c1 = static_cast<real>(r * r * mean_gx / count);
    for (int c = first; c < first + per_group; ++c)
      affine_gradient(cotangent(c), x.plane(n, c), pixels, keep[1] * weight.data[c], b, keep[0], c1, dx.plane(n, c));
  };
  if (params)
    parallel_for(s.groups, [&](int group) { for (int n = 0; n < x.n; ++n) one(n, group); });
  else
    parallel_for(x.n * s.groups, [&](int task) { one(task / s.groups, task % s.groups); });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
