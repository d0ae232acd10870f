#include "defence/planted.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/check.h"
#include "io/text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

Buffer copy_of(View v) {
  Buffer b(v.n, v.c, v.h, v.w);
  copy_forward(v, b.view());
  return b;
}

// Lets `change` write the values of a view in place, wherever they lie.
template <class Change>
void on_host(View v, const Change& change) {
  const Mirror host(v);
  change(host.view());
  host.store();
}

// x rounded to multiples of 1/8. The derivative of rounding is 0; `identity` pretends it is 1.
class Quantiser : public PlantedDefence {
 public:
  Quantiser(std::unique_ptr<Defence> inner, bool identity) : PlantedDefence(std::move(inner)), identity_(identity) {}
  void forward(View x, NoiseSource* noise, View y) override {
    const Buffer q = copy_of(x);
    on_host(q.view(), [](View v) {
      for (size_t i = 0; i < v.size(); ++i) v.data[i] = std::round(v.data[i] * 8) / 8;
    });
    inner_->forward(q.view(), noise, y);
  }

 protected:
  void vjp(View d) override {
    inner_->backward(d);
    if (!identity_) affine_forward(0, d, 0, {}, 0, d);
  }

 private:
  bool identity_;
};

// The gradient after the honest one, value by value.
class GradientFilter : public PlantedDefence {
 public:
  GradientFilter(std::unique_ptr<Defence> inner, std::function<real(real, size_t)> filter)
      : PlantedDefence(std::move(inner)), filter_(std::move(filter)) {}

 protected:
  void vjp(View d) override {
    inner_->backward(d);
    on_host(d, [this](View v) {
      for (int n = 0; n < v.n; ++n)
        for (size_t i = 0; i < v.image_size(); ++i) v.image(n)[i] = filter_(v.image(n)[i], i);
    });
  }

 private:
  std::function<real(real, size_t)> filter_;
};

// Another draw of the same law: the values of each image moved round by `shift`.
class MovedNoise : public NoiseSource {
 public:
  MovedNoise(NoiseSource& source, size_t shift) : source_(source), shift_(shift) {}
  void forward(ForwardKind kind, int t, View out) override {
    source_.forward(kind, t, out);
    turn(out);
  }
  void reverse(int order, int t, View out) override {
    source_.reverse(order, t, out);
    turn(out);
  }

 private:
  void turn(View out) const {
    on_host(out, [this](View v) {
      for (int n = 0; n < v.n; ++n)
        std::rotate(v.image(n), v.image(n) + shift_ % v.image_size(), v.image(n) + v.image_size());
    });
  }
  NoiseSource& source_;
  size_t shift_;
};

// Computes the chain again for the gradient, as it must, but with a fresh draw each time.
class NoiseRedrawn : public PlantedDefence {
 public:
  using PlantedDefence::PlantedDefence;
  void forward(View x, NoiseSource* noise, View y) override {
    x_ = copy_of(x);
    noise_ = noise;
    inner_->forward(x, noise, y);
  }
  bool keep_everything(bool on) override { return kept_ = on, inner_->keep_everything(on); }

 protected:
  void vjp(View d) override {
    if (!kept_ && noise_) {
      redrawn_ = std::make_unique<MovedNoise>(*noise_, ++draws_ * 37);
      Buffer y = copy_of(x_.view());
      inner_->forward(x_.view(), redrawn_.get(), y.view());
    }
    inner_->backward(d);
  }

 private:
  Buffer x_;
  NoiseSource* noise_ = nullptr;
  std::unique_ptr<MovedNoise> redrawn_;
  bool kept_ = false;
  size_t draws_ = 0;
};

// The purified image clamped to [1/4, 3/4], with the true derivative: 0 where it is clamped.
class SaturatingClip : public PlantedDefence {
 public:
  using PlantedDefence::PlantedDefence;
  void forward(View x, NoiseSource* noise, View y) override {
    inner_->forward(x, noise, y);
    inside_.assign(y.size(), 1);
    clipped_.assign(y.n, 0);
    on_host(y, [this](View all) {
      for (int n = 0; n < all.n; ++n)
        for (size_t i = 0; i < all.image_size(); ++i) {
          real& v = all.image(n)[i];
          if (v >= 0.25 && v <= 0.75) continue;
          v = v < 0.25 ? 0.25 : 0.75;
          inside_[n * all.image_size() + i] = 0;
          clipped_[n] += 1.0 / all.image_size();
        }
    });
  }
  ClipCensus clips() const override {
    ClipCensus census = inner_->clips();
    census.fraction.push_back(clipped_);
    return census;
  }

 protected:
  void vjp(View d) override {
    if (mode().kind != Backward::FullSte)
      on_host(d, [this](View v) {
        for (size_t i = 0; i < v.size(); ++i) v.data[i] *= inside_[i];
      });
    inner_->backward(d);
  }

 private:
  std::vector<real> inside_;
  std::vector<double> clipped_;
};

// The backward pass runs with steps that differ from those of the forward pass.
class OtherBackwardSteps : public PlantedDefence {
 public:
  using PlantedDefence::PlantedDefence;
  bool keep_everything(bool on) override {
    const bool can = inner_->keep_everything(on);
    mode_changed();
    return can;
  }

 protected:
  virtual void change(ReverseStep& s) const = 0;
  void mode_changed() override {
    inner_->set_mode(mode());
    std::vector<ReverseStep> steps = purifier()->steps();
    for (ReverseStep& s : steps) {
      change(s);
      s.straight_through = s.straight_through || mode().kind == Backward::FullSte;
    }
    purifier()->set_backward_steps(steps);
  }
};

// The backward pass runs the network of step k at index k + 20: the forward labels shifted.
class WrongTimestep : public OtherBackwardSteps {
 public:
  using OtherBackwardSteps::OtherBackwardSteps;

