// The defences as functions of an image: value, derivative, backward modes, and closed forms where there are any.
#include "defence/defence.h"

#include <gtest/gtest.h>

#include "attack/targets.h"
#include "core/check.h"
#include "defence/gaussian_field.h"

using namespace purescope;

namespace {

constexpr int kSide = 8;

struct Bench {
  Net unet = formula_net(kTinyUnet);
  NoiseStream stream = native_stream();
  KeyedNoise noise{stream, 3, {5, 8}};
  Buffer x = pictures("defence", 2, kSide), cotangent = pictures("cotangent", 2, kSide, -1, 1), y{2, 3, kSide, kSide};
  PurifyOptions options;
  explicit Bench(Clip clip = Clip::None) { options.t = 6; options.clip = clip; }
  std::unique_ptr<DiffusionDefence> make(int keep = 0) { return std::make_unique<DiffusionDefence>(unet, options, 2, true, keep); }

  // J^T cotangent at x, in the defence's current mode.
  std::vector<real> gradient(Defence& f) {
    f.forward(x.view(), &noise, y.view());
    Buffer d = buffer_of(values_of(cotangent.view()), 2, 3, kSide, kSide);
    f.backward(d.view());
    return values_of(d.view());
  }
  // <cotangent, f(x + s v)>.
  double value(Defence& f, const std::vector<real>& v, double s) {
    Buffer moved(2, 3, kSide, kSide);
    for (size_t i = 0; i < moved.size(); ++i) moved.data()[i] = static_cast<real>(x.data()[i] + s * v[i]);
    f.forward(moved.view(), &noise, y.view());
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y.data()[i]) * cotangent.data()[i];
    return sum;
  }
  // |central difference - <g, v>| / (|g| |v|) along v = g, best of three steps.
  double derivative_error(Defence& f, const std::vector<real>& g) {
    const double square = std::pow(norm({g.begin(), g.end()}), 2);
    double best = 1e300;
    for (double h : {1e-3, 1e-4, 1e-5})
      best = std::min(best, std::fabs((value(f, g, h) - value(f, g, -h)) / (2 * h) - square) / square);
    return best;
  }
};

double cosine(const std::vector<real>& a, const std::vector<real>& b) {
  double ab = 0;
  for (size_t i = 0; i < a.size(); ++i) ab += static_cast<double>(a[i]) * b[i];
  return ab / (norm({a.begin(), a.end()}) * norm({b.begin(), b.end()}));
}

GaussianField field() {
  GaussianField f;
  f.variance = two_variances(3 * kSide * kSide, 30, 1, 0.01);
  f.step = 0.001;
  f.steps = 20;
  return f;
}

}  // namespace

// Every defence in mode full is the derivative of its forward pass; a guided chain too, through both paths of the guide.
TEST(Defence, FullIsTheDerivative) {
  if (!kDouble) GTEST_SKIP() << "differences need double";
  for (const double guidance : {0.0, 2000.0}) {
    for (const ForwardKind forward : {ForwardKind::Jump, ForwardKind::Steps}) {
      Bench b;
      b.options.guidance = guidance;
      b.options.forward = forward;
      const auto f = b.make();
      EXPECT_LE(b.derivative_error(*f, b.gradient(*f)), 1e-8) << guidance;
    }
  }
  Bench b;
  GaussianFieldDefence linear(field());
  EXPECT_LE(b.derivative_error(linear, b.gradient(linear)), 1e-8);
  GaussianNoiseDefence noise(0.25);
  EXPECT_LE(b.derivative_error(noise, b.gradient(noise)), 1e-8);
}

// Negative control of the guided derivative: without the guide's own path the same check refuses.
TEST(Defence, GuidedGradientWithoutTheGuideIsRefused) {
  if (!kDouble) GTEST_SKIP() << "differences need double";
  Bench b;
  const std::vector<real> unguided = b.gradient(*b.make());
  b.options.guidance = 2000;
  const auto guided = b.make();
  EXPECT_GE(b.derivative_error(*guided, unguided), 1e-5);   // the right one stays below 1e-8
}

TEST(Defence, GuidanceChangesTheImageAndKeepsTheBitsOfStoredGradients) {
  Bench b;
  const auto plain = b.make();
  plain->forward(b.x.view(), &b.noise, b.y.view());
  const std::vector<real> unguided = values_of(b.y.view());
  b.options.guidance = 2000;
  const auto guided = b.make();
  const std::vector<real> g = b.gradient(*guided);
  EXPECT_FALSE(compare(values_of(b.y.view()), unguided, 1e-3).ok);
  ASSERT_TRUE(guided->keep_everything(true));
  EXPECT_TRUE(compare_bits(b.gradient(*guided), g).ok);
  ASSERT_TRUE(guided->keep_everything(false));
  EXPECT_TRUE(compare_bits(b.gradient(*guided), g).ok);
}

