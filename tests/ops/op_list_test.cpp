// Every op that a network can contain has rows in the table of the op tests.
#include "ops/op_list.h"

#include <gtest/gtest.h>

#include <set>

using namespace purescope;

TEST(OpList, EveryOpHasRows) {
  std::set<std::string> names;
  for (int i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    const std::vector<OpCase> cases = cases_of(op);
    EXPECT_GE(cases.size(), 3u) << op_name(op);
    bool batch_of_five = false, several_images = false;
    for (const OpCase& c : cases) {
      EXPECT_EQ(c.name.rfind(op_name(op), 0), 0u) << c.name << " in the rows of " << op_name(op);
      EXPECT_TRUE(names.insert(c.name).second) << c.name << " twice";
      EXPECT_TRUE(c.forward && c.oracle) << c.name;
      EXPECT_EQ(static_cast<bool>(c.backward), op != Op::TimeEmbedding) << c.name;
      EXPECT_EQ(static_cast<bool>(c.complex_oracle), op != Op::TimeEmbedding) << c.name;
      batch_of_five |= c.batch == 5;
      several_images |= c.batch > 1;
    }
    EXPECT_TRUE(batch_of_five && several_images) << op_name(op);
  }
}
