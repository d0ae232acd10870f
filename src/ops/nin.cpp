// A pointwise convolution whose weight is stored [in, out], one matrix product per image.
#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/gemm.h"
#include "ops/normalise.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace cpu {

void nin_forward(const Linear& s, View x, View weight, View bias, View y) {
  PURESCOPE_REQUIRE(x.c == s.in && y.c == s.out && x.h == y.h && x.w == y.w);
  const int pixels = x.h * x.w;
  parallel_for(x.n, [&](int n) {
    for (int o = 0; o < s.out; ++o) std::fill_n(y.plane(n, o), pixels, bias.data[o]);
    gemm(true, false, s.out, pixels, s.in, 1, weight.data, s.out, x.image(n), pixels, 1, y.image(n), pixels);
  });
}

void nin_backward(const Linear& s, View x, View weight, View dy, View dx, View dweight, View dbias) {
  const int pixels = dy.h * dy.w;
  if (!dx.empty())
    parallel_for(dy.n, [&](int n) {
      gemm(false, false, s.in, pixels, s.out, 1, weight.data, s.out, dy.image(n), pixels, 0, dx.image(n), pixels);
    });
  for (int n = 0; n < dy.n; ++n) {
    if (!dweight.empty()) gemm(false, true, s.in, s.out, pixels, 1, x.image(n), pixels, dy.image(n), pixels, 1, dweight.data, s.out);
    if (dbias.empty()) continue;
    for (int o = 0; o < s.out; ++o) dbias.data[o] += static_cast<real>(moments(dy.plane(n, o), pixels, 0).a);
  }
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
