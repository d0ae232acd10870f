// One reverse step as an op: its value, its derivative with the clip active and not, straight-through, and exactly on
// the boundary.
#include <gtest/gtest.h>

#include "diffusion/chain.h"

using namespace purescope;

namespace {

struct StepData {
  explicit StepData(const std::string& seed, int n = 2) : shape{nullptr, n, 3, 5, 7} {
    for (auto* v : {&x, &eps, &z, &dy}) {
      v->resize(shape.size());
      const auto values = direction(seed + std::to_string(v == &x     ? 0
                                                          : v == &eps ? 1
                                                          : v == &z   ? 2
                                                                      : 3),
                                    shape.size(), 0, 1.5);
      for (size_t i = 0; i < v->size(); ++i) (*v)[i] = static_cast<real>(values[i]);
    }
  }
  View view(std::vector<real>& v) { return shaped(v, shape); }
  View shape;
  std::vector<real> x, eps, z, dy;
};

std::vector<real> forward(const ReverseStep& s, StepData& d) {
  std::vector<real> y(d.x.size());
  reverse_step_forward(s, d.view(d.x), d.view(d.eps), s.s != 0 ? d.view(d.z) : View{}, d.view(y));
  return y;
}

std::pair<std::vector<real>, std::vector<real>> backward(const ReverseStep& s, StepData& d) {
  std::vector<real> dx(d.x.size()), deps(d.x.size());
  reverse_step_backward(s, d.view(d.x), d.view(d.eps), d.view(d.dy), d.view(dx), d.view(deps));
  return {dx, deps};
}

std::vector<PurifyOptions> variants() {
  std::vector<PurifyOptions> list;
  for (SamplerKind kind : {SamplerKind::Ddpm, SamplerKind::Eta})
    for (double eta : {0.0, 1.0, 0.4})
      for (Clip clip : {Clip::X0, Clip::None, Clip::StraightThrough}) {
        if (kind == SamplerKind::Ddpm && eta != 0) continue;
        PurifyOptions o;
        o.t = 600;
        o.steps_reverse = 60;
        o.sampler = kind;
        o.eta = eta;
        o.clip = clip;
        list.push_back(o);
      }
  return list;
}

}  // namespace

TEST(ReverseStepOp, Formula) {
  for (const PurifyOptions& o : variants()) {
    const std::vector<ReverseStep> steps = reverse_steps(o);
    for (int m : {0, 30, 59}) {
      const ReverseStep& s = steps[m];
      StepData d("formula");
      std::vector<double> expected(d.x.size());
      int clipped = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        double x0 = s.to_x0 * d.x[i] - s.from_eps * d.eps[i];
        if (s.clip && std::abs(x0) > 1) { x0 = x0 > 0 ? 1 : -1; ++clipped; }
        expected[i] = s.p * x0 + s.q * d.x[i] + s.r * d.eps[i] + s.s * d.z[i];
      }
      const std::vector<real> y = forward(s, d);
      const Comparison r = compare(y, expected, kDouble ? 1e-14 : 1e-6);
      EXPECT_TRUE(r) << r.message;
      if (s.clip) { EXPECT_GT(clipped, 0); EXPECT_LT(clipped, static_cast<int>(expected.size())); }
    }
  }
}

