#include "attack/pgd.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// l-inf: x0 + (u * 2 eps - eps), u uniform in [0, 1), product and sum rounded to float each (foolbox on float tensors).
// l2: n + 2 normals divided by their norm, the first n of them times eps: uniform in the ball.
void random_start(Norm norm, View x0, const std::vector<double>& eps, const NoiseStream& stream, int64_t seed,
                  const std::vector<int64_t>& images, int restart, View x) {
  const size_t size = x0.image_size();
  std::vector<float> draw(size + 2);
  for (int n = 0; n < x0.n; ++n) {
    const float high = static_cast<float>(eps[n]), width = high - (-high);
    double scale = 0;
    if (norm == Norm::Linf) {
      stream.start_uniform(seed, images[n], restart, draw.data(), size);
    } else {
      stream.start_normal(seed, images[n], restart, draw.data(), size + 2);
      double square = 0;
      for (float v : draw) square += static_cast<double>(v) * v;
      scale = eps[n] / std::sqrt(square);
    }
    for (size_t i = 0; i < size; ++i) {
      float offset = static_cast<float>(scale * draw[i]);
      if (norm == Norm::Linf) { offset = draw[i] * width; offset = offset + (-high); }
      x.image(n)[i] = std::clamp<real>(x0.image(n)[i] + offset, 0, 1);
    }
  }
}

void check_bounds(View x0) {
  for (size_t i = 0; i < x0.size(); ++i)
    if (!(x0.data[i] >= 0 && x0.data[i] <= 1))
      fail(kBadInput, "an image to attack holds the value " + std::to_string(x0.data[i]), "value " + std::to_string(i), "images must lie in [0, 1]");
}

// One PGD run over all restarts, on a state that can be put away and taken up again.
class Run {
 public:
  Run(Defended& target, View x0, const int* labels, const std::vector<double>& eps, const PgdOptions& o, PgdCheckpoint& state)
      : target_(target), x0_(x0), labels_(labels), o_(o), s_(state), step_(x0.n, 1, 1, 1), eps_(x0.n, 1, 1, 1), gradient_(x0.n, x0.c, x0.h, x0.w) {
    for (int n = 0; n < x0.n; ++n) {
      eps_.data()[n] = static_cast<real>(eps[n]);
      step_.data()[n] = static_cast<real>(o.absolute_step > 0 ? o.absolute_step : o.relative_step * eps[n]);
    }
  }

  // A fresh state: nothing done yet.
  void reset() {
    const size_t n = x0_.n;
    s_ = PgdCheckpoint{};
    s_.set = true;
    s_.x.resize(x0_.size());
    s_.result.resize(x0_.size());
    s_.result_images.resize(n);
    s_.done.assign(n, 0);
  }

  void begin_restart() {
    const size_t n = x0_.n;
    s_.step = 0;
    s_.images.assign(n, {});
    s_.zeros.assign(n, 0);
    s_.best_loss.assign(n, -1);
    s_.best = o_.best_iterate ? s_.x : std::vector<real>();
  }

  void one_step(const StepNoise& noise) {
    const View x = iterate();
    target_.forward(x, noise(s_.restart * (o_.steps + 1) + s_.step));
    observe();
    target_.backward(labels_, gradient_.view());
    guard();
    if (o_.norm == Norm::Linf) linf_step(x0_, gradient_.view(), step_.view(), eps_.view(), x);
    else l2_step(x0_, gradient_.view(), step_.view(), eps_.view(), x);
    ++s_.step;
  }

