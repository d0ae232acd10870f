// Products on tensor cores (cuda/tensor.h): every op made of products, with its factors rounded. In double the mode changes nothing.
#include "cuda/device_checks.h"
#include "fast_mode.h"
#include "ops/op_list.h"
#ifndef __CUDACC__
#include "cuda/emulator/tensor.h"
#endif

#include <gtest/gtest.h>

#include <map>

using namespace purescope;

namespace {

constexpr Op kProducts[] = {Op::Conv2d, Op::Linear, Op::Nin, Op::Attention, Op::AttentionPacked};

constexpr size_t kMany = 16;  // of fewer values one may cancel to nothing

// Rounding of a factor: relative, at most.
double unit(MathMode mode) { return mode == MathMode::Tf32 ? 1.0 / 2048 : 1.0 / 256; }

double relative_l2(const Reals& a, const Reals& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.size(); ++i) difference += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

std::vector<OpCase> small_cases(Op op) {
  std::vector<OpCase> some;
  for (OpCase& c : cases_of(op))
    if (c.out.size(c.batch) <= 4096 && !c.big) some.push_back(c);
  return some;
}

void for_each_case(const std::function<void(MathMode, Device, const OpCase&)>& check) {
  for (const MathMode mode : {MathMode::Tf32, MathMode::Bf16})
    for (const Device device : test_devices())
      for (const Op op : kProducts)
        for (const OpCase& c : small_cases(op)) {
          SCOPED_TRACE(std::string(math_name(mode)) + " " + c.name);
          check(mode, device, c);
        }
}

void round_values(std::vector<Reals>& arrays, MathMode mode) {
  for (Reals& values : arrays)
    for (real& v : values)
      v = mode == MathMode::Tf32 ? Tf32::rounded(static_cast<float>(v)) : static_cast<float>(Bf16::rounded(static_cast<float>(v)));
}

}  // namespace

TEST(Tensor, RoundsToNearest) {
  const float one = 1, ulp10 = 1.0f / 1024, ulp7 = 1.0f / 128;
  EXPECT_EQ(Tf32::rounded(one + ulp10), one + ulp10);
  EXPECT_EQ(Tf32::rounded(one + 0.49f * ulp10), one);
  EXPECT_EQ(Tf32::rounded(one + 0.5f * ulp10), one + ulp10);  // a tie goes away from zero
  EXPECT_EQ(Tf32::rounded(-(one + 0.5f * ulp10)), -(one + ulp10));
  EXPECT_EQ(Tf32::rounded(std::numeric_limits<float>::infinity()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(Tf32::rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_EQ(float(Bf16::rounded(one + ulp7)), one + ulp7);
  EXPECT_EQ(float(Bf16::rounded(one + 0.5f * ulp7)), one);  // a tie goes to even
  EXPECT_EQ(float(Bf16::rounded(one + 1.5f * ulp7)), one + 2 * ulp7);
  EXPECT_EQ(float(Bf16::rounded(-3e38f)), std::ldexp(-226.0f, 120));
  EXPECT_TRUE(std::isnan(float(Bf16::rounded(std::numeric_limits<float>::quiet_NaN()))));
}

// Against the CPU: the error of two rounded factors, and not less than what rounding must cause where there is something to sum.
TEST(Tensor, ProductsHaveTheErrorOfTheirFactors) {
  std::map<MathMode, int> seen;
  for_each_case([&](MathMode mode, Device device, const OpCase& c) {
    const Data d = make_data(c, c.batch);
    const Result here = run(c, d, {.dparam = 0.5});
    const InMath in(mode, device);
    const Result there = run_on(device, c, d, {.dparam = 0.5});
    if (kRealIsDouble) return expect_close("out", there.out, here.out, parity_tolerance(c));
    for_each_array(c, there, here, [&](const std::string& name, const Reals& a, const Reals& b) {
      // Attention multiplies what it has multiplied before, and its softmax enlarges errors of the scores.
      if (b.size() >= kMany) { EXPECT_LT(relative_l2(a, b), 8 * unit(mode)) << name; }
    });
    if (here.out.size() >= kMany) seen[mode] += relative_l2(there.out, here.out) > unit(mode) / 16;
  });
  if (!kRealIsDouble) { EXPECT_TRUE(seen[MathMode::Tf32] >= 10 && seen[MathMode::Bf16] >= 10); }
}

// Of factors that need no rounding the products are those of float: forward, and every gradient of the ops that are one product.
TEST(Tensor, RoundedFactorsGiveTheProductsOfFloat) {
  if (kRealIsDouble) return;
  for_each_case([&](MathMode mode, Device device, const OpCase& c) {
    if (c.name.find("ttention") != std::string::npos) return;
    Data d = make_data(c, c.batch);
    round_values(d.in, mode);
    round_values(d.param, mode);
    std::vector<Reals> dout{d.dout};
    round_values(dout, mode);
    d.dout = dout[0];
    const Result here = run(c, d, {.dparam = 0.5});
    const InMath in(mode, device);
    const Result there = run_on(device, c, d, {.dparam = 0.5});
    for_each_array(c, there, here, [&](const std::string& name, const Reals& a, const Reals& b) {
      expect_close(name, a, b, parity_tolerance(c));
    });
  });
}

TEST(Tensor, ProductsKeepTheContract) {
  if (kRealIsDouble) return;  // the kernels of exact arithmetic, checked as such
  for_each_case([&](MathMode mode, Device device, const OpCase& c) {
    const InMath in(mode, device);
    check_device_contract(device, c);
    check_device_batch_invariance(device, c);
    if (device == Device::Emulated) check_order_invariance(c);
  });
}