 protected:
  void change(ReverseStep& s) const override { s.time = s.label = std::min(s.label + 20, kDiffusionSteps - 1); }
};

// Differentiates a chain of half as many steps and calls it full.
class SurrogateAsFull : public PlantedDefence {
 public:
  using PlantedDefence::PlantedDefence;

 protected:
  void mode_changed() override {
    inner_->set_mode(mode().kind == Backward::Full
                         ? Backward{Backward::Surrogate, static_cast<int>(purifier()->steps().size()) / 2}
                         : mode());
  }
};

// The backward pass takes the learned variance of every step for a constant.
class DetachedSigma : public OtherBackwardSteps {
 public:
  using OtherBackwardSteps::OtherBackwardSteps;

 protected:
  void change(ReverseStep& s) const override {
    s.learned = false;
  }
};

// Adds a little of the batch mean to every image.
class BatchCoupled : public PlantedDefence {
 public:
  using PlantedDefence::PlantedDefence;
  void forward(View x, NoiseSource* noise, View y) override {
    inner_->forward(x, noise, y);
    const Mirror from(x);
    on_host(y, [&from](View v) {
      for (size_t i = 0; i < v.image_size(); ++i) {
        accum sum = 0;
        for (int n = 0; n < v.n; ++n) sum += from.view().image(n)[i];
        for (int n = 0; n < v.n; ++n) v.image(n)[i] += static_cast<real>(0.01 * sum / v.n);
      }
    });
  }
};

}  // namespace

void MismatchedDefence::forward(View x, NoiseSource* noise, View y) {
  x_ = copy_of(x);
  noise_ = noise;
  inner_->forward(x, noise, y);
}

void MismatchedDefence::vjp(View d) {
  Buffer y = copy_of(x_.view());
  other_->forward(x_.view(), noise_, y.view());
  other_->backward(d);
}

const std::vector<PlantInfo>& planted_masks() {
  static const std::vector<PlantInfo> masks = {
      {"quantiser", "rounds the image to multiples of 1/8: no gradient anywhere", 1, false},
      {"quantiser-identity", "rounds the image and pretends the derivative is 1", 2, false},
      {"zero-backward", "a layer that passes no gradient", 1, false},
      {"nan-to-zero", "half of the gradient fails and is replaced by 0", 1, false},
      {"gradient-clip", "clips the gradient at +-1e7", 1, false},
      {"logits-1e4", "logits times 1e4: cross-entropy underflows", 19, false},
      {"logits-1e30", "logits times 1e30: beyond the range of float", 1, false},
      {"noise-redrawn", "draws new noise when it computes a step again", 4, true},
      {"saturating-clip", "clamps the purified image to [1/4, 3/4]", 5, false},
      {"wrong-timestep", "the backward pass runs the network at another index", 2, true},
      {"detached-sigma", "takes the learned variance of a step for a constant", 2, true},
      {"surrogate-as-full", "differentiates half as many steps and calls it full", 3, true},
      {"batch-coupled", "an image's result depends on its batch mates", 4, false},
  };
  return masks;
}

Plant plant(const std::string& name, std::unique_ptr<Defence> honest) {
  std::string known;
  const PlantInfo* info = nullptr;
  for (const PlantInfo& m : planted_masks()) {
    known += (known.empty() ? "" : ", ") + std::string(m.name);
    if (name == m.name) info = &m;
  }
  if (!info) fail(kUsage, "unknown mask '" + printable(name) + "'", "--plant", "choose one of " + known);
  if (info->needs_diffusion && !honest->purifier())
    fail(kUsage, "the mask " + name + " is a mistake of a diffusion chain", "--plant",
         "plant it into a diffusion purifier");
  const auto learned = [](const ReverseStep& s) { return s.learned; };
  if (name == "detached-sigma" &&
      std::none_of(honest->purifier()->steps().begin(), honest->purifier()->steps().end(), learned))
    fail(kUsage, "the mask " + name + " needs a learned variance", "--plant",
         "add --variance learned, with a network that predicts variances");
  if (name == "logits-1e4" || name == "logits-1e30") return {std::move(honest), name == "logits-1e4" ? 1e4 : 1e30};
  std::unique_ptr<Defence> d;
  if (name == "quantiser") d = std::make_unique<Quantiser>(std::move(honest), false);
  else if (name == "quantiser-identity") d = std::make_unique<Quantiser>(std::move(honest), true);
  else if (name == "zero-backward")
    d = std::make_unique<GradientFilter>(std::move(honest), [](real, size_t) { return real(0); });
  else if (name == "nan-to-zero")
    d = std::make_unique<GradientFilter>(std::move(honest),
                                         [](real v, size_t i) { return std::isnan(v) || i % 2 ? real(0) : v; });
  else if (name == "gradient-clip")
    d = std::make_unique<GradientFilter>(std::move(honest), [](real v, size_t) {
      return v > real(1e7) ? real(1e7) : v < real(-1e7) ? real(-1e7) : v;
    });
  else if (name == "noise-redrawn") d = std::make_unique<NoiseRedrawn>(std::move(honest));
  else if (name == "saturating-clip") d = std::make_unique<SaturatingClip>(std::move(honest));
  else if (name == "wrong-timestep") d = std::make_unique<WrongTimestep>(std::move(honest));
  else if (name == "detached-sigma") d = std::make_unique<DetachedSigma>(std::move(honest));
  else if (name == "surrogate-as-full") d = std::make_unique<SurrogateAsFull>(std::move(honest));
  else d = std::make_unique<BatchCoupled>(std::move(honest));
  d->set_mode(Backward::Full);
  return {std::move(d), 1};
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
