#include "io/fraction.h"

#include <gtest/gtest.h>

#include "io/scratch_folder.h"

namespace purescope {
namespace {

TEST(Fraction, IsTheQuotientOfTheTwoDoubles) {
  EXPECT_EQ(parse_fraction("8/255", "--eps"), 8. / 255);
  EXPECT_EQ(parse_fraction("0.01/0.3", "--rel-step"), .01 / .3);
  EXPECT_NE(parse_fraction("0.01/0.3", "--rel-step"), .03333);
  EXPECT_EQ(parse_fraction("0.031", "--eps"), .031);
  EXPECT_EQ(parse_fraction("2e-3/1", "--eps"), .002);
  EXPECT_EQ(parse_fraction("0", "--eps"), 0);
  EXPECT_EQ(parse_fraction_list("2/255,4/255", "--eps"), (std::vector<double>{2. / 255, 4. / 255}));
}

// Case 81 and its relatives.
TEST(Fraction, RefusesEverythingElse) {
  for (const char* text :
       {"8/0",    "8/0.0",  "0/0",    "1e400",  "1e-400",  "8/1e400", "8/",           "/255",
        "",       " 8/255", "8/255 ", "8/255x", "8 / 255", "8/255/2", "nan",          "inf",
        "-8/255", "8/-255", "-0",     "+8",     "0x8",     "8,255",   "1e308/1e-308", "1e-308/1e308"}) {
    std::string message;
    EXPECT_EQ(exit_code_of([&] { parse_fraction(text, "--eps"); }, &message), kUsage) << "\"" << text << "\"";
    EXPECT_NE(message.find("--eps"), std::string::npos);
  }
  EXPECT_EQ(exit_code_of([] { parse_fraction_list("8/255,", "--eps"); }), kUsage);
}

// Case 82.
TEST(Fraction, CountsAreAtLeastOne) {
  EXPECT_EQ(parse_count("40", "--steps"), 40);
  for (const char* text :
       {"-1", "0", "-40", "40.0", "4e1", "2147483648", "99999999999999999999", "x", "", "40x", "+4"}) {
    EXPECT_EQ(exit_code_of([&] { parse_count(text, "--steps"); }), kUsage) << text;
  }
}

// Case 83.
TEST(Fraction, SeedsGoUpTo64Bits) {
  EXPECT_EQ(parse_seed("18446744073709551615", "--seed"), UINT64_MAX);
  EXPECT_EQ(parse_seed("0", "--seed"), 0u);
  for (const char* text : {"18446744073709551616", "-1", "1.0", "", " 1", "0x1"}) {
    EXPECT_EQ(exit_code_of([&] { parse_seed(text, "--seed"); }), kUsage) << text;
  }
  EXPECT_EQ(parse_seed_list("0,1,18446744073709551615", "--seed"), (std::vector<uint64_t>{0, 1, UINT64_MAX}));
}

TEST(Fraction, ListsRangesAndSizes) {
  EXPECT_EQ(parse_int_list("50,100,-1", "--t"), (std::vector<int64_t>{50, 100, -1}));
  EXPECT_EQ(exit_code_of([] { parse_int_list("50,,100", "--t"); }), kUsage);
  EXPECT_EQ(exit_code_of([] { parse_int_list("50,1001", "--t", 0, 1000); }), kUsage);
  EXPECT_EQ(parse_range("10:20", "--subset"), (std::pair<int64_t, int64_t>(10, 20)));
  for (const char* text : {"10", "10:", ":10", "20:10", "5:5", "-1:5", "1:2:3"}) {
    EXPECT_EQ(exit_code_of([&] { parse_range(text, "--subset"); }), kUsage) << text;
  }
  EXPECT_EQ(parse_size("4G", "--memory"), uint64_t(4) << 30);
  EXPECT_EQ(parse_size("1.5K", "--memory"), 1536u);
  EXPECT_EQ(parse_size("65536", "--memory"), 65536u);
  for (const char* text : {"", "G", "0", "-1G", "4g", "4GB", "1e30G", "1.5", "nanG"}) {
    EXPECT_EQ(exit_code_of([&] { parse_size(text, "--memory"); }), kUsage) << text;
  }
}

}  // namespace
}  // namespace purescope
