// Every op that a network can contain, from the table of the op tests, and the resampling and learned noise around a purifier, on the emulated
// card and on a real one where there is one.
#include "cuda/device_checks.h"
#include "ops/op_list.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

class Twins : public testing::TestWithParam<int> {
 protected:
  std::vector<OpCase> cases() const { return cases_of(static_cast<Op>(GetParam())); }
  // Sizes of a real network say no more about order and contract than small ones, and take long.
  std::vector<OpCase> small() const {
    std::vector<OpCase> some;
    for (OpCase& c : cases())
      if (c.out.size(c.batch) <= 4096 && !c.big) some.push_back(c);
    return some;
  }
};

std::string name_of(const testing::TestParamInfo<int>& info) { return op_name(static_cast<Op>(info.param)); }

}  // namespace

TEST_P(Twins, AgreeWithTheCpu) {
  for (const Device device : test_devices())
    for (const OpCase& c : cases()) check_parity(device, c);
}

TEST_P(Twins, KeepTheContract) {
  for (const Device device : test_devices())
    for (const OpCase& c : small()) check_device_contract(device, c);
}

TEST_P(Twins, DoNotDependOnTheBatch) {
  for (const Device device : test_devices())
    for (const OpCase& c : small()) check_device_batch_invariance(device, c);
}

TEST_P(Twins, DoNotDependOnTheOrderOfBlocksAndThreads) {
  ASSERT_GE(small().size(), 2u);
  for (const OpCase& c : small()) check_order_invariance(c);
}

INSTANTIATE_TEST_SUITE_P(Ops, Twins, testing::Range(0, kOpCount), name_of);

// Negative control: a twin that forgets one value, writes one too many or depends on its neighbours is seen.
TEST(TwinChecks, SeeWrongTwins) {
  OpCase c = silu_case({2, 3, 5, 7}, 6);
  const Data d = make_data(c, 2);
  const Result right = run(c, d);
  const auto differs = [&](const OpCase& wrong) {
    const Result r = run_on(Device::Emulated, wrong, d, {.wanted = kNone});
    return !compare(r.out, right.out, parity_tolerance(c)).ok;
  };
  EXPECT_FALSE(differs(c));
  OpCase forgets = c;
  forgets.forward = [](const Views& v) {
    View x = v.in[0], y = v.out;
    x.c = y.c = 2;
    silu_forward(x, y);
  };
  EXPECT_TRUE(differs(forgets));
  OpCase other = c;
  other.forward = [](const Views& v) { relu_forward(v.in[0], v.out); };
  EXPECT_TRUE(differs(other));
}

TEST(ResizeBilinearTwin, AgreesWithTheCpuAndKeepsTheContract) {
  for (const Device device : test_devices())
    for (const OpCase& c : resize_bilinear_cases()) {
      if (c.big) continue;
      check_parity(device, c);
      check_device_contract(device, c);
      check_device_batch_invariance(device, c);
    }
}

TEST(LearnedNoiseTwin, AgreesWithTheCpuAlsoInPlace) {
  const ReverseStep s{.learned = true, .log_max = -2.5, .log_min = -9.25};
  for (const Device device : test_devices())
    for (const int n : {1, 3}) {
      const View shape{nullptr, n, 3, 5, 7};
      Reals x = random_reals(1, shape.size(), -1, 1), v = random_reals(2, shape.size(), -1.2, 1.2), z = random_reals(3, shape.size(), -2, 2),
            dy = random_reals(4, shape.size(), -1, 1), y(shape.size()), dv(shape.size());
      auto host = [&](Reals& values) { View view = shape; view.data = values.data(); return view; };
      const OnDevice a(device, shape, x), b(device, shape, v), c(device, shape, z), d(device, shape, dy), e(device, shape, dy);
      learned_noise_forward(s, host(x), host(v), host(z), host(y));
      learned_noise_forward(s, a.view(), b.view(), c.view(), a.view());
      expect_close("y", a.values(), y, kRealIsDouble ? 1e-12 : 2e-6);
      learned_noise_backward(s, host(v), host(z), host(dy), host(dv));
      learned_noise_backward(s, b.view(), c.view(), d.view(), e.view());
      expect_close("dv", e.values(), dv, kRealIsDouble ? 1e-12 : 2e-6);
    }
}