TEST(Defence, Modes) {
  Bench b(Clip::X0);
  const auto f = b.make();
  const std::vector<real> full = b.gradient(*f);
  // bpda: the cotangent itself. forward-noise-only: that times sqrt(abar of the last forward step).
  f->set_mode(Backward::Bpda);
  EXPECT_TRUE(compare_bits(b.gradient(*f), values_of(b.cotangent.view())).ok);
  f->set_mode(Backward::ForwardNoiseOnly);
  std::vector<real> scaled = values_of(b.cotangent.view());
  for (real& v : scaled) v = static_cast<real>(v * std::sqrt(linear_schedule().abar[5]));
  EXPECT_TRUE(compare(b.gradient(*f), scaled, 1e-6).ok);
  // full-ste: the gradient of the chain whose option is straight-through, with the same forward pass; and not that of full, as x0 is clipped.
  f->set_mode(Backward::FullSte);
  const std::vector<real> ste = b.gradient(*f), image = values_of(b.y.view());
  Bench s(Clip::StraightThrough);
  EXPECT_TRUE(compare_bits(s.gradient(*s.make()), ste).ok);
  EXPECT_TRUE(compare_bits(values_of(s.y.view()), image).ok);
  EXPECT_FALSE(compare(ste, full, 1e-3).ok);
  // surrogate: the gradient of the shorter chain at the same noise, the forward pass untouched; a surrogate of full length is full.
  f->set_mode({Backward::Surrogate, 3});
  const std::vector<real> surrogate = b.gradient(*f);
  EXPECT_TRUE(compare_bits(values_of(b.y.view()), image).ok);
  Bench shorter(Clip::X0);
  shorter.options.steps_reverse = 3;
  EXPECT_TRUE(compare_bits(shorter.gradient(*shorter.make()), surrogate).ok);
  EXPECT_FALSE(compare(surrogate, full, 1e-3).ok);
  EXPECT_GT(cosine(surrogate, full), 0.3);
  f->set_mode({Backward::Surrogate, 6});
  EXPECT_TRUE(compare_bits(b.gradient(*f), full).ok);
  f->set_mode(Backward::Full);
  EXPECT_TRUE(compare_bits(b.gradient(*f), full).ok);
  EXPECT_THROW(f->set_mode({Backward::Surrogate, 4}), Error);   // does not divide t*
  IdentityDefence none;
  EXPECT_THROW(none.set_mode({Backward::Surrogate, 2}), Error);
}

TEST(Defence, ModeNames) {
  for (const Backward mode : {Backward(Backward::Full), Backward(Backward::FullSte), Backward(Backward::Bpda), Backward(Backward::Surrogate, 5),
                              Backward(Backward::ForwardNoiseOnly)})
    EXPECT_EQ(parse_backward(backward_name(mode), "--backward"), mode);
  EXPECT_THROW(parse_backward("surrogate:0", "--backward"), Error);
  EXPECT_THROW(parse_backward("adjoint", "--backward"), Error);
}

// Fractions of clipped predictions agree with a count of the test's own, and without clipping nothing is counted.
TEST(Defence, ClipCensus) {
  Bench b(Clip::X0);
  const auto f = b.make();
  f->count_clips(true);
  f->forward(b.x.view(), &b.noise, b.y.view());
  const ClipCensus census = f->clips();
  ASSERT_EQ(census.fraction.size(), 6u);
  ASSERT_EQ(census.fraction[5].size(), 2u);
  // At the last step (index 0) the state is the clipped prediction: the clipped values are those at -1 or 1, but for rounding.
  const View last = f->purifier()->trail().x(6);
  int clipped = 0;
  for (int n = 0; n < 2; ++n) {
    int edge = 0;
    for (size_t i = 0; i < last.image_size(); ++i) edge += std::abs(std::abs(last.image(n)[i]) - 1) < 1e-6;
    clipped += edge;
    EXPECT_DOUBLE_EQ(census.fraction[5][n], static_cast<double>(edge) / last.image_size());
  }
  EXPECT_GT(clipped, 0);
  Bench open;
  const auto g = open.make();
  g->count_clips(true);
  g->forward(open.x.view(), &open.noise, open.y.view());
  for (const auto& row : g->clips().fraction) EXPECT_EQ(row, std::vector<double>(2, 0.0));
}

// f(x) = mu + A (x - mu), the gradient A c, and the numbers of table S1 for one step.
TEST(Defence, GaussianFieldIsItsClosedForm) {
  Bench b;
  GaussianFieldDefence f(field());
  const std::vector<real> g = b.gradient(f);
  const std::vector<double>& a = f.factors();
  EXPECT_NEAR(a[0], std::pow(0.999, 20), 1e-12);
  EXPECT_NEAR(a[100], std::pow(0.9, 20), 1e-12);
  std::vector<double> y(b.x.size()), dx(b.x.size());
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = 0.5 + a[i % a.size()] * (b.x.data()[i] - 0.5);
    dx[i] = a[i % a.size()] * b.cotangent.data()[i];
  }
  EXPECT_TRUE(compare(values_of(b.y.view()), y, kDouble ? 1e-12 : 1e-5).ok);
  EXPECT_TRUE(compare(g, dx, kDouble ? 1e-12 : 1e-5).ok);
  GaussianField one;
  one.variance = two_variances(3072, 40, 1, 0.01);
  one.steps = 1;
  EXPECT_NEAR(GaussianFieldDefence(one).expected_rate(), 0.901359, 1e-6);
  one.variance = two_variances(3072, 40, 1, 0.01 * 0.01);   // 0.01 read as a standard deviation
  EXPECT_THROW(GaussianFieldDefence{one}, Error);
}

TEST(Defence, GaussianNoise) {
  Bench b;
  GaussianNoiseDefence f(0.25);
  f.forward(b.x.view(), &b.noise, b.y.view());
  double square = 0;
  for (size_t i = 0; i < b.y.size(); ++i) square += std::pow(b.y.data()[i] - b.x.data()[i], 2);
  EXPECT_NEAR(std::sqrt(square / b.y.size()), 0.25, 0.03);   // 384 draws: standard error 0.009
  EXPECT_TRUE(f.random());
}
