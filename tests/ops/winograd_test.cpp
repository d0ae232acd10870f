// Fast convolution: the checks of every op in both tile sizes, and the shapes of the shipped networks against the exact kernels.
#include "ops/winograd.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "core/math_mode.h"
#include "models/zoo.h"
#include "net/algorithms.h"
#include "net/params.h"
#include "ops/conv_cases.h"
#include "ops/op_checks.h"

using namespace purescope;

namespace {

constexpr ConvAlgorithm kFast[] = {ConvAlgorithm::Winograd2, ConvAlgorithm::Winograd4};

// Transforms with factors up to 8 and their inverses cost digits: F(4x4) measures up to 1e-5 of the largest value for sums of 2304.
constexpr Tolerance kWinogradTolerance = {2e-5, 1e-12};
// Relative l2 error, largest over all shipped shapes measured 9e-7 and 4e-6.
constexpr double kL2[] = {2e-6, 8e-6};

OpCase fast_case(int n, int h, int w, Conv2d s, bool bias, ConvAlgorithm algorithm, double range = 1) {
  s.algorithm = algorithm;
  OpCase c = conv2d_case(n, h, w, s, bias, range);
  c.name += std::string(", ") + algorithm_name(algorithm);
  c.tolerance = kWinogradTolerance;
  return c;
}

std::vector<OpCase> winograd_cases() {
  std::vector<OpCase> cases;
  for (ConvAlgorithm a : kFast) {
    cases.push_back(fast_case(2, 1, 1, {3, 2, 3, 1, 1, 1}, true, a));             // a picture smaller than a tile
    cases.push_back(fast_case(2, 5, 7, {3, 4, 3, 1, 1, 1}, true, a));             // tiles that stick out, few channels
    cases.push_back(fast_case(2, 5, 7, {3, 4, 3, 1, 1, 1}, false, a));
    cases.push_back(fast_case(2, 8, 4, {17, 33, 3, 1, 1, 1}, true, a));           // channels beyond one block of lanes
    cases.push_back(fast_case(1, 5, 5, {2, 3, 3, 1, 2, 0}, true, a));             // padding before only
    cases.push_back(fast_case(1, 6, 6, {2, 2, 3, 1, 0, 0}, true, a));             // no padding
    cases.push_back(fast_case(1, 20, 20, {40, 33, 3, 1, 1, 1}, true, a));
    cases.push_back(fast_case(1, 50, 67, {48, 48, 3, 1, 1, 1}, true, a));         // several chunks in one picture
    cases.push_back(fast_case(7, 8, 8, {64, 32, 3, 1, 1, 1}, true, a));           // several pictures in one chunk
    cases.push_back(fast_case(1, 4, 4, {300, 32, 3, 1, 1, 1}, true, a, 0.1));     // two blocks of the sum over channels
  }
  return cases;
}

// One convolution, all three results.
struct All { std::vector<real> y, dx, dw; };

struct Shape {
  Conv2d conv;
  int h, w;
  bool operator<(const Shape& o) const {
    return std::tie(conv.in, conv.out, conv.pad_before, h, w) < std::tie(o.conv.in, o.conv.out, o.conv.pad_before, o.h, o.w);
  }
};

View view_of(std::vector<real>& v, int n, int c, int h, int w) { return {v.data(), n, c, h, w}; }

All compute(const Shape& shape, ConvAlgorithm algorithm, int images, real disturb = 0) {
  Conv2d s = shape.conv;
  s.algorithm = algorithm;
  const int out_h = conv2d_size(s, shape.h), out_w = conv2d_size(s, shape.w);
  const auto fill = [](size_t count, const char* key, double scale) {
    std::vector<real> v(count);
    for (size_t i = 0; i < count; ++i) v[i] = formula_value(key, i, 0, scale);
    return v;
  };
  std::vector<real> x = fill(static_cast<size_t>(images) * s.in * shape.h * shape.w, "x", 1), w = fill(size_t(9) * s.in * s.out, "w", 0.1);
  std::vector<real> dy = fill(static_cast<size_t>(images) * s.out * out_h * out_w, "dy", 1);
  w[w.size() / 2] += disturb;
  All r{std::vector<real>(dy.size()), std::vector<real>(x.size()), std::vector<real>(w.size())};
  const View weight = view_of(w, s.out, s.in, 3, 3), input = view_of(x, images, s.in, shape.h, shape.w), grad = view_of(dy, images, s.out, out_h, out_w);
  conv2d_forward(s, input, weight, {}, view_of(r.y, images, s.out, out_h, out_w));
  conv2d_backward(s, input, weight, grad, view_of(r.dx, images, s.in, shape.h, shape.w), view_of(r.dw, s.out, s.in, 3, 3), {});
  return r;
}

// Every 3 x 3 shape of stride 1 of the shipped networks, once.
std::set<Shape> shipped_shapes() {
  std::set<Shape> shapes;
  for (const char* arch : {"ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", "ddpm-cifar10", "wrn-28-10", "cifar-resnet-20",
                           "ddpm-unet:ch=32,mult=1-2-2,blocks=1,attn=8,size=32"}) {
    const Model model = make_model(arch);
    for (const Step& s : model.steps)
      if (s.op == Op::Conv2d && s.conv2d.kernel == 3 && s.conv2d.stride == 1)
        shapes.insert({s.conv2d, model.values[s.in[0]].h, model.values[s.in[0]].w});
  }
  return shapes;
}

// worst[0..2]: the largest error so far of y, dx, dweight.
void expect_near(const All& fast, const All& exact, double bar, double* worst) {
  const double tolerance = kRealIsDouble ? 1e-13 : bar;
  const Comparison r[] = {compare_l2(fast.y.data(), exact.y.data(), exact.y.size(), tolerance),
                          compare_l2(fast.dx.data(), exact.dx.data(), exact.dx.size(), tolerance),
                          compare_l2(fast.dw.data(), exact.dw.data(), exact.dw.size(), tolerance)};
  for (int k = 0; k < 3; ++k) {
    EXPECT_TRUE(r[k].ok) << "forward, dx, dweight: " << k << ": " << r[k].message;
    worst[k] = std::max(worst[k], r[k].worst);
  }
}

}  // namespace

