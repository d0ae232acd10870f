// The checks made of every OpCase on a device: it agrees with the CPU, keeps the contract of ops/signatures.inc, and does not depend on
// the batch, on the order of blocks and threads, or on the threads of the host.
#pragma once
#include "cuda/device_run.h"
#include "cuda/emulator/launch.h"

namespace purescope {

// Twice the tolerance of the op against its oracle: the CPU and the device each keep it. Gradients of parameters are sums over images and
// pixels too, added in another order: as many roundings again.
inline double parity_tolerance(const OpCase& c) { return kRealIsDouble ? 1e-12 : 4 * c.tolerance.f32; }

inline void check_parity(Device device, const OpCase& c) {
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result there = run_on(device, c, d, {.dparam = 0.5}), here = run(c, d, {.dparam = 0.5});
  for_each_array(c, there, here, [&](const std::string& name, const Reals& a, const Reals& b) {
    expect_close(name, a, b, parity_tolerance(c));
  });
}

// Outputs do not depend on what was there; any subset of the gradients has the same bits; inputs that only missing gradients need may be
// empty.
inline void check_device_contract(Device device, const OpCase& c) {
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result all = run_on(device, c, d);
  const auto same = [&](const std::string& what, const Result& r) {
    for_each_array(c, r, all, [&](const std::string& name, const Reals& a, const Reals& b) {
      expect_same_bits(what + ": " + name, a, b);
    });
  };
  same("outputs full of sevens", run_on(device, c, d, {.fill = 7}));
  if (!c.backward) return;
  for (size_t i = 0; i < c.in.size() + c.param.size(); ++i)
    same("gradient " + std::to_string(i) + " alone", run_on(device, c, d, {.wanted = 1u << i, .drop_unneeded = true}));
}

inline void check_device_batch_invariance(Device device, const OpCase& c) {
  if (c.couples_images || c.batch == 1) return;
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result all = run_on(device, c, d);
  for (int k = 0; k < c.batch; ++k) {
    const Result one = run_on(device, c, image_of(d, k));
    const auto part = [&](const Reals& v) {
      return Reals(v.begin() + k * (v.size() / c.batch), v.begin() + (k + 1) * (v.size() / c.batch));
    };
    expect_same_bits("out of image " + std::to_string(k), one.out, part(all.out));
    for (size_t i = 0; i < one.din.size(); ++i)
      expect_same_bits("gradient of image " + std::to_string(k), one.din[i], part(all.din[i]));
  }
}

// Blocks and threads backwards and shuffled, and blocks on several threads of the host.
inline void check_order_invariance(const OpCase& c) {
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result forward = run_on(Device::Emulated, c, d);
  for (const emulator::Order order : {emulator::Order{emulator::Order::Reverse}, emulator::Order{emulator::Order::Shuffled, 1}}) {
    emulator::set_order(order);
    const Result r = run_on(Device::Emulated, c, d);
    emulator::set_order({});
    for_each_array(c, r, forward, [&](const std::string& name, const Reals& a, const Reals& b) {
      expect_same_bits("another order: " + name, a, b);
    });
  }
  const int threads = thread_count();
  set_thread_count(threads == 1 ? 3 : 1);
  const Result r = run_on(Device::Emulated, c, d);
  set_thread_count(threads);
  for_each_array(c, r, forward, [&](const std::string& name, const Reals& a, const Reals& b) {
    expect_same_bits("other threads: " + name, a, b);
  });
}

}  // namespace purescope
