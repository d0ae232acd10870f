// The gradient of the whole chain (classifier after ten reverse steps) in fast mode against the exact one.
#include <gtest/gtest.h>

#include <algorithm>

#include "compare.h"
#include "diffusion/chain.h"
#include "fast_mode.h"

using namespace purescope;

namespace {

struct ChainRun { double loss; std::vector<real> dx; };

ChainRun run_chain(int keep_steps, double disturb = 0) {
  Net unet = formula_net(kSmallUnet), classifier = formula_net(kSmallWrn);
  PurifyOptions options;
  options.t = 10;
  Chain chain(unet, classifier, options, 2, keep_steps);
  const NoiseStream stream({NoiseRng::Native, {}, false});
  KeyedNoise noise(stream, 3, {5, 8});
  std::vector<real> x = test_images(unet, {5, 8});
  x[7] += static_cast<real>(disturb);
  const double loss = chain.forward(x, {1, 4}, noise);
  return {loss, chain.backward()};
}

double cosine(const std::vector<real>& a, const std::vector<real>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

// float: errors of 1e-6 per network, twenty passes, and here and there a ReLU of the classifier that changes its sign.
TEST(FastMath, GradientOfTheWholeChain) {
  const ChainRun exact = run_chain(0), other = run_chain(0, 0.2);
  const FastMode mode;
  const ChainRun fast = run_chain(0);
  const double bar = sizeof(real) == 8 ? 1e-10 : 1e-3;
  const Comparison near = compare_l2(fast.dx.data(), exact.dx.data(), exact.dx.size(), bar);
  std::printf("  whole chain, fast against exact: cosine 1 - %.2e, relative l2 error %.2e, loss %.8f and %.8f\n",
              1 - cosine(fast.dx, exact.dx), near.worst, fast.loss, exact.loss);
  EXPECT_TRUE(near.ok) << near.message;
  EXPECT_GT(near.worst, 0) << "compared with itself";
  EXPECT_GE(cosine(fast.dx, exact.dx), 1 - std::max(bar * bar, 1e-14));   // the cosine itself is rounded
  EXPECT_LE(std::abs(fast.loss - exact.loss), bar * std::abs(exact.loss));
  EXPECT_FALSE(compare_l2(other.dx.data(), exact.dx.data(), exact.dx.size(), bar).ok) << "control: another pixel, another gradient";
  // Recomputed or kept activations: the same bits, as in exact mode.
  EXPECT_TRUE(compare_bits(run_chain(4).dx, fast.dx).ok);
}
