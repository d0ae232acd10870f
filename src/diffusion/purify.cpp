#include "diffusion/purify.h"

#include <algorithm>
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

View Trail::x(int order) const { return {data_.data() + order * stride_, batch_, image_.c, image_.h, image_.w, data_.device()}; }

Purifier::Purifier(Net& unet, const PurifyOptions& options, int batch, bool gradient, int keep_steps)
    : unet_(unet), options_(options), steps_(reverse_steps(options)), schedule_(linear_schedule()) {
  unet_.plan(batch, gradient ? Mode::InputGrad : Mode::Forward);
  const ValueInfo image = unet_.model().values[unet_.model().input];
  const ValueInfo out = unet_.model().values[unet_.model().output];
  split_ = out.c == 2 * image.c;
  if ((out.c != image.c && !split_) || out.h != image.h || out.w != image.w)
    fail(kUsage, "the network does not map an image to an image", unet_.model().arch, "name a purifier architecture such as ddpm-cifar10");
  const bool learned = options.sampler == SamplerKind::Ddpm && options.variance == Variance::Learned;
  if (learned && !split_)
    fail(kUsage, "--variance learned needs a network that predicts variances", unet_.model().arch, "choose fixedlarge or fixedsmall");
  const int steps = static_cast<int>(steps_.size());
  trail_.reserve(steps, batch, image);
  noise_ = Buffer(batch, image.c, image.h, image.w);
  direct_ = Buffer(batch, image.c, image.h, image.w);
  backward_steps_ = steps_;
  history_.reserve(steps_, batch, image, gradient);
  if (split_)
    for (Buffer* b : {&eps_, &v_, &deps_, &dv_}) *b = Buffer(batch, image.c, image.h, image.w);
  if (learned && gradient) learned_z_ = Buffer(steps * batch, image.c, image.h, image.w);
  if (options.image_size) {
    inner_ = Buffer(batch, image.c, image.h, image.w);
    outer_ = Buffer(batch, image.c, options.image_size, options.image_size);
  }
  if (options_.guidance != 0) {
    guide_ = Buffer(batch, image.c, image.h, image.w);
    guide_grad_ = Buffer(batch, image.c, image.h, image.w);
  }
  const int keep = gradient ? std::min(keep_steps, steps) : 0;
  for (int i = 0; i < keep; ++i) kept_.emplace_back(unet_.current_plan().arena, unet_.device());
}

ValueInfo Purifier::image() const {
  ValueInfo image = unet_.model().values[unet_.model().input];
  if (options_.image_size) image.h = image.w = options_.image_size;
  return image;
}

