// The updates of a training step: one thread per value of a parameter.
#include "cuda/launch.h"
#include "ops/ops.h"

#include <cmath>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {
namespace {

__global__ void adam_kernel(size_t count, real beta1, real beta2, real scale, real step_size, real root_scale, real eps, real decay,
                            const real* g, real* m, real* v, real* p) {
  const size_t i = element();
  if (i >= count) return;
  const real gradient = g[i] * scale;
  m[i] = beta1 * m[i] + (1 - beta1) * gradient;
  v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
  p[i] -= step_size * m[i] / (std::sqrt(v[i]) * root_scale + eps) + decay * p[i];
}

__global__ void average_kernel(size_t count, real keep, const real* p, real* average) {
  const size_t i = element();
  if (i < count) average[i] = keep * average[i] + (1 - keep) * p[i];
}

}  // namespace

void adam_update(const Adam& s, View g, View m, View v, View p) {
  PURESCOPE_LAUNCH(adam_kernel, blocks_of(p.size()), kThreads, 0)
  (p.size(), static_cast<real>(s.beta1), static_cast<real>(s.beta2), static_cast<real>(s.scale), static_cast<real>(s.step_size),
   static_cast<real>(s.root_scale), static_cast<real>(s.eps), static_cast<real>(s.decay), g.data, m.data, v.data, p.data);
}

void average_update(double keep, View p, View average) {
  PURESCOPE_LAUNCH(average_kernel, blocks_of(p.size()), kThreads, 0)(p.size(), static_cast<real>(keep), p.data, average.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
