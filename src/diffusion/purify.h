// Purification u -> f_xi(u) in the network's domain [-1, 1] (u = 2 x - 1), and its exact vector-Jacobian product, for any number of
// steps with one network's activations in memory.
#pragma once
#include <vector>

#include "diffusion/noise_source.h"
#include "diffusion/reverse_step.h"
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

  // u [n, 3, h, w] -> the purified images in trail().x(steps). n may be smaller than the planned batch.
  View forward(View u, NoiseSource& noise);
  // d: in, the cotangent of the result of the last forward(); out, that of its input u. d may be any memory of the right shape.
  void backward(View d);

  const Trail& trail() const { return trail_; }
  const std::vector<ReverseStep>& steps() const { return steps_; }
  const PurifyOptions& options() const { return options_; }
  Net& unet() { return unet_; }
  // Reals that one kept step needs on top, for --memory.
  size_t reals_per_kept_step() const { return unet_.current_plan().arena; }

 private:
  void add_forward_noise(View u, NoiseSource& noise);
  void run_network(int order);
  Net& unet_;
  PurifyOptions options_;
  std::vector<ReverseStep> steps_;
  Schedule schedule_;
  Trail trail_;
  Buffer noise_, direct_;
  std::vector<Buffer> kept_;      // arenas of the last kept_.size() steps
  double forward_scale_ = 1;      // d(noised)/du
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
