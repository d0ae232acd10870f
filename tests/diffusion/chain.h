// The whole chain as the tests see it: x in [0, 1] -> u = 2 x - 1 -> purifier -> classifier on u / 2 + 1/2 -> summed
// cross-entropy, and back.
#pragma once
#include <string>
#include <vector>

#include "diffusion/purify.h"
#include "golden_file.h"
#include "ops/labels.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

constexpr const char* kSmallUnet = "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16";
constexpr const char* kSmallWrn = "wrn:depth=10,widen=1,size=16";
constexpr const char* kTinyUnet = "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4";
constexpr const char* kTinyAdm = "adm:ch=8,mult=1-2,blocks=1,attn=2,head=4,size=8,groups=4,learn-sigma,scale-shift,resblock-updown";
constexpr const char* kTinyWrn = "wrn:depth=10,widen=1,size=8";

// Values on the host with the shape of another View.
inline View shaped(std::vector<real>& values, const View& like) { return {values.data(), like.n, like.c, like.h, like.w}; }

class Chain {
 public:
  // `unet` and `classifier` live longer than the chain.
  Chain(Net& unet, Net& classifier, const PurifyOptions& options, int batch, int keep_steps = 0)
      : purifier_(unet, options, batch, true, keep_steps), classifier_(classifier), batch_(batch) {
    classifier_.plan(batch, Mode::InputGrad);
  }

  // Loss of x [n, 3, h, w]; results stay readable.
  double forward(const std::vector<real>& x, const std::vector<int>& labels, NoiseSource& noise) {
    const int n = static_cast<int>(labels.size());
    PURESCOPE_REQUIRE(n <= batch_);
    labels_ = labels;
    const ValueInfo image = purifier_.image();
    const View like{nullptr, n, image.c, image.h, image.w, purifier_.unet().device()};
    std::vector<real> u(x.size());
    PURESCOPE_REQUIRE(x.size() == like.size());
    for (size_t i = 0; i < x.size(); ++i) u[i] = 2 * x[i] - 1;
    const View y = purifier_.forward(Mirror(shaped(u, like), like.device).view(), noise);
    purified = values_of(y);
    classifier_.set_batch(n);
    affine_forward(0.5, y, 0, {}, 0.5, classifier_.input());
    classifier_.forward();
    logits = values_of(classifier_.output());
    Buffer losses(n, 1, 1, 1);
    cross_entropy_forward(classifier_.output(), DeviceLabels(labels_.data(), n, like.device).data(), losses.view());
    double loss = 0;
    for (real v : values_of(losses)) loss += v;
    return loss;
  }

  // d loss / d x of the last forward().
  std::vector<real> backward() {
    const View z = classifier_.output_grad();
    const Mirror copy(shaped(logits, z), z.device);
    cross_entropy_backward(copy.view(), DeviceLabels(labels_.data(), z.n, z.device).data(), 1, z);
    classifier_.backward();
    std::vector<real> d = values_of(classifier_.input_grad());
    for (real& v : d) v /= 2;
    const Mirror cotangent(shaped(d, classifier_.input_grad()), z.device);
    purifier_.backward(cotangent.view());
    cotangent.store();
    for (real& v : d) v *= 2;
    return d;
  }

  Purifier& purifier() { return purifier_; }
  Net& classifier() { return classifier_; }
  std::vector<real> purified, logits;

 private:
  Purifier purifier_;
  Net& classifier_;
  int batch_;
  std::vector<int> labels_;
};

// Images in [0, 1] that depend on their own number alone.
inline std::vector<real> test_images(const Net& unet, std::vector<int64_t> images) {
  const ValueInfo info = unet.model().values[unet.model().input];
  const size_t size = static_cast<size_t>(info.c) * info.h * info.w;
  std::vector<real> x;
  for (int64_t image : images)
    for (double v : direction("image " + std::to_string(image), size, 0.5, 0.5)) x.push_back(static_cast<real>(v));
  return x;
}

// For each reverse step and value: does the predicted x0 lie in [-1, 1]? Recorded while the purifier runs forward.
class ClipMasks {
 public:
  explicit ClipMasks(Purifier& purifier) : purifier_(purifier) {
    const int last = static_cast<int>(purifier.unet().model().steps.size()) - 1;
    purifier.unet().on_step = [this, last](int i) { if (i == last) record(); };
  }
  ~ClipMasks() { purifier_.unet().on_step = nullptr; }
  void clear() { inside.clear(); order_ = 0; }
  std::vector<bool> inside;

 private:
  void record() {
    if (order_ >= static_cast<int>(purifier_.steps().size())) return;  // recomputation in the backward pass
    const ReverseStep& s = purifier_.steps()[order_];
    const View x = purifier_.trail().x(order_++), eps = purifier_.unet().output();
    if (!s.clip) return;
    const std::vector<real> u = values_of(x), e = values_of(eps);
    const size_t size = x.image_size(), stride = eps.image_size();  // eps may have variance channels behind
    for (int n = 0; n < x.n; ++n)
      for (size_t i = 0; i < size; ++i)
        inside.push_back(std::abs(static_cast<real>(s.to_x0) * u[n * size + i] - static_cast<real>(s.from_eps) * e[n * stride + i]) <= 1);
  }
  Purifier& purifier_;
  int order_ = 0;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
