// What a multistep or singlestep solver remembers besides the current state: predictions of the last calls on the way forward, and on
// the way back the cotangents that later steps left for earlier states and predictions (ReverseStep::back_x, back_eps).
#pragma once
#include <functional>
#include <vector>

#include "diffusion/reverse_step.h"
#include "net/net.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class StepHistory {
 public:
  // Memory only if one of the steps looks back.
  void reserve(const std::vector<ReverseStep>& steps, int batch, const ValueInfo& image, bool gradient);

  // Forward, at call `order`: remembers eps and adds the terms of the calls before to y; x(order - k) are the states.
  void add_forward_terms(const ReverseStep& s, int order, View eps, const std::function<View(int)>& x, View y);

  // Backward, from the last call to the first. d is the cotangent of the state after call `order`.
  void start_backward();
  void leave(const ReverseStep& s, int order, View d);  // d's part of the cotangents of earlier states and predictions
  void take_eps(int order, View deps);                  // deps += what was left for the prediction of call `order`
  void take_x(int order, View dx);                      // dx += what was left for its state

 private:
  static constexpr int kDepth = 3;
  View slot(Buffer& b, int order, int n) { return b.view().images(order % kDepth * batch_, n); }
  void add(Buffer& b, bool* used, int order, double factor, View d);
  void take(Buffer& b, bool* used, int order, View to);
  Buffer eps_, left_eps_, left_x_;
  bool used_eps_[kDepth] = {}, used_x_[kDepth] = {};
  bool looks_back_ = false;
  int batch_ = 0;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