// u_t* = sqrt(abar) u + sqrt(1 - abar) e in one jump, or t* single steps u <- sqrt(1 - beta_k) u + sqrt(beta_k) e_k.
void Purifier::add_forward_noise(View u, NoiseSource& noise) {
  const View x = trail_.x(0), e = noise_.view().images(0, u.n);
  const int last = reverse_indices(options_).back();
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

void Purifier::set_backward_steps(std::vector<ReverseStep> steps) {
  PURESCOPE_REQUIRE(steps.size() == steps_.size());
  backward_steps_ = std::move(steps);
}

// y -= w (x - g), w = guidance sigma^2, g = sqrt(abar) u + sqrt(1 - abar) e: one descent step on |x - g|^2 / 2 towards the noised input.
void Purifier::guide(const ReverseStep& step, View x, NoiseSource& noise, View y) {
  const double w = guidance_weight(step), abar = schedule_.abar[step.label];
  const View e = noise_.view().images(0, x.n);
  noise.forward(ForwardKind::Steps, step.label, e);
  affine_forward(1, y, -w, x, 0, y);
  affine_forward(1, y, w * std::sqrt(abar), guide_.view().images(0, x.n), 0, y);
  affine_forward(1, y, w * std::sqrt(1 - abar), e, 0, y);
}

// eps of the order-th step into unet.output(), in the step's kept arena if it has one.
void Purifier::run_network(int order, double time) {
  const int first_kept = static_cast<int>(steps_.size() - kept_.size());
  unet_.use_arena(order >= first_kept ? &kept_[order - first_kept] : nullptr);
  copy_forward(trail_.x(order), unet_.input());
  unet_.set_time(time);
  unet_.forward();
}

// The halves of the output where it has variance channels.
void Purifier::split_output() {
  const int n = unet_.batch();
  if (split_) concat_backward(unet_.output(), eps_.view().images(0, n), v_.view().images(0, n));
}

View Purifier::forward(View u, NoiseSource& noise) {
  const ValueInfo want = image();
  PURESCOPE_REQUIRE(u.c == want.c && u.h == want.h && u.w == want.w);
  unet_.set_batch(u.n);
  trail_.set_batch(u.n);
  const View inner = options_.image_size ? inner_.view().images(0, u.n) : u;
  if (options_.image_size) resize_bilinear_forward(u, inner);
  add_forward_noise(inner, noise);
  if (options_.guidance != 0) copy_forward(inner, guide_.view().images(0, u.n));
  const int steps = static_cast<int>(steps_.size());
  for (int order = 0; order < steps; ++order) {
    const ReverseStep& step = steps_[order];
    run_network(order, step.time);
    split_output();
    if (on_step) on_step(order);
    const View z = step.learned && learned_z_.size() ? learned_noise(order) : noise_.view().images(0, u.n), y = trail_.x(order + 1);
    if (step.s != 0 || step.learned) noise.reverse(order, step.label, z);
    reverse_step_forward(step, trail_.x(order), eps(), step.s != 0 ? z : View{}, y);
    if (step.learned) learned_noise_forward(step, y, v_.view().images(0, u.n), z, y);
    if (options_.guidance != 0 && step.s != 0) guide(step, trail_.x(order), noise, y);
    history_.add_forward_terms(step, order, eps(), [&](int k) { return trail_.x(k); }, y);
  }
  if (!options_.image_size) return trail_.x(steps);
  const View outer = outer_.view().images(0, u.n);
  resize_bilinear_forward(trail_.x(steps), outer);
  return outer;
}

// The guide enters at every guided step: d/dx gets -w d, and d/du collects w sqrt(abar) d, multiplied by the cotangent as any other factor.
void Purifier::backward(View d) {
  const View inner = options_.image_size ? inner_.view().images(0, d.n) : d;
  if (options_.image_size) resize_bilinear_backward(d, inner);
  backward_steps(inner);
  affine_forward(forward_scale_, inner, 0, {}, 0, inner);
  if (options_.guidance != 0) add_forward(inner, guide_grad_.view().images(0, d.n), inner);
  if (options_.image_size) resize_bilinear_backward(inner, d);
}

// d: in, the cotangent of the last state; out, that of the first.
void Purifier::backward_steps(View d) {
  const auto part = [&](const Buffer& b) { return b.view().images(0, d.n); };
  const View direct = part(direct_);
  const int first_kept = static_cast<int>(steps_.size() - kept_.size());
  const bool guided = options_.guidance != 0;
  const View du = guided ? part(guide_grad_) : View{};
  if (guided) fill_forward(0, du);
  if (on_cotangent) on_cotangent(static_cast<int>(steps_.size()), d);
  history_.start_backward();
  for (int order = static_cast<int>(steps_.size()) - 1; order >= 0; --order) {
    const ReverseStep& step = backward_steps_[order];
    if (order >= first_kept) unet_.use_arena(&kept_[order - first_kept]);
    else run_network(order, step.time);
    split_output();
    const View deps = split_ ? part(deps_) : unet_.output_grad();
    reverse_step_backward(step, trail_.x(order), eps(), d, direct, deps);
    history_.leave(step, order, d);
    history_.take_eps(order, deps);
    if (split_) {
      if (step.learned) learned_noise_backward(step, part(v_), learned_noise(order), d, part(dv_));
      else affine_forward(0, d, 0, {}, 0, part(dv_));
      concat_forward(deps, part(dv_), unet_.output_grad());
    }
    if (guided && step.s != 0) {
      const double w = guidance_weight(step);
      affine_forward(1, direct, -w, d, 0, direct);
      affine_forward(1, du, w * std::sqrt(schedule_.abar[step.label]), d, 0, du);
    }
    unet_.backward();
    add_forward(direct, unet_.input_grad(), d);
    history_.take_x(order, d);
    if (on_cotangent) on_cotangent(order, d);
  }
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
