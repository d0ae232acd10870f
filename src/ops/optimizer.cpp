// The updates of a training step, one parameter at a time.
#include "core/simd.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

PURESCOPE_CLONES
void adam_values(size_t count, real beta1, real beta2, real scale, real step_size, real root_scale, real eps, real decay, const real* g,
                 real* m, real* v, real* p) {
  for (size_t i = 0; i < count; ++i) {
    const real gradient = g[i] * scale;
    m[i] = beta1 * m[i] + (1 - beta1) * gradient;
    v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
    p[i] -= step_size * m[i] / (__builtin_sqrt(v[i]) * root_scale + eps) + decay * p[i];
  }
}

}  // namespace

namespace cpu {

void adam_update(const Adam& s, View g, View m, View v, View p) {
  adam_values(p.size(), static_cast<real>(s.beta1), static_cast<real>(s.beta2), static_cast<real>(s.scale), static_cast<real>(s.step_size),
              static_cast<real>(s.root_scale), static_cast<real>(s.eps), static_cast<real>(s.decay), g.data, m.data, v.data, p.data);
}

void average_update(double keep, View p, View average) {
  const real kept = static_cast<real>(keep), take = 1 - kept;
  for (size_t i = 0; i < p.size(); ++i) average.data[i] = kept * average.data[i] + take * p.data[i];
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
