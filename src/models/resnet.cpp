// Bottleneck ResNet as in torchvision ("v1.5": the stride sits on the 3 x 3 convolution), with ImageNet's normalisation in front.
#include "core/check.h"
#include "models/zoo.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

std::string join(const std::vector<int>& values) {
  std::string text;
  for (int v : values) text += (text.empty() ? "" : "-") + std::to_string(v);
  return text;
}

}  // namespace

Model resnet(const ResnetConfig& c) {
  if (c.planes.empty() || c.planes.size() > 8 || c.planes.size() != c.layers.size() || c.size < 8)
    fail(kUsage, "resnet: planes and layers need one number each per stage, and size at least 8", "resnet",
         "for example resnet:stem=16,planes=8-16-24-32,layers=2-1-1-1,classes=10");
  Builder b("resnet:stem=" + std::to_string(c.stem) + ",planes=" + join(c.planes) + ",layers=" + join(c.layers) +
            ",classes=" + std::to_string(c.classes) + (c.size == 224 ? "" : ",size=" + std::to_string(c.size)));
  // The counters of batch normalisation, and the constants that RobustBench's wrapper stores.
  for (const char* suffix : {"num_batches_tracked", "normalize.mean", "normalize.std"}) b.ignore(suffix);
  auto norm = [&](int channels) { return BatchNorm{.channels = channels, .eps = 1e-5, .training = c.training}; };
  auto pointwise = [](int in, int out, int stride = 1) {
    return Conv2d{.in = in, .out = out, .kernel = 1, .stride = stride, .pad_before = 0, .pad_after = 0};
  };

  Value h = b.input(3, c.size, c.size);
  h = b.normalize("normalize", h, {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}});
  h = b.conv2d("conv1", h, {.in = 3, .out = c.stem, .kernel = 7, .stride = 2, .pad_before = 3, .pad_after = 3}, false);
  h = b.relu("relu", b.batch_norm("bn1", h, norm(c.stem)));
  h = b.max_pool("maxpool", h, {.kernel = 3, .stride = 2, .pad = 1});
  for (size_t stage = 0; stage < c.planes.size(); ++stage)
    for (int block = 0; block < c.layers[stage]; ++block) {
      const std::string at = "layer" + std::to_string(stage + 1) + "." + std::to_string(block);
      const int planes = c.planes[stage], out = 4 * planes, stride = stage > 0 && block == 0 ? 2 : 1;
      Value o = b.conv2d(at + ".conv1", h, pointwise(h.c, planes), false);
      o = b.relu(at + ".relu1", b.batch_norm(at + ".bn1", o, norm(planes)));
      o = b.conv2d(at + ".conv2", o, {.in = planes, .out = planes, .stride = stride}, false);
      o = b.relu(at + ".relu2", b.batch_norm(at + ".bn2", o, norm(planes)));
      o = b.batch_norm(at + ".bn3", b.conv2d(at + ".conv3", o, pointwise(planes, out), false), norm(out));
      Value identity = h;
      if (stride != 1 || h.c != out)
        identity = b.batch_norm(at + ".downsample.1", b.conv2d(at + ".downsample.0", h, pointwise(h.c, out, stride), false), norm(out));
      h = b.relu(at + ".relu3", b.add(at + ".add", o, identity));
    }
  h = b.global_avg_pool("avgpool", h);
  return b.finish(b.linear("fc", h, {.in = h.c, .out = c.classes}));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
