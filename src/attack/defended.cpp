#include "attack/defended.h"

#include "core/check.h"
#include "ops/labels.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

namespace {

// A network that fits, before anything is planned for it.
std::unique_ptr<Defence> diffusion(Net* unet, Net& classifier, const PurifyOptions& options, Backward mode, int batch, bool gradient, int keep) {
  if (!unet) return nullptr;
  const ValueInfo in = classifier.model().values[classifier.model().input], network = unet->model().values[unet->model().input];
  const ValueInfo from = options.image_size ? ValueInfo{network.c, options.image_size, options.image_size} : network;
  if (from.h != in.h || from.w != in.w || from.c != in.c)
    fail(kUsage, "the purifier works on " + std::to_string(from.h) + "x" + std::to_string(from.w) + " images, the classifier on " +
         std::to_string(in.h) + "x" + std::to_string(in.w), unet->model().arch + " before " + classifier.model().arch, "choose two that fit");
  const bool through_network = mode.kind != Backward::Bpda && mode.kind != Backward::ForwardNoiseOnly;
  auto defence = std::make_unique<DiffusionDefence>(*unet, options, batch, gradient && through_network, keep);
  if (gradient) defence->set_mode(mode);
  return defence;
}

// The class with the largest logit other than that of the label; the first of them on ties.
int runner_up(const real* z, int classes, int label) {
  int best = label == 0 ? 1 : 0;
  for (int c = best + 1; c < classes; ++c)
    if (c != label && z[c] > z[best]) best = c;
  return best;
}

}  // namespace

Defended::Defended(Net* unet, Net& classifier, const PurifyOptions& options, Backward mode, int batch, bool gradient, int keep_steps)
    : Defended(diffusion(unet, classifier, options, mode, batch, gradient, keep_steps), classifier, batch, gradient) {}

Defended::Defended(std::unique_ptr<Defence> defence, Net& classifier, int batch, bool gradient)
    : defence_(std::move(defence)), classifier_(&classifier), batch_(batch) {
  classifier_->plan(batch, gradient ? Mode::InputGrad : Mode::Forward);
}

void Defended::set_mode(const Backward& mode) {
  if (defence_) defence_->set_mode(mode);
}

void Defended::forward(View x, NoiseSource* noise) {
  classifier_->set_batch(x.n);
  if (defence_) defence_->forward(x, noise, classifier_->input());
  else copy_forward(x, classifier_->input());
  classifier_->forward();
  if (logit_scale_ != 1) affine_forward(logit_scale_, logits(), 0, {}, 0, logits());
}

// Cross-entropy: softmax - onehot. Margin: +1 at the runner-up, -1 at the label.
void Defended::backward(const int* labels, View dx) {
  const View z = logits(), d = classifier_->output_grad();
  if (loss_ == AttackLoss::CrossEntropy) {
    cross_entropy_backward(z, DeviceLabels(labels, z.n, z.device).data(), 1, d);
  } else {
    const Mirror from(z), to(d, Device::Cpu, Mirror::Load::No);
    for (int n = 0; n < z.n; ++n) {
      const int other = runner_up(from.view().image(n), z.c, labels[n]);
      for (int c = 0; c < z.c; ++c) to.view().image(n)[c] = static_cast<real>((c == other) - (c == labels[n]));
    }
    to.store();
  }
  backward_logits(d, dx);
}

void Defended::backward_logits(View dlogits, View dx) {
  if (dlogits.data != classifier_->output_grad().data) copy_forward(dlogits, classifier_->output_grad());
  if (logit_scale_ != 1) affine_forward(logit_scale_, classifier_->output_grad(), 0, {}, 0, classifier_->output_grad());
  classifier_->backward();
  copy_forward(classifier_->input_grad(), dx);
  if (defence_) defence_->backward(dx);
}

std::vector<double> Defended::losses(const int* labels) const {
  const View z = logits();
  if (loss_ == AttackLoss::Margin) {
    std::vector<double> margins(z.n);
    const Mirror host(z);
    for (int n = 0; n < z.n; ++n) {
      const real* v = host.view().image(n);
      margins[n] = static_cast<double>(v[runner_up(v, z.c, labels[n])]) - v[labels[n]];
    }
    return margins;
  }
  Buffer loss(z.n, 1, 1, 1);
  cross_entropy_forward(z, DeviceLabels(labels, z.n, z.device).data(), loss.view());
  const std::vector<real> values = to_host(loss.view());
  return {values.begin(), values.end()};
}

std::vector<int> Defended::predictions() const {
  std::vector<int> result(logits().n);
  first_maximum(logits(), result.data());
  return result;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
