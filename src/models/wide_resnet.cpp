// WideResNet as RobustBench's `Standard`: no input normalisation, no biases before the last layer.
#include "core/check.h"
#include "models/zoo.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

Model wide_resnet(const WideResnetConfig& c) {
  if ((c.depth - 4) % 6 != 0 || c.depth < 10 || c.widen < 1 || c.size % 4 != 0)
    fail(kUsage, "wrn: depth must be 6 n + 4 (10, 16, 22, 28, ...) and size a multiple of 4", "wrn", "for example wrn:depth=28,widen=10");
  Builder b("wrn:depth=" + std::to_string(c.depth) + ",widen=" + std::to_string(c.widen) +
            (c.classes == 10 ? "" : ",classes=" + std::to_string(c.classes)) + (c.size == 32 ? "" : ",size=" + std::to_string(c.size)));
  b.ignore("num_batches_tracked");
  auto norm = [&](int channels) { return BatchNorm{.channels = channels, .eps = 1e-5, .training = c.training}; };

  Value h = b.input(3, c.size, c.size);
  h = b.conv2d("conv1", h, {.in = 3, .out = 16}, false);
  for (int group = 0; group < 3; ++group)
    for (int layer = 0; layer < (c.depth - 4) / 6; ++layer) {
      const std::string at = "block" + std::to_string(group + 1) + ".layer." + std::to_string(layer);
      const int out = (16 << group) * c.widen, stride = group > 0 && layer == 0 ? 2 : 1;
      const bool same = h.c == out;
      Value o = b.relu(at + ".relu1", b.batch_norm(at + ".bn1", h, norm(h.c)));
      Value r = b.conv2d(at + ".conv1", o, {.in = h.c, .out = out, .stride = stride}, false);
      r = b.relu(at + ".relu2", b.batch_norm(at + ".bn2", r, norm(out)));
      r = b.conv2d(at + ".conv2", r, {.in = out, .out = out}, false);
      // The shortcut of a widening block reads the activated value, the identity the raw one.
      const Conv2d pointwise{.in = h.c, .out = out, .kernel = 1, .stride = stride, .pad_before = 0, .pad_after = 0};
      const Value shortcut = same ? h : b.conv2d(at + ".convShortcut", o, pointwise, false);
      h = b.add(at + ".add", shortcut, r);
    }
  h = b.relu("relu", b.batch_norm("bn1", h, norm(h.c)));
  h = b.global_avg_pool("avg_pool", h);
  return b.finish(b.linear("fc", h, {.in = h.c, .out = c.classes}));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