TEST(WinogradOp, IsTheRightFunction) { for (const OpCase& c : winograd_cases()) check_forward(c); }
TEST(WinogradOp, BackwardIsItsDerivative) { for (const OpCase& c : winograd_cases()) check_derivative(c); }
TEST(WinogradOp, IsAdjoint) { for (const OpCase& c : winograd_cases()) check_adjoint(c); }
TEST(WinogradOp, KeepsTheContract) { for (const OpCase& c : winograd_cases()) check_contract(c); }

TEST(Winograd, ShippedShapesAgreeWithTheExactKernels) {
  const std::set<Shape> shapes = shipped_shapes();
  EXPECT_GT(shapes.size(), 20u);
  double worst[2][3] = {};
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(std::to_string(shape.conv.in) + " to " + std::to_string(shape.conv.out) + " on " + std::to_string(shape.h));
    const All exact = compute(shape, ConvAlgorithm::Exact, 2);
    for (int k = 0; k < 2; ++k) {
      SCOPED_TRACE(algorithm_name(kFast[k]));
      expect_near(compute(shape, kFast[k], 2), exact, kL2[k], worst[k]);
    }
  }
  for (int k = 0; k < 2; ++k)
    std::printf("  %s against the exact kernels, largest relative l2 error of %zu shapes: forward %.2e, dx %.2e, dweight %.2e\n",
                algorithm_name(kFast[k]), shapes.size(), worst[k][0], worst[k][1], worst[k][2]);
}

// One wrong weight of 295 936 is seen, and the fast kernels are not the exact ones.
TEST(Winograd, AWrongWeightIsSeen) {
  const Shape shape{{136, 64}, 9, 11};
  const All exact = compute(shape, ConvAlgorithm::Exact, 1);
  double worst[3] = {};
  for (int k = 0; k < 2; ++k) {
    const All fast = compute(shape, kFast[k], 1), wrong = compute(shape, kFast[k], 1, real(0.05));
    expect_near(fast, exact, kL2[k], worst);
    EXPECT_FALSE(compare_bits(fast.y, exact.y).ok);
    EXPECT_FALSE(compare_l2(wrong.y.data(), exact.y.data(), exact.y.size(), kL2[k]).ok);
    EXPECT_FALSE(compare_l2(wrong.dx.data(), exact.dx.data(), exact.dx.size(), kL2[k]).ok);
  }
}

// The batch may cross chunks: image k of a large batch has the bits of image k alone, kept filters those of filters made on the call.
TEST(Winograd, BatchAndKeptFiltersChangeNoBit) {
  const Shape shape{{96, 64}, 10, 10};
  for (ConvAlgorithm algorithm : kFast) {
    const All many = compute(shape, algorithm, 40), few = compute(shape, algorithm, 3);
    EXPECT_TRUE(compare_bits(many.y.data(), few.y.data(), few.y.size()).ok);
    EXPECT_TRUE(compare_bits(many.dx.data(), few.dx.data(), few.dx.size()).ok);
  }
}

TEST(Winograd, TheChoiceDependsOnTheShapeAlone) {
  EXPECT_EQ(choose_algorithm({.in = 128, .out = 128}, 32, 32), ConvAlgorithm::Winograd4);
  EXPECT_EQ(choose_algorithm({.in = 128, .out = 128, .stride = 2}, 32, 32), ConvAlgorithm::Exact);
  EXPECT_EQ(choose_algorithm({.in = 256, .out = 256, .kernel = 1, .pad_before = 0, .pad_after = 0}, 16, 16), ConvAlgorithm::Exact);
  EXPECT_EQ(choose_algorithm({.in = 3, .out = 128}, 32, 32), ConvAlgorithm::Exact);
  Model model = make_model("ddpm-cifar10");
  choose_algorithms(model, MathMode::Fast);
  EXPECT_GT(filter_values(model, true), filter_values(model, false));
  choose_algorithms(model, MathMode::Exact);
  EXPECT_EQ(filter_values(model, true), 0u);
}
