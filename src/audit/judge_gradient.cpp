#include "audit/judge_gradient.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

Likeness likeness(const std::string& name, const std::string& failure, View given, View candidate) {
  Likeness l{name, failure};
  for (int n = 0; n < given.n; ++n) {
    double gg = 0, gc = 0, cc = 0;
    size_t same = 0;
    for (size_t i = 0; i < given.image_size(); ++i) {
      const double g = given.image(n)[i], c = candidate.image(n)[i];
      gg += g * g, gc += g * c, cc += c * c;
      same += (g > 0) - (g < 0) == (c > 0) - (c < 0);
    }
    const double scale = gc / gg;
    l.cosine += gc / std::sqrt(gg * cc) / given.n;
    l.relative += std::sqrt(std::max(0.0, gg - 2 * gc + cc) / cc) / given.n;
    l.relative_scaled += std::sqrt(std::max(0.0, cc - gc * scale) / cc) / given.n;
    l.scale += scale / given.n;
    l.sign += static_cast<double>(same) / given.image_size() / given.n;
  }
  return l;
}

// The noise of a source, handed on with the reverse draws exchanged: what a checkpoint that redraws would see.
class OtherDraws : public NoiseSource {
 public:
  explicit OtherDraws(NoiseSource& source) : source_(source) {}
  void forward(ForwardKind kind, int t, View out) override { source_.forward(kind, t, out); }
  void reverse(int order, int t, View out) override {
    source_.reverse(order, t, out);
    affine_forward(-1, out, 0, {}, 0, out);
  }

 private:
  NoiseSource& source_;
};

}  // namespace

std::vector<Likeness> compare_gradient(Subject& s, const Unit& u, View given, NoiseSource& noise) {
  constexpr AttackLoss kLoss = AttackLoss::CrossEntropy;
  std::vector<Likeness> list;
  auto add = [&](const std::string& name, const std::string& failure, View candidate) {
    list.push_back(likeness(name, failure, given, candidate));
  };
  add("full", "", s.gradient(u, Backward::Full, kLoss, noise).view());
  Defence* defence = s.target.defence();
  if (!defence) return list;
  auto mode = [&](const Backward& m, const std::string& failure) {
    if (defence->has_mode(m)) add(backward_name(m), failure, s.gradient(u, m, kLoss, noise).view());
  };
  mode(Backward::FullSte, "G7: straight through where the sampler clips");
  mode(Backward::Bpda, "G6: the purifier is taken as the identity");
  mode(Backward::ForwardNoiseOnly, "G6: only the forward noising is differentiated");
  Purifier* p = defence->purifier();
  if (!p) return list;
  const int steps = static_cast<int>(p->steps().size());
  for (int part : {2, 5, 10})
    if (steps % part == 0 && steps > part)
      mode({Backward::Surrogate, steps / part}, "G6: a shorter chain is differentiated");

  // The chain as it is, differentiated with changed steps.
  auto changed = [&](const std::string& name, const std::string& failure,
                     const std::function<void(ReverseStep&)>& change) {
    std::vector<ReverseStep> wrong = p->steps();
    for (ReverseStep& step : wrong) change(step);
    s.target.set_mode(Backward::Full);
    p->set_backward_steps(wrong);
    Buffer g = like(u.x);
    s.forward(u.x, &noise);
    s.backward(u, g.view());
    s.target.set_mode(s.options.backward);
    add(name, failure, g.view());
  };
  for (int shift : {-1, 1})
    changed("network index " + std::string(shift > 0 ? "+ 1" : "- 1"),
            "G2, G12: the backward pass runs the network at another index",
            [shift](ReverseStep& step) { step.time = step.label = std::clamp(step.label + shift, 0, kDiffusionSteps - 1); });
  changed("no network", "G1: the network of every step is left out (only the direct path)",
          [](ReverseStep& step) { step.r = 0, step.from_eps = 0; });
  OtherDraws other(noise);
  add("other noise", "G4: the noise of the forward pass is not that of the gradient",
      s.gradient(u, Backward::Full, kLoss, other).view());
  Buffer margin = s.gradient(u, Backward::Full, AttackLoss::Margin, noise);
  add("margin loss", "another loss: the margin instead of cross-entropy", margin.view());
  return list;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
