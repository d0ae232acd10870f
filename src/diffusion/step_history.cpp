#include "diffusion/step_history.h"

#include <algorithm>

#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void StepHistory::reserve(const std::vector<ReverseStep>& steps, int batch, const ValueInfo& image, bool gradient) {
  batch_ = batch;
  looks_back_ = std::any_of(steps.begin(), steps.end(), [](const ReverseStep& s) {
    return s.back_x[0] != 0 || s.back_x[1] != 0 || s.back_eps[0] != 0 || s.back_eps[1] != 0;
  });
  if (!looks_back_) return;
  eps_ = Buffer(kDepth * batch, image.c, image.h, image.w);
  if (!gradient) return;
  left_eps_ = Buffer(kDepth * batch, image.c, image.h, image.w);
  left_x_ = Buffer(kDepth * batch, image.c, image.h, image.w);
}

void StepHistory::add_forward_terms(const ReverseStep& s, int order, View eps, const std::function<View(int)>& x, View y) {
  if (!looks_back_) return;
  copy_forward(eps, slot(eps_, order, eps.n));
  for (int k = 0; k < 2; ++k) {
    if (s.back_x[k] != 0) affine_forward(1, y, s.back_x[k], x(order - 1 - k), 0, y);
    if (s.back_eps[k] != 0) affine_forward(1, y, s.back_eps[k], slot(eps_, order - 1 - k, y.n), 0, y);
  }
}

void StepHistory::start_backward() {
  for (int k = 0; k < kDepth; ++k) used_eps_[k] = used_x_[k] = false;
}

// The slot of `order` += factor d.
void StepHistory::add(Buffer& b, bool* used, int order, double factor, View d) {
  if (factor == 0) return;
  const View to = slot(b, order, d.n);
  if (used[order % kDepth]) affine_forward(1, to, factor, d, 0, to);
  else affine_forward(factor, d, 0, {}, 0, to);
  used[order % kDepth] = true;
}

void StepHistory::take(Buffer& b, bool* used, int order, View to) {
  if (!used[order % kDepth]) return;
  add_forward(to, slot(b, order, to.n), to);
  used[order % kDepth] = false;
}

void StepHistory::leave(const ReverseStep& s, int order, View d) {
  for (int k = 0; k < 2; ++k) {
    add(left_x_, used_x_, order - 1 - k, s.back_x[k], d);
    add(left_eps_, used_eps_, order - 1 - k, s.back_eps[k], d);
  }
}

void StepHistory::take_eps(int order, View deps) { take(left_eps_, used_eps_, order, deps); }
void StepHistory::take_x(int order, View dx) { take(left_x_, used_x_, order, dx); }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
