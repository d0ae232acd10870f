// Cross-entropy with natural logarithm, per image; in double inside.
#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// logsumexp of one row of logits.
accum log_sum_exp(const real* z, int count) {
  const accum largest = *std::max_element(z, z + count);
  accum total = 0;
  for (int j = 0; j < count; ++j) total += std::exp(static_cast<accum>(z[j]) - largest);
  return largest + std::log(total);
}

}  // namespace

namespace cpu {

void cross_entropy_forward(View logits, const int* labels, View loss) {
  const int classes = static_cast<int>(logits.image_size());
  for (int n = 0; n < logits.n; ++n) {
    PURESCOPE_REQUIRE(labels[n] >= 0 && labels[n] < classes);
    loss.data[n] = static_cast<real>(log_sum_exp(logits.image(n), classes) - logits.image(n)[labels[n]]);
  }
}

void cross_entropy_backward(View logits, const int* labels, double scale, View dlogits) {
  const int classes = static_cast<int>(logits.image_size());
  for (int n = 0; n < logits.n; ++n) {
    const accum total = log_sum_exp(logits.image(n), classes);
    for (int j = 0; j < classes; ++j)
      dlogits.image(n)[j] = static_cast<real>(scale * (std::exp(logits.image(n)[j] - total) - (j == labels[n] ? 1 : 0)));
  }
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
