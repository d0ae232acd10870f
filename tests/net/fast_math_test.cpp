// Fast mode in a whole network: near the exact results, not equal to them, and the same bits for any batch, any number of threads and with
// or without kept filters.
#include <gtest/gtest.h>

#include "compare.h"
#include "core/parallel.h"
#include "fast_mode.h"
#include "net/algorithms.h"
#include "net/small_nets.h"

using namespace purescope;

namespace {

constexpr const char* kUnet = "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16";
constexpr const char* kWrn = "wrn:depth=10,widen=2,size=12";

Pass fast_pass(const char* arch, Mode mode, int batch, int first = 0, bool kept = false) {
  const FastMode fast;
  Net net = formula_net(arch);
  if (kept) net.params().freeze();
  net.plan(batch, mode);
  return run_pass(net, first);
}

// float: a network adds up the errors of its layers, about 1e-6 each. A sign of a ReLU that changes costs more.
void check_near(const char* arch, double bar) {
  Net net = formula_net(arch);
  net.plan(2, Mode::Training);
  const Pass exact = run_pass(net), fast = fast_pass(arch, Mode::Training, 2);
  const double tolerance = sizeof(real) == 8 ? 1e-11 : bar;
  const Comparison out = compare_l2(fast.out.data(), exact.out.data(), exact.out.size(), tolerance);
  const Comparison dx = compare_l2(fast.dx.data(), exact.dx.data(), exact.dx.size(), tolerance);
  EXPECT_TRUE(out.ok) << arch << ", output: " << out.message;
  EXPECT_TRUE(dx.ok) << arch << ", dx: " << dx.message;
  EXPECT_GT(dx.worst, 0) << arch << " was compared with itself";
  double worst = 0, largest = 0;
  for (const auto& d : exact.dparams) for (real v : d) largest = std::max(largest, std::abs(static_cast<double>(v)));
  for (size_t p = 0; p < exact.dparams.size(); ++p) {
    const Comparison r = compare(fast.dparams[p], exact.dparams[p], tolerance, largest);
    EXPECT_EQ(r.bad, 0u) << arch << ", " << net.model().params[p].key << ": " << r.message;
    worst = std::max(worst, r.worst);
  }
  std::printf("  %s, fast against exact: output %.2e, dx %.2e relative l2, parameter gradients %.2e of the largest\n", arch, out.worst, dx.worst,
              worst);
}

}  // namespace

TEST(FastMath, IsNearTheExactNetwork) {
  check_near(kUnet, 1e-5);
  check_near(kWrn, 1e-3);
}

TEST(FastMath, ExactModeIsTheDefaultAndComesBack) {
  if (current_device() != Device::Cpu && sizeof(real) == 8) GTEST_SKIP() << "on a device double has no fast mode";
  EXPECT_EQ(current_math(), MathMode::Exact);
  Net net = formula_net(kUnet);
  net.plan(1, Mode::InputGrad);
  const Pass before = run_pass(net);
  {
    const FastMode fast;
    net.plan(1, Mode::InputGrad);
    EXPECT_FALSE(compare_bits(run_pass(net).dx, before.dx).ok);
  }
  net.plan(1, Mode::InputGrad);
  EXPECT_TRUE(compare_bits(run_pass(net).dx, before.dx).ok);
}

TEST(FastMath, BatchThreadsAndKeptFiltersChangeNoBit) {
  const int before = thread_count();
  for (const char* arch : {kUnet, kWrn}) {
    set_thread_count(1);
    const Pass all = fast_pass(arch, Mode::InputGrad, 7), training = fast_pass(arch, Mode::Training, 7);
    const size_t out = all.out.size() / 7, in = all.dx.size() / 7;
    for (int k : {0, 3, 6}) {
      const Pass alone = fast_pass(arch, Mode::InputGrad, 1, k);
      EXPECT_TRUE(compare_bits(alone.out.data(), all.out.data() + k * out, out).ok) << arch << ", image " << k;
      EXPECT_TRUE(compare_bits(alone.dx.data(), all.dx.data() + k * in, in).ok) << arch << ", image " << k;
    }
    EXPECT_TRUE(compare_bits(fast_pass(arch, Mode::InputGrad, 7, 0, true).dx, all.dx).ok) << arch << ": kept filters";
    for (int threads : {2, 3}) {
      set_thread_count(threads);
      EXPECT_TRUE(compare_bits(fast_pass(arch, Mode::InputGrad, 7).dx, all.dx).ok) << arch << ", " << threads << " threads";
      const Pass again = fast_pass(arch, Mode::Training, 7);
      for (size_t p = 0; p < again.dparams.size(); ++p)
        EXPECT_TRUE(compare_bits(again.dparams[p], training.dparams[p]).ok) << arch << ", " << threads << " threads, parameter " << p;
    }
  }
  set_thread_count(before);
}

// Parameters that may change keep no filters; frozen ones do, once.
TEST(FastMath, OnlyFrozenParametersKeepFilters) {
  const FastMode fast;
  Net net = formula_net(kUnet);
  net.plan(1, Mode::InputGrad);
  EXPECT_EQ(net.params().filter_bytes(), 0u);
  const Pass first = run_pass(net);
  net.params().view(0).data[0] += 1;   // the new value is seen
  EXPECT_FALSE(compare_bits(run_pass(net).out, first.out).ok);
  net.params().view(0).data[0] -= 1;
  net.params().freeze();
  net.plan(1, Mode::InputGrad);
  const size_t bytes = net.params().filter_bytes();
  EXPECT_EQ(bytes, filter_values(net.model(), true) * sizeof(real));
  EXPECT_GT(bytes, 0u);
  net.plan(2, Mode::InputGrad);
  EXPECT_EQ(net.params().filter_bytes(), bytes);
}
