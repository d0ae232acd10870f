// y = W x + b, one image at a time (the batch is never a GEMM dimension).
#include "core/check.h"
#include "core/parallel.h"
#include "ops/gemm.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace cpu {

void linear_forward(const Linear& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.image_size() == static_cast<size_t>(s.in) && y.image_size() == static_cast<size_t>(s.out));
  parallel_for(x.n, [&](int n) {
    real* out = y.image(n);
    for (int o = 0; o < s.out; ++o) out[o] = bias.empty() ? 0 : bias.data[o];
    gemm(false, false, s.out, 1, s.in, 1, weight.data, s.in, x.image(n), 1, 1, out, 1);
  });
}

void linear_backward(const Linear& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  if (!dx.empty())
    parallel_for(dx.n, [&](int n) { gemm(true, false, s.in, 1, s.out, 1, weight.data, s.in, dy.image(n), 1, 0, dx.image(n), 1); });
  if (!dweight.empty())
    for (int n = 0; n < x.n; ++n) gemm(false, false, s.out, s.in, 1, 1, dy.image(n), 1, x.image(n), s.in, 1, dweight.data, s.in);
  if (!dbias.empty())
    for (int n = 0; n < dy.n; ++n)
      for (int o = 0; o < s.out; ++o) dbias.data[o] += dy.image(n)[o];
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
