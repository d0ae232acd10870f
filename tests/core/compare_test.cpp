#include "compare.h"

#include <gtest/gtest.h>

#include <limits>

using namespace purescope;

namespace {
const double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
const std::vector<double> kExpected = {1, -4, 2, 0};
}  // namespace

TEST(Compare, AcceptsWhatIsWithinTheTolerance) {
  const std::vector<float> actual = {1.0f, -4.0f, 2.00001f, 1e-6f};
  const Comparison c = compare(actual, kExpected, 1e-5);
  EXPECT_TRUE(c.ok) << c.message;
  EXPECT_EQ(c.scale, 4);
  EXPECT_EQ(c.count, 4u);
  EXPECT_EQ(c.worst_index, 2u);
  EXPECT_NEAR(c.worst, 1e-5 / 4, 1e-7);  // 1e-5 is not a float: 2.00001f is off by up to 1.2e-7
}

TEST(Compare, OneBadElementIsFoundWhereItIs) {
  const Comparison c = compare(std::vector<double>{1, -4, 2, 0.1}, kExpected, 1e-3);
  EXPECT_FALSE(c.ok);
  EXPECT_EQ(c.bad, 1u);
  EXPECT_EQ(c.worst_index, 3u);
  EXPECT_DOUBLE_EQ(c.worst, 0.1 / 4);
  EXPECT_NE(c.message.find("1 of 4"), std::string::npos) << c.message;
}

TEST(Compare, NanIsBadOnEitherSideAndBehindALargeError) {
  EXPECT_FALSE(compare(std::vector<double>{1, -4, 2, kNan}, kExpected, 1e9).ok);
  EXPECT_FALSE(compare(kExpected, std::vector<double>{1, kNan, 2, 0}, 1e9).ok);
  const Comparison c = compare(std::vector<double>{100, kNan, 2, 50}, kExpected, 1e-3);
  EXPECT_EQ(c.bad, 3u);
  EXPECT_EQ(c.worst_index, 1u);
  EXPECT_TRUE(std::isnan(c.worst));
  EXPECT_FALSE(compare(std::vector<double>{kNan, kNan}, std::vector<double>{kNan, kNan}, 1e9).ok);
}

TEST(Compare, InfinityIsBad) {
  EXPECT_FALSE(compare(std::vector<double>{kInf, -4, 2, 0}, kExpected, 1e9).ok);
  EXPECT_FALSE(compare(std::vector<double>{kInf, 1}, std::vector<double>{kInf, 1}, 1e9).ok);
}

TEST(Compare, NothingComparedIsNotASuccess) {
  EXPECT_FALSE(compare(std::vector<double>{0, 0}, std::vector<double>{0, 0}, 1).ok);
  EXPECT_FALSE(compare(std::vector<double>{}, std::vector<double>{}, 1).ok);
  EXPECT_FALSE(compare(std::vector<double>{1, -4, 2}, kExpected, 1).ok);
  EXPECT_FALSE(compare_bits(std::vector<double>{}, std::vector<double>{}).ok);
  EXPECT_FALSE(compare_l2(kExpected.data(), kExpected.data(), 0, 1).ok);
  const double zeros[2] = {0, 0};
  EXPECT_FALSE(compare_l2(zeros, zeros, 2, 1).ok);
}

TEST(Compare, AScaleMayBeGiven) {
  const std::vector<double> actual = {1.5}, expected = {1};
  EXPECT_FALSE(compare(actual, expected, 0.1).ok);
  EXPECT_TRUE(compare(actual, expected, 0.1, 10).ok);
}

TEST(Compare, RelativeL2) {
  const double expected[2] = {3, 4}, close[2] = {3, 4.05}, broken[2] = {3, kNan};
  EXPECT_TRUE(compare_l2(close, expected, 2, 0.0101).ok);
  EXPECT_FALSE(compare_l2(close, expected, 2, 0.0099).ok);
  EXPECT_FALSE(compare_l2(broken, expected, 2, 1e9).ok);
}

TEST(Compare, BitwiseCountsDifferentElements) {
  EXPECT_TRUE(compare_bits(kExpected, kExpected).ok);
  std::vector<double> other = kExpected;
  other[1] = std::nextafter(other[1], 0);
  const Comparison c = compare_bits(other, kExpected);
  EXPECT_FALSE(c.ok);
  EXPECT_EQ(c.bad, 1u);
  EXPECT_EQ(c.worst_index, 1u);
  EXPECT_FALSE(compare_bits(std::vector<double>{kNan}, std::vector<double>{kNan}).ok);
  EXPECT_FALSE(compare_bits(std::vector<double>{0.0}, std::vector<double>{-0.0}).ok);
  EXPECT_TRUE(compare_bits(std::vector<float>{0, 0}, std::vector<float>{0, 0}).ok);
}
