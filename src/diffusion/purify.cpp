#include "diffusion/purify.h"

#include <cmath>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void Trail::reserve(int steps, int batch, const ValueInfo& image) {
  steps_ = steps;
  batch_ = batch;
  image_ = image;
  stride_ = static_cast<size_t>(batch) * image.c * image.h * image.w;
  data_ = Buffer(stride_ * (steps + 1));
}

View Trail::x(int order) const { return {data_.data() + order * stride_, batch_, image_.c, image_.h, image_.w}; }

Purifier::Purifier(Net& unet, const PurifyOptions& options, int batch, bool gradient, int keep_steps)
    : unet_(unet), options_(options), steps_(reverse_steps(options)), schedule_(linear_schedule()) {
  unet_.plan(batch, gradient ? Mode::InputGrad : Mode::Forward);
  const ValueInfo image = unet_.model().values[unet_.model().input];
  const ValueInfo out = unet_.model().values[unet_.model().output];
  if (out.c != image.c || out.h != image.h || out.w != image.w)
    fail(kUsage, "the network does not map an image to an image", unet_.model().arch, "name a purifier architecture such as ddpm-cifar10");
  trail_.reserve(static_cast<int>(steps_.size()), batch, image);
  noise_ = Buffer(batch, image.c, image.h, image.w);
  direct_ = Buffer(batch, image.c, image.h, image.w);
  const int keep = gradient ? std::min<int>(keep_steps, static_cast<int>(steps_.size())) : 0;
  for (int i = 0; i < keep; ++i) kept_.emplace_back(unet_.current_plan().arena);
}

// u_t* = sqrt(abar) u + sqrt(1 - abar) e in one jump, or t* single steps u <- sqrt(1 - beta_k) u + sqrt(beta_k) e_k.
void Purifier::add_forward_noise(View u, NoiseSource& noise) {
  const View x = trail_.x(0), e = noise_.view().images(0, u.n);
  const int last = options_.t - 1;
  switch (options_.forward) {
    case ForwardKind::None:
      forward_scale_ = options_.scale == InputScale::SqrtAbar ? std::sqrt(schedule_.abar[last]) : 1;
      affine_forward(forward_scale_, u, 0, {}, 0, x);
      return;
    case ForwardKind::Jump:
      forward_scale_ = std::sqrt(schedule_.abar[last]);
      noise.forward(options_.forward, last, e);
      affine_forward(forward_scale_, u, std::sqrt(1 - schedule_.abar[last]), e, 0, x);
      return;
    case ForwardKind::Steps:
      forward_scale_ = 1;
      copy_forward(u, x);
      for (int k = 0; k <= last; ++k) {
        const double keep = std::sqrt(1 - schedule_.beta[k]);
        noise.forward(options_.forward, k, e);
        affine_forward(keep, x, std::sqrt(schedule_.beta[k]), e, 0, x);
        forward_scale_ *= keep;
      }
      return;
  }
}

// eps of the order-th step into unet.output(), in the step's kept arena if it has one.
void Purifier::run_network(int order) {
  const int first_kept = static_cast<int>(steps_.size() - kept_.size());
  unet_.use_arena(order >= first_kept ? &kept_[order - first_kept] : nullptr);
  copy_forward(trail_.x(order), unet_.input());
  unet_.set_time(steps_[order].label);
  unet_.forward();
}

View Purifier::forward(View u, NoiseSource& noise) {
  unet_.set_batch(u.n);
  trail_.set_batch(u.n);
  add_forward_noise(u, noise);
  const View z = noise_.view().images(0, u.n);
  for (int order = 0; order < static_cast<int>(steps_.size()); ++order) {
    run_network(order);
    const ReverseStep& step = steps_[order];
    if (step.s != 0) noise.reverse(order, step.label, z);
    reverse_step_forward(step, trail_.x(order), unet_.output(), step.s != 0 ? z : View{}, trail_.x(order + 1));
  }
  return trail_.x(static_cast<int>(steps_.size()));
}

void Purifier::backward(View d) {
  const View direct = direct_.view().images(0, d.n);
  const int first_kept = static_cast<int>(steps_.size() - kept_.size());
  for (int order = static_cast<int>(steps_.size()) - 1; order >= 0; --order) {
    if (order >= first_kept) unet_.use_arena(&kept_[order - first_kept]);
    else run_network(order);
    reverse_step_backward(steps_[order], trail_.x(order), unet_.output(), d, direct, unet_.output_grad());
    unet_.backward();
    add_forward(direct, unet_.input_grad(), d);
  }
  affine_forward(forward_scale_, d, 0, {}, 0, d);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
