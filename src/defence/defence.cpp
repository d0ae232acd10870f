#include "defence/defence.h"

#include <cmath>
#include <cstdio>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void Defence::backward(View d) {
  if (mode_.kind != Backward::Bpda) vjp(d);
}

bool Defence::has_mode(const Backward& mode) const { return mode.kind != Backward::Surrogate; }

void Defence::set_mode(const Backward& mode) {
  if (!has_mode(mode))
    fail(kUsage, "this defence has no backward mode " + backward_name(mode), describe(), "choose full, full-ste, bpda or forward-noise-only");
  mode_ = mode;
  mode_changed();
}

DiffusionDefence::DiffusionDefence(Net& unet, const PurifyOptions& options, int batch, bool gradient, int keep_steps)
    : unet_(unet), options_(options), batch_(batch), keep_steps_(keep_steps), gradient_(gradient),
      purifier_(std::make_unique<Purifier>(unet, options, batch, gradient, keep_steps)) {
  const ValueInfo image = purifier_->image();
  u_ = Buffer(batch, image.c, image.h, image.w);
}

bool DiffusionDefence::has_mode(const Backward& mode) const {
  switch (mode.kind) {
    case Backward::Bpda: case Backward::ForwardNoiseOnly: return true;
    case Backward::Full: case Backward::FullSte: return gradient_;
    case Backward::Surrogate: return gradient_ && mode.steps <= options_.t && options_.t % mode.steps == 0;
  }
  return false;
}

void DiffusionDefence::mode_changed() {
  shorter_.reset();
  std::vector<ReverseStep> steps = purifier_->steps();
  if (mode().kind == Backward::FullSte)
    for (ReverseStep& s : steps) s.straight_through = true;
  purifier_->set_backward_steps(steps);
  if (mode().kind != Backward::Surrogate) return;
  PurifyOptions shorter = options_;
  shorter.steps_reverse = mode().steps;
  shorter_ = std::make_unique<Purifier>(unet_, shorter, batch_, gradient_);   // the same plan of the same network: the two take turns
}

bool DiffusionDefence::keep_everything(bool on) {
  const auto on_step = purifier_->on_step;
  const auto on_cotangent = purifier_->on_cotangent;
  purifier_.reset();
  purifier_ = std::make_unique<Purifier>(unet_, options_, batch_, gradient_, on ? options_.reverse_count() : keep_steps_);
  purifier_->on_step = on_step;
  purifier_->on_cotangent = on_cotangent;
  mode_changed();
  return true;
}

void DiffusionDefence::forward(View x, NoiseSource* noise, View y) {
  PURESCOPE_REQUIRE(noise != nullptr);
  noise_ = noise;
  const View u = u_.view().images(0, x.n);
  affine_forward(2, x, 0, {}, -1, u);
  affine_forward(0.5, purifier_->forward(u, *noise), 0, {}, 0.5, y);
}

// The 1/2 of the exit scaling and the 2 of the entry scaling, each where it stands.
void DiffusionDefence::vjp(View d) {
  affine_forward(0.5, d, 0, {}, 0, d);
  if (mode().kind == Backward::ForwardNoiseOnly) {
    affine_forward(purifier_->forward_scale(), d, 0, {}, 0, d);
  } else if (shorter_) {
    shorter_->forward(u_.view().images(0, d.n), *noise_);
    shorter_->backward(d);
  } else {
    purifier_->backward(d);
  }
  affine_forward(2, d, 0, {}, 0, d);
}

void DiffusionDefence::count_clips(bool on) {
  census_.fraction.clear();
  if (on) purifier_->on_step = [this](int order) { count_clips_of(order); };
  else purifier_->on_step = nullptr;
}

// The fraction of predicted x0 outside [-1, 1], at the step whose network has just run.
void DiffusionDefence::count_clips_of(int order) {
  const ReverseStep& s = purifier_->steps()[order];
  const Mirror state(purifier_->trail().x(order)), prediction(unet_.output());   // the prediction may have variance channels behind
  const View x = state.view(), eps = prediction.view();
  census_.fraction.resize(purifier_->steps().size());
  std::vector<double>& row = census_.fraction[order];
  row.assign(x.n, 0);
  if (!s.clip) return;
  const real a = static_cast<real>(s.to_x0), b = static_cast<real>(s.from_eps);
  for (int n = 0; n < x.n; ++n) {
    size_t out = 0;
    for (size_t i = 0; i < x.image_size(); ++i) out += !(std::abs(a * x.image(n)[i] - b * eps.image(n)[i]) <= 1);
    row[n] = static_cast<double>(out) / x.image_size();
  }
}

void IdentityDefence::forward(View x, NoiseSource*, View y) { copy_forward(x, y); }

void GaussianNoiseDefence::forward(View x, NoiseSource* noise, View y) {
  PURESCOPE_REQUIRE(noise != nullptr);
  Buffer e(x.n, x.c, x.h, x.w);
  noise->forward(ForwardKind::Jump, 0, e.view());
  affine_forward(1, x, sigma_, e.view(), 0, y);
}

std::string GaussianNoiseDefence::describe() const {
  char text[64];
  std::snprintf(text, sizeof text, "Gaussian noise, sigma %.6g in [0,1] units", sigma_);
  return text;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
