#include "net/algorithms.h"

#include "ops/winograd.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void choose_algorithms(Model& model, MathMode math) {
  for (Step& s : model.steps) {
    if (s.op != Op::Conv2d) continue;
    const ValueInfo& in = model.values[s.in[0]];
    s.conv2d.algorithm = math == MathMode::Fast ? choose_algorithm(s.conv2d, in.h, in.w) : ConvAlgorithm::Exact;
    s.conv2d.filters = s.conv2d.flipped_filters = nullptr;
  }
}

size_t filter_values(const Model& model, bool backward) {
  size_t count = 0;
  for (const Step& s : model.steps) {
    if (s.op != Op::Conv2d || s.conv2d.algorithm == ConvAlgorithm::Exact) continue;
    count += winograd_filter_size(s.conv2d, false) + (backward ? winograd_filter_size(s.conv2d, true) : 0);
  }
  return count;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