// The step is piecewise linear: central differences are exact up to rounding wherever the mask stays.
TEST(ReverseStepOp, DerivativeAgainstCentralDifferences) {
  PURESCOPE_NEEDS_DOUBLE();
  for (const PurifyOptions& o : variants()) {
    if (o.clip == Clip::StraightThrough) continue;
    const std::vector<ReverseStep> steps = reverse_steps(o);
    for (int m : {0, 30, 59}) {
      const ReverseStep& s = steps[m];
      StepData d("derivative");
      const auto [dx, deps] = backward(s, d);
      const double h = 1e-4;
      int clipped = 0, counted = 0, crossed = 0;
      for (bool in_x : {true, false}) {
        std::vector<real>& moved = in_x ? d.x : d.eps;
        const std::vector<real> base = moved;
        std::vector<double> difference(base.size()), expected(base.size());
        for (size_t i = 0; i < base.size(); ++i) moved[i] = base[i] + static_cast<real>(h);
        const std::vector<real> above = forward(s, d);
        for (size_t i = 0; i < base.size(); ++i) moved[i] = base[i] - static_cast<real>(h);
        const std::vector<real> below = forward(s, d);
        moved = base;
        for (size_t i = 0; i < base.size(); ++i) {
          const double x0 = s.to_x0 * d.x[i] - s.from_eps * d.eps[i], reach = h * (in_x ? s.to_x0 : s.from_eps);
          if (s.clip && std::abs(std::abs(x0) - 1) <= reach) { ++crossed; continue; }
          if (s.clip && std::abs(x0) > 1) ++clipped;
          ++counted;
          difference[i] = d.dy[i] * (above[i] - below[i]) / (2 * h);
          expected[i] = in_x ? dx[i] : deps[i];
        }
        const Comparison r = compare(difference, expected, 1e-8, 1);
        EXPECT_TRUE(r) << describe(o) << (in_x ? ", dx: " : ", deps: ") << r.message;
      }
      EXPECT_GT(counted, 9 * crossed);
      if (s.clip) { EXPECT_GT(clipped, 0); }
      if (crossed) std::printf("%d of %d values within h of the clip do not count\n", crossed, crossed + counted);
    }
  }
}

TEST(ReverseStepOp, StraightThroughHasTheGradientWithoutClip) {
  for (PurifyOptions o : variants()) {
    if (o.clip != Clip::StraightThrough) continue;
    const ReverseStep straight = reverse_steps(o)[10];
    o.clip = Clip::X0;
    const ReverseStep clipped = reverse_steps(o)[10];
    ReverseStep plain = straight;
    plain.clip = false;
    StepData d("straight");
    EXPECT_TRUE(compare_bits(forward(straight, d), forward(clipped, d)));
    EXPECT_FALSE(compare_bits(forward(straight, d), forward(plain, d)));
    EXPECT_TRUE(compare_bits(backward(straight, d).first, backward(plain, d).first));
    EXPECT_TRUE(compare_bits(backward(straight, d).second, backward(plain, d).second));
    EXPECT_FALSE(compare_bits(backward(straight, d).second, backward(clipped, d).second));
  }
}

// At exactly +-1 the gradient passes, as through torch.clamp; one step of the scalar further out it does not.
TEST(ReverseStepOp, GradientOnTheBoundary) {
  ReverseStep s;
  s.to_x0 = 1; s.from_eps = 1; s.p = 0.75; s.q = 0.5; s.r = 0.25; s.clip = true;
  const real one = 1, above = std::nextafter(one, real(2));
  std::vector<real> x = {one, -one, above, -above, 0, 5, one}, eps(7, 0), dy = {2, 2, 2, 2, 2, 2, 2}, dx(7), deps(7);
  eps[5] = 4;  // x0 = 5 - 4 = 1
  eps[6] = std::numeric_limits<real>::epsilon() * -1;
  const View like{nullptr, 1, 7, 1, 1};
  reverse_step_backward(s, shaped(x, like), shaped(eps, like), shaped(dy, like), shaped(dx, like), shaped(deps, like));
  const std::vector<real> expected_dx = {2.5, 2.5, 1, 1, 2.5, 2.5, 1}, expected_deps = {-1, -1, 0.5, 0.5, -1, -1, 0.5};
  EXPECT_TRUE(compare_bits(dx, expected_dx));
  EXPECT_TRUE(compare_bits(deps, expected_deps));
}

TEST(ReverseStepOp, NanStaysNan) {
  ReverseStep s;
  s.to_x0 = 1; s.from_eps = 1; s.p = 1; s.clip = true;
  std::vector<real> x = {std::numeric_limits<real>::quiet_NaN(), real(0.5)}, eps = {0, 0}, y(2);
  const View like{nullptr, 1, 2, 1, 1};
  reverse_step_forward(s, shaped(x, like), shaped(eps, like), {}, shaped(y, like));
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], real(0.5));
}
