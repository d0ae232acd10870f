// The builder: what it refuses, what it records.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "io/scratch_folder.h"

using namespace purescope;

TEST(Builder, DuplicateKeysAreRefused) {
  Builder b("twice");
  const Value x = b.input(2, 4, 4);
  const Value y = b.conv2d("conv", x, {.in = 2, .out = 2}, true);
  EXPECT_THROW(b.finish(b.conv2d("conv", y, {.in = 2, .out = 2}, false)), Error);
  Builder good("once");
  const Value v = good.input(2, 4, 4);
  EXPECT_NO_THROW(
      good.finish(good.conv2d("conv2", good.conv2d("conv", v, {.in = 2, .out = 2}, true), {.in = 2, .out = 2}, false)));
}

TEST(Builder, ShapesThatDoNotFitAreRefused) {
  Builder b("shapes");
  const Value x = b.input(4, 6, 6), y = b.input(4, 5, 6), z = b.input(3, 6, 6);
  EXPECT_THROW(b.conv2d("c", x, {.in = 3, .out = 2}, true), Error);
  EXPECT_THROW(b.linear("l", x, {.in = 4, .out = 2}), Error);
  EXPECT_THROW(b.add("a", x, y), Error);
  EXPECT_THROW(b.add("a", x, z), Error);
  EXPECT_THROW(b.concat("k", x, y), Error);
  EXPECT_THROW(b.add_channel("v", x, z), Error);
  EXPECT_THROW(b.group_norm("g", x, {.channels = 4, .groups = 2}), Error) << "eps must be given";
  EXPECT_THROW(b.attention("t", x, x, z, {.channels = 4, .heads = 1, .scale = 1}), Error);
  EXPECT_THROW(b.attention("t", x, x, x, {.channels = 4, .heads = 3, .scale = 1}), Error);
  EXPECT_EQ(exit_code_of([&] { b.group_norm("g", x, {.channels = 4, .groups = 3, .eps = 1e-6}); }), kUsage);
  EXPECT_NO_THROW(b.concat("k", x, z));
  Builder without_input("no input");
  EXPECT_THROW(without_input.finish({}), Error);
}

TEST(Builder, StepsKnowTheirLineAndKeys) {
  Builder b("lines");
  const Value x = b.input(2, 5, 5);
  const int line = __LINE__ + 1;
  const Value y = b.conv2d("conv", x, {.in = 2, .out = 3, .stride = 2}, true);
  const Model m = b.finish(b.batch_norm("bn", y, {.channels = 3, .eps = 1e-5}));
  EXPECT_EQ(m.steps[0].line, line);
  EXPECT_NE(std::string(m.steps[0].file).find("builder_test.cpp"), std::string::npos);
  EXPECT_EQ(y.h, 3);
  std::vector<std::string> keys;
  for (const ParamInfo& p : m.params) keys.push_back(p.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean",
                                            "bn.running_var"}));
  EXPECT_FALSE(m.params[4].trainable);
  EXPECT_EQ(m.parameter_count(), 3 * 2 * 9 + 3 + 3 + 3);
  for (int i = 0; i < kOpCount; ++i) EXPECT_STRNE(op_name(static_cast<Op>(i)), "?");
}
