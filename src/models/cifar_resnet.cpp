// CIFAR ResNet of He et al., section 4.2, with option-A shortcuts (subsampling and zero channels, no parameters).
#include "core/check.h"
#include "models/zoo.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

Model cifar_resnet(const CifarResnetConfig& c) {
  if ((c.depth - 2) % 6 != 0 || c.depth < 8 || c.size < 4 || c.width % 2 != 0)
    fail(kUsage, "cifar-resnet: depth must be 6 n + 2 (8, 14, 20, 32, ...), width even, size at least 4", "cifar-resnet", "for example cifar-resnet-20");
  Builder b("cifar-resnet:depth=" + std::to_string(c.depth) + (c.width == 16 ? "" : ",width=" + std::to_string(c.width)) +
            (c.classes == 10 ? "" : ",classes=" + std::to_string(c.classes)) + (c.size == 32 ? "" : ",size=" + std::to_string(c.size)));
  b.ignore("num_batches_tracked");
  auto norm = [&](int channels) { return BatchNorm{.channels = channels, .eps = 1e-5, .training = c.training}; };

  // Mean and deviation of ImageNet's colours, as the public checkpoints of this family were trained.
  Value h = b.normalize("normalize", b.input(3, c.size, c.size), {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}});
  h = b.conv2d("conv1", h, {.in = 3, .out = c.width}, false);
  h = b.relu("relu", b.batch_norm("bn1", h, norm(c.width)));
  for (int group = 0; group < 3; ++group)
    for (int block = 0; block < (c.depth - 2) / 6; ++block) {
      const std::string at = "layer" + std::to_string(group + 1) + "." + std::to_string(block);
      const int out = c.width << group, stride = group > 0 && block == 0 ? 2 : 1, extra = out - h.c;
      Value o = b.conv2d(at + ".conv1", h, {.in = h.c, .out = out, .stride = stride}, false);
      o = b.relu(at + ".relu1", b.batch_norm(at + ".bn1", o, norm(out)));
      o = b.batch_norm(at + ".bn2", b.conv2d(at + ".conv2", o, {.in = out, .out = out}, false), norm(out));
      const Value shortcut = extra == 0 ? h : b.subsample_pad(at + ".shortcut", h, {.stride = 2, .before = extra / 2, .after = extra / 2});
      h = b.relu(at + ".relu2", b.add(at + ".add", shortcut, o));
    }
  h = b.global_avg_pool("avg_pool", h);
  return b.finish(b.linear("linear", h, {.in = h.c, .out = c.classes}));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
