// The ops of the chain: one reverse diffusion step and the affine map y = a x + b z + c, by the checks of every op.
#include "ops/op_checks.h"

using namespace purescope;

namespace {

// x0 = a x - b eps, clipped; y = p x0 + q x + r eps + s z.
template <class T>
std::vector<T> oracle_step(const ReverseStep& s, const std::vector<std::vector<T>>& in) {
  std::vector<T> y(in[0].size());
  for (size_t i = 0; i < y.size(); ++i) {
    T x0 = s.to_x0 * in[0][i] - s.from_eps * in[1][i];
    if (s.clip && oracle::real_part(x0) > 1) x0 = 1;
    if (s.clip && oracle::real_part(x0) < -1) x0 = -1;
    y[i] = s.p * x0 + s.q * in[0][i] + s.r * in[1][i] + (in.size() > 2 ? s.s * in[2][i] : T(0));
  }
  return y;
}

// Three products and their sum, constants rounded to the scalar first.
constexpr Tolerance kStepTolerance = {1e-6, 1e-14};

OpCase step_case(int n, int h, int w, bool clip, bool noise) {
  const ReverseStep s{.label = 7, .to_x0 = 1.25, .from_eps = 0.7, .p = 0.4, .q = 0.55, .r = 0.2, .s = 0.3, .clip = clip};
  OpCase c{.name = "reverse_step " + std::to_string(n) + "x3x" + std::to_string(h) + (clip ? " clip" : "") + (noise ? " noise" : ""),
           .tolerance = kStepTolerance, .batch = n};
  c.in = {images("x", 3, h, w), images("eps", 3, h, w)};
  if (noise) c.in.push_back(images("z", 3, h, w));
  c.out = images("y", 3, h, w);
  c.forward = [s](const Views& v) { reverse_step_forward(s, v.in[0], v.in[1], v.in.size() > 2 ? v.in[2] : View{}, v.out); };
  c.backward = [s](const Views& v) {
    reverse_step_backward(s, v.in[0], v.in[1], v.dout, v.din[0], v.din[1]);
    if (v.din.size() > 2 && !v.din[2].empty()) affine_forward(s.s, v.dout, 0, {}, 0, v.din[2]);
  };
  c.set_oracle([s](const auto& a) { return oracle_step(s, a.in); });
  c.linear_in_inputs = !clip;
  c.has_kink = clip;
  return c;
}

OpCase affine_case(int n, int h, int w, bool with_z) {
  OpCase c{.name = "affine " + std::to_string(n) + "x3x" + std::to_string(h) + (with_z ? " z" : ""), .tolerance = kStepTolerance, .batch = n};
  c.in = {images("x", 3, h, w)};
  if (with_z) c.in.push_back(images("z", 3, h, w));
  c.out = images("y", 3, h, w);
  c.forward = [](const Views& v) { affine_forward(1.7, v.in[0], -0.6, v.in.size() > 1 ? v.in[1] : View{}, 0.25, v.out); };
  c.backward = [](const Views& v) {
    for (size_t i = 0; i < v.din.size(); ++i)
      if (!v.din[i].empty()) affine_forward(i ? -0.6 : 1.7, v.dout, 0, {}, 0, v.din[i]);
  };
  c.set_oracle([](const auto& a) {
    auto y = a.in[0];
    for (size_t i = 0; i < y.size(); ++i) y[i] = 1.7 * a.in[0][i] + 0.25 + (a.in.size() > 1 ? -0.6 * a.in[1][i] : 0.0 * a.in[0][i]);
    return y;
  });
  c.linear_in_inputs = true;
  return c;
}

OpCase learned_noise_case(int n, int h, int w) {
  const ReverseStep s{.learned = true, .log_max = -2.5, .log_min = -9.25};
  OpCase c{.name = "learned_noise " + std::to_string(n) + "x3x" + std::to_string(h), .tolerance = kLearnedNoiseTolerance, .batch = n};
  c.in = {images("x", 3, h, w, -0.1, 0.1), images("v", 3, h, w, -1.2, 1.2)};
  c.state = {};
  c.out = images("y", 3, h, w);
  // The noise is no input of a gradient: it depends on the image alone.
  const auto z_of = [=](int first, int count) {
    Reals z;
    for (int k = 0; k < count; ++k) {
      const Reals one = random_reals(77 + first + k, static_cast<size_t>(3) * h * w, -2, 2);
      z.insert(z.end(), one.begin(), one.end());
    }
    return z;
  };
  c.forward = [=](const Views& v) {
    Reals z = z_of(v.first_image, v.in[0].n);
    learned_noise_forward(s, v.in[0], v.in[1], {z.data(), v.in[0].n, 3, h, w}, v.out);
  };
  c.backward = [=](const Views& v) {
    Reals z = z_of(v.first_image, v.dout.n);
    if (!v.din[0].empty()) copy_forward(v.dout, v.din[0]);
    if (!v.din[1].empty()) learned_noise_backward(s, v.in[1], {z.data(), v.dout.n, 3, h, w}, v.dout, v.din[1]);
  };
  c.set_oracle([=](const auto& a) {
    const Reals z = z_of(0, a.n);
    auto y = a.in[0];
    for (size_t i = 0; i < y.size(); ++i) {
      const auto f = 0.5 * a.in[1][i] + 0.5;
      y[i] += std::sqrt(std::exp(f * s.log_max + (1.0 - f) * s.log_min)) * static_cast<double>(z[i]);
    }
    return y;
  });
  return c;
}

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  for (bool first : {false, true})
    for (bool second : {false, true}) {
      cases.push_back(step_case(2, 3, 5, first, second));
      if (first) cases.push_back(step_case(5, 1, 2, first, second));
    }
  for (int n : {1, 2, 5}) cases.push_back(learned_noise_case(n, 3, 5 - n % 3));
  for (bool with_z : {false, true}) {
    cases.push_back(affine_case(2, 3, 5, with_z));
    cases.push_back(affine_case(5, 1, 2, with_z));
  }
  return cases;
}

}  // namespace

