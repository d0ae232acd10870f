// Passes that are recorded and replayed on the emulated device, against the same passes step by step; and one network on two devices.
#include <gtest/gtest.h>

#include "io/scratch_folder.h"
#include "net/small_nets.h"
#include "on_device.h"
#include "ops/ops.h"

using namespace purescope;

namespace {

void expect_same(const Pass& a, const Pass& b, const std::string& what) {
  EXPECT_TRUE(compare_bits(a.out, b.out)) << what;
  EXPECT_TRUE(compare_bits(a.dx, b.dx)) << what;
  ASSERT_EQ(a.dparams.size(), b.dparams.size());
  for (size_t p = 0; p < a.dparams.size(); ++p) EXPECT_TRUE(compare_bits(a.dparams[p], b.dparams[p])) << what << ", parameter " << p;
}

}  // namespace

// The first pass runs step by step, the second is recorded, the third replayed with other images and times.
TEST(Graph, ReplayHasTheBitsOfTheSteps) {
  const OnDevice emulated(Device::Emulated);
  for (int model : {0, 2}) {
    const NamedModel m = small_models()[model];
    Net net = formula_net(m.make()), plain(net.model(), net.shared_params());
    net.use_graphs(true);
    plain.use_graphs(false);
    net.plan(2, Mode::Training);
    plain.plan(2, Mode::Training);
    for (int pass = 0; pass < 3; ++pass) {
      expect_same(run_pass(net, 10 * pass), run_pass(plain, 10 * pass), m.name + ", pass " + std::to_string(pass));
      EXPECT_EQ(net.graph_count(), pass == 0 ? 0 : 2) << "forward and backward";
    }
    EXPECT_EQ(plain.graph_count(), 0);
    // Control: the replay reads its input again.
    EXPECT_FALSE(compare_bits(run_pass(net, 1).out, run_pass(net, 2).out));
    // Another batch is another record; a new plan forgets them all.
    net.set_batch(1);
    run_pass(net);
    run_pass(net);
    EXPECT_EQ(net.graph_count(), 4);
    net.plan(2, Mode::InputGrad);
    EXPECT_EQ(net.graph_count(), 0);
  }
}

// A callback sees every step, so it turns replay off; without it the recorded passes are used again.
TEST(Graph, CallbacksSeeTheSteps) {
  const OnDevice emulated(Device::Emulated);
  Net net = formula_net(mixed_model(true));
  net.plan(1, Mode::Forward);
  for (int pass = 0; pass < 2; ++pass) run_pass(net);
  int steps = 0;
  net.on_step = [&](int) { ++steps; };
  run_pass(net);
  EXPECT_EQ(steps, static_cast<int>(net.model().steps.size()));
}

// The CPU and the emulated device agree; nothing on the way touches device memory from the host, which would end the program.
TEST(Graph, DevicesAgree) {
  for (int model : {0, 1, 2}) {
    const NamedModel m = small_models()[model];
    Pass pass[2];
    for (Device device : {Device::Cpu, Device::Emulated}) {
      const OnDevice on(device);
      Net net = formula_net(m.make());
      EXPECT_EQ(net.device(), device);
      net.plan(2, Mode::Training);
      pass[device == Device::Emulated] = run_pass(net);
    }
    // Other orders of summation only; a ReLU that changes sign moves float gradients further.
    const double bar = kDouble ? 1e-11 : m.smooth ? 1e-4 : 1e-2;
    EXPECT_TRUE(compare(pass[1].out, pass[0].out, bar)) << m.name;
    EXPECT_TRUE(compare(pass[1].dx, pass[0].dx, bar)) << m.name;
    for (size_t p = 0; p < pass[0].dparams.size(); ++p)
      if (norm({pass[0].dparams[p].begin(), pass[0].dparams[p].end()}) > 1e-6) {
        EXPECT_TRUE(compare(pass[1].dparams[p], pass[0].dparams[p], bar)) << m.name << ", parameter " << p;
      }
    EXPECT_FALSE(compare_bits(pass[1].dx, pass[0].dx)) << m.name << ": compared with itself";
  }
}

// An op that is given tensors of two devices refuses.
TEST(Graph, TwoDevicesInOneOpAreRefused) {
  const OnDevice emulated(Device::Emulated);
  const Buffer here(1, 2, 3, 3, Device::Cpu), there(1, 2, 3, 3);
  EXPECT_EQ(exit_code_of([&] { add_forward(there.view(), here.view(), there.view()); }), kInternal);
  EXPECT_EQ(exit_code_of([&] { add_forward(here.view(), there.view(), here.view()); }), kInternal);
}
