// Purification u -> f_xi(u) in the network's domain [-1, 1] (u = 2 x - 1), and its exact vector-Jacobian product, for any number of
// steps with one network's activations in memory.
#pragma once
#include <functional>
#include <vector>

#include "diffusion/noise_source.h"
#include "diffusion/reverse_step.h"
#include "diffusion/step_history.h"
#include "net/net.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// The input of every reverse step, one image each: what the backward pass starts from. 12 KB per step and CIFAR-10 image in float.
class Trail {
 public:
  void reserve(int steps, int batch, const ValueInfo& image);  // room for steps + 1 states
  View x(int order) const;                                     // state before the order-th reverse step; order = steps: the result
  void set_batch(int batch) { batch_ = batch; }
  int steps() const { return steps_; }

 private:
  Buffer data_;
  int steps_ = 0, batch_ = 0;
  size_t stride_ = 0;
  ValueInfo image_{0, 0, 0};
};

class Purifier {
 public:
  // Plans `unet` for `batch` images; gradient = false needs less memory and refuses backward(). `keep_steps`: how many of the last
  // reverse steps keep all their activations, so that backward() need not compute them again (the gradient is bitwise the same).
  Purifier(Net& unet, const PurifyOptions& options, int batch, bool gradient, int keep_steps = 0);

  // u [n, 3, h, w] on the network's device -> the purified images, in trail().x(steps) or, with options.image_size, resampled back to the size of u. n may be
  // smaller than the planned batch.
  View forward(View u, NoiseSource& noise);
  // d: in, the cotangent of the result of the last forward(); out, that of its input u. d may be any memory of the right shape.
  void backward(View d);

  // What backward() differentiates in place of the steps that forward() runs: the same number of them, with other coefficients, other clip
  // rules or other labels. For straight-through clips, and for audits that plant a mistake.
  void set_backward_steps(std::vector<ReverseStep> steps);

  // Observers. on_step: in forward(), after the network of step `order` has run (trail().x(order) -> unet().output()) and before the update.
  // on_cotangent: in backward(), with d loss / d trail().x(order), from order = steps down to 0.
  std::function<void(int order)> on_step;
  std::function<void(int order, View d)> on_cotangent;

  double forward_scale() const { return forward_scale_; }   // d(noised image)/du of the last forward()
  const Trail& trail() const { return trail_; }
  const std::vector<ReverseStep>& steps() const { return steps_; }
  const PurifyOptions& options() const { return options_; }
  Net& unet() { return unet_; }
  // Shape of the images outside: what forward() takes.
  ValueInfo image() const;
  // Reals that one kept step needs on top, for --memory.
  size_t reals_per_kept_step() const { return unet_.current_plan().arena; }

 private:
  void add_forward_noise(View u, NoiseSource& noise);
  void run_network(int order, double time);
  void split_output();
  View eps() const { return split_ ? eps_.view().images(0, unet_.batch()) : unet_.output(); }
  View learned_noise(int order) const { return learned_z_.view().images(order * noise_.view().n, unet_.batch()); }
  void backward_steps(View d);
  double guidance_weight(const ReverseStep& step) const { return options_.guidance * step.s * step.s; }
  void guide(const ReverseStep& step, View x, NoiseSource& noise, View y);
  Net& unet_;
  PurifyOptions options_;
  std::vector<ReverseStep> steps_, backward_steps_;
  Schedule schedule_;
  Trail trail_;
  Buffer noise_, direct_;
  Buffer guide_, guide_grad_;     // u of the last forward() and d loss / du along the guide; guided only
  bool split_ = false;            // the network has variance channels behind those of eps
  Buffer eps_, v_, deps_, dv_;    // the two halves of its output and their cotangents, where split
  Buffer learned_z_;              // noise of the steps with learned variance, which the backward pass reads again
  Buffer inner_, outer_;          // the images at the network's size and outside, where the two differ
  StepHistory history_;
  std::vector<Buffer> kept_;      // arenas of the last kept_.size() steps
  double forward_scale_ = 1;      // d(noised)/du
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
