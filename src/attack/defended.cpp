#include "attack/defended.h"

#include <cmath>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

Defended::Defended(Net* unet, Net& classifier, const PurifyOptions& options, Backward backward, int batch, bool gradient, int keep_steps)
    : classifier_(classifier), backward_(backward), batch_(batch) {
  classifier_.plan(batch, gradient ? Mode::InputGrad : Mode::Forward);
  const ValueInfo in = image();
  if (unet) {
    const ValueInfo from = unet->model().values[unet->model().input];
    if (from.h != in.h || from.w != in.w || from.c != in.c)
      fail(kUsage, "the purifier works on " + std::to_string(from.h) + "x" + std::to_string(from.w) + " images, the classifier on " +
           std::to_string(in.h) + "x" + std::to_string(in.w), unet->model().arch + " before " + classifier.model().arch, "choose two that fit");
    purifier_ = std::make_unique<Purifier>(*unet, options, batch, gradient && backward == Backward::Full, keep_steps);
  }
  scaled_ = Buffer(batch, in.c, in.h, in.w);
}

void Defended::forward(View x, NoiseSource* noise) {
  classifier_.set_batch(x.n);
  if (!purifier_) {
    copy_forward(x, classifier_.input());
  } else {
    PURESCOPE_REQUIRE(noise != nullptr);
    const View u = scaled_.view().images(0, x.n);
    affine_forward(2, x, 0, {}, -1, u);
    affine_forward(0.5, purifier_->forward(u, *noise), 0, {}, 0.5, classifier_.input());
  }
  classifier_.forward();
}

void Defended::backward(const int* labels, View dx) {
  cross_entropy_backward(classifier_.output(), labels, 1, classifier_.output_grad());
  backward_logits(classifier_.output_grad(), dx);
}

void Defended::backward_logits(View dlogits, View dx) {
  if (dlogits.data != classifier_.output_grad().data) copy_forward(dlogits, classifier_.output_grad());
  classifier_.backward();
  if (!purifier_ || backward_ == Backward::Bpda) {
    copy_forward(classifier_.input_grad(), dx);
    return;
  }
  // The 1/2 of the exit scaling and the 2 of the entry scaling, each where it stands.
  affine_forward(0.5, classifier_.input_grad(), 0, {}, 0, dx);
  purifier_->backward(dx);
  affine_forward(2, dx, 0, {}, 0, dx);
}

std::vector<double> Defended::losses(const int* labels) const {
  const View z = logits();
  Buffer loss(z.n, 1, 1, 1);
  cross_entropy_forward(z, labels, loss.view());
  return {loss.data(), loss.data() + z.n};
}

std::vector<int> Defended::predictions() const {
  const View z = logits();
  std::vector<int> result(z.n);
  for (int n = 0; n < z.n; ++n) {
    int best = 0;
    for (int c = 0; c < z.c; ++c) {
      if (!std::isfinite(z.image(n)[c])) { best = -1; break; }
      if (z.image(n)[c] > z.image(n)[best]) best = c;
    }
    result[n] = best;
  }
  return result;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