TEST(ReverseStepOp, IsTheRightFunction) { for (const OpCase& c : all_cases()) check_forward(c); }
TEST(ReverseStepOp, BackwardIsItsDerivative) { for (const OpCase& c : all_cases()) check_derivative(c); }
TEST(ReverseStepOp, IsAdjoint) { for (const OpCase& c : all_cases()) check_adjoint(c); }
TEST(ReverseStepOp, KeepsTheContract) { for (const OpCase& c : all_cases()) check_contract(c); }

// Bounds belong to the inside (as torch.clamp), straight-through has the gradient of no clip, and NaN stays NaN.
TEST(ReverseStepOp, GradientOfTheClip) {
  const real nan = std::numeric_limits<real>::quiet_NaN();
  std::vector<real> x = {1, -1, real(1.5), 0, nan}, eps(5, 0), dy(5, 1), y(5), dx(5), deps(5);
  auto view = [](std::vector<real>& v) { return View{v.data(), 1, 1, 1, static_cast<int>(v.size())}; };
  ReverseStep s{.to_x0 = 1, .from_eps = 0.5, .p = 2, .q = 0.25, .r = 0, .s = 0, .clip = true};
  reverse_step_forward(s, view(x), view(eps), {}, view(y));
  EXPECT_EQ(y[0], real(2.25));
  EXPECT_EQ(y[2], real(2 + 0.375));
  EXPECT_TRUE(std::isnan(y[4]));
  reverse_step_backward(s, view(x), view(eps), view(dy), view(dx), view(deps));
  const std::vector<real> inside = {2.25, 2.25, 0.25, 2.25}, eps_inside = {-1, -1, 0, -1};
  EXPECT_EQ(std::vector<real>(dx.begin(), dx.begin() + 4), inside);
  EXPECT_EQ(std::vector<real>(deps.begin(), deps.begin() + 4), eps_inside);
  s.straight_through = true;
  reverse_step_backward(s, view(x), view(eps), view(dy), view(dx), view(deps));
  EXPECT_EQ(dx[2], real(2.25));
  EXPECT_EQ(deps[2], real(-1));
}

// y may be x, with and without z.
TEST(AffineOp, InPlace) {
  const OpCase c = affine_case(2, 3, 5, true);
  const Data d = make_data(c, 2);
  const Reals expected = run(c, d, {.wanted = kNone}).out;
  Guarded x(c.in[0], 2, d.in[0]), z(c.in[1], 2, d.in[1]);
  affine_forward(1.7, x.view(), -0.6, z.view(), 0.25, x.view());
  EXPECT_TRUE(compare_bits(x.values(), expected).ok);
  EXPECT_TRUE(x.zones_intact());
}