  // Takes over the iterate of every image that no earlier restart has broken.
  void end_restart(const StepNoise& noise) {
    const View x = iterate();
    const size_t size = x.image_size();
    const int check = s_.restart * (o_.steps + 1) + o_.steps;
    if (o_.best_iterate) {   // the last iterate is one of the candidates
      target_.forward(x, noise(check));
      remember_best(target_.losses(labels_));
    }
    for (int n = 0; n < x.n; ++n) {
      s_.images[n].grad_zero = o_.steps ? static_cast<double>(s_.zeros[n]) / o_.steps / size : 0;
      if (o_.best_iterate && s_.best_loss[n] >= 0) std::copy_n(s_.best.data() + n * size, size, x.image(n));
    }
    std::vector<int> predictions;
    if (o_.restarts > 1) {
      target_.forward(x, noise(check));
      predictions = target_.predictions();
    }
    for (int n = 0; n < x.n; ++n) {
      if (s_.done[n]) continue;
      std::copy_n(x.image(n), size, s_.result.data() + n * size);
      s_.images[n].adversarial_on_path = s_.images[n].adversarial_on_path || s_.result_images[n].adversarial_on_path;
      s_.result_images[n] = s_.images[n];
      s_.done[n] = o_.restarts > 1 && predictions[n] != labels_[n];
    }
    ++s_.restart;
  }

  View iterate() { return {s_.x.data(), x0_.n, x0_.c, x0_.h, x0_.w}; }

 private:
  // Losses and predictions at the current iterate, which the forward pass has computed anyway.
  void observe() {
    const std::vector<double> loss = target_.losses(labels_);
    const std::vector<int> predictions = target_.predictions();
    if (o_.best_iterate) remember_best(loss);
    for (int n = 0; n < x0_.n; ++n) {
      PgdImage& image = s_.images[n];
      if (s_.step == 0) image.loss_start = loss[n];
      image.loss_last = loss[n];
      if (!std::isfinite(loss[n])) image.not_finite = true;
      if (predictions[n] != labels_[n] && predictions[n] >= 0) image.adversarial_on_path = true;
    }
  }

  // Keeps the current iterate of every image whose loss is the highest so far.
  void remember_best(const std::vector<double>& loss) {
    const size_t size = x0_.image_size();
    for (int n = 0; n < x0_.n; ++n)
      if (loss[n] > s_.best_loss[n]) {
        s_.best_loss[n] = loss[n];
        std::copy_n(s_.x.data() + n * size, size, s_.best.data() + n * size);
      }
  }

  // Counts zero gradient values; an image with a gradient that is not finite does not move any more.
  void guard() {
    for (int n = 0; n < x0_.n; ++n) {
      real* g = gradient_.view().image(n);
      for (size_t i = 0; i < x0_.image_size(); ++i) {
        if (!std::isfinite(g[i])) s_.images[n].not_finite = true;
        s_.zeros[n] += g[i] == 0;
      }
      if (s_.images[n].not_finite) std::fill_n(g, x0_.image_size(), real(0));
    }
  }

  Defended& target_;
  View x0_;
  const int* labels_;
  const PgdOptions& o_;
  PgdCheckpoint& s_;
  Buffer step_, eps_, gradient_;
};

}  // namespace

PgdResult pgd(Defended& target, View x0, const int* labels, const std::vector<double>& eps, const PgdOptions& o, const NoiseStream& stream,
              int64_t seed, const std::vector<int64_t>& image_ids, const StepNoise& noise, PgdCheckpoint* checkpoint,
              const std::function<bool()>& stop) {
  PURESCOPE_REQUIRE(x0.n <= target.batch() && static_cast<int>(eps.size()) >= x0.n);
  check_bounds(x0);
  PgdCheckpoint own;
  PgdCheckpoint& state = checkpoint ? *checkpoint : own;
  Run run(target, x0, labels, eps, o, state);
  bool inside = state.set;  // taken up in the middle of a restart
  if (!inside) run.reset();
  while (state.restart < std::max(1, o.restarts)) {
    if (!inside) {
      if (o.random_start) random_start(o.norm, x0, eps, stream, seed, image_ids, state.restart, run.iterate());
      else copy_forward(x0, run.iterate());
      run.begin_restart();
    }
    inside = false;
    while (state.step < o.steps) {
      if (stop && stop()) return {Buffer(), {}, true};
      run.one_step(noise);
    }
    run.end_restart(noise);
  }
  PgdResult result{Buffer(x0.n, x0.c, x0.h, x0.w), state.result_images, false};
  std::copy(state.result.begin(), state.result.end(), result.adversarial.data());
  state.set = false;
  return result;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
