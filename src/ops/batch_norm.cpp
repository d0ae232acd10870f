// Batch normalisation: with running statistics (eval: a fixed affine map per channel) or with the statistics of the batch (training).
#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "ops/normalise.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

PURESCOPE_CLONES
void scale(const real* dy, size_t count, real factor, real* dx) {
  for (size_t i = 0; i < count; ++i) dx[i] = dy[i] * factor;
}

// mean and 1 / sqrt(var + eps) of channel c over the batch, images in order; var is the biased variance.
void batch_statistics(View x, int c, double eps, accum& mean, accum& var, accum& r) {
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  const accum count = static_cast<accum>(x.n) * pixels;
  accum sum = 0, square = 0;
  for (int n = 0; n < x.n; ++n) sum += moments(x.plane(n, c), pixels, 0).a;
  mean = sum / count;
  for (int n = 0; n < x.n; ++n) square += moments(x.plane(n, c), pixels, mean).b;
  var = square / count;
  r = 1 / std::sqrt(var + eps);
}

}  // namespace

namespace cpu {

void batch_norm_forward(const BatchNorm& s, View x, View weight, View bias, View running_mean, View running_var, View y, View saved) {
  PURESCOPE_REQUIRE(x.c == s.channels);
  const size_t pixels = static_cast<size_t>(x.h) * x.w;
  if (!s.training) {
    parallel_for(x.n, [&](int n) {
      for (int c = 0; c < x.c; ++c) {
        const real r = static_cast<real>(1 / std::sqrt(static_cast<accum>(running_var.data[c]) + s.eps));
        affine(x.plane(n, c), pixels, running_mean.data[c], weight.data[c] * r, bias.data[c], y.plane(n, c));
      }
    });
    return;
  }
  parallel_for(x.c, [&](int c) {
    accum mean, var, r;
    batch_statistics(x, c, s.eps, mean, var, r);
    saved.data[2 * c] = static_cast<real>(mean);
    saved.data[2 * c + 1] = static_cast<real>(r);
    for (int n = 0; n < x.n; ++n)
      affine(x.plane(n, c), pixels, saved.data[2 * c], saved.data[2 * c + 1] * weight.data[c], bias.data[c], y.plane(n, c));
    const accum count = static_cast<accum>(x.n) * pixels, unbiased = count > 1 ? var * count / (count - 1) : var;
    running_mean.data[c] = static_cast<real>((1 - s.momentum) * running_mean.data[c] + s.momentum * mean);
    running_var.data[c] = static_cast<real>((1 - s.momentum) * running_var.data[c] + s.momentum * unbiased);
  });
}

void batch_norm_backward(const BatchNorm& s, View x, View weight, View running_mean, View running_var, View saved, View dy, View dx,
                         View dweight, View dbias) {
  const size_t pixels = static_cast<size_t>(dy.h) * dy.w;
  const bool params = !dweight.empty() || !dbias.empty();
  if (!s.training && !dx.empty())
    parallel_for(dy.n, [&](int n) {
      for (int c = 0; c < dy.c; ++c)
        scale(dy.plane(n, c), pixels, weight.data[c] * static_cast<real>(1 / std::sqrt(static_cast<accum>(running_var.data[c]) + s.eps)), dx.plane(n, c));
    });
  if (!s.training && !params) return;
  parallel_for(dy.c, [&](int c) {
    const accum mean = s.training ? saved.data[2 * c] : running_mean.data[c];
    const accum r = s.training ? saved.data[2 * c + 1] : 1 / std::sqrt(static_cast<accum>(running_var.data[c]) + s.eps);
    accum sum = 0, dot = 0;  // sum dy, sum dy * xh, images in order; without x the second is not needed
    for (int n = 0; n < dy.n; ++n) {
      const Sums sums = gradient_sums(dy.plane(n, c), (x.empty() ? dy : x).plane(n, c), pixels, mean, r);
      sum += sums.a;
      dot += sums.b;
    }
    if (!dweight.empty()) dweight.data[c] += static_cast<real>(dot);
    if (!dbias.empty()) dbias.data[c] += static_cast<real>(sum);
    if (!s.training || dx.empty()) return;
    const accum count = static_cast<accum>(dy.n) * pixels, factor = weight.data[c] * r;
    const real a = static_cast<real>(factor), b = static_cast<real>(factor * sum / count), k = static_cast<real>(factor * r * dot / count);
    for (int n = 0; n < dy.n; ++n)
      affine_gradient(dy.plane(n, c), x.plane(n, c), pixels, a, b, static_cast<real>(mean), k, dx.plane(n, c));
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
