#include "io/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "io/scratch_folder.h"

namespace purescope {
namespace {

TEST(JsonText, WritesOneLineInTheOrderOfTheCalls) {
  const std::string text = JsonLine().add("v", 1).add("b", true).add("s", "a\"b\\c\n\x01").add("d", .1).add("f", .1f)
      .add("seed", UINT64_MAX).add("low", INT64_MIN).raw("list", json_array({"1", "\"x\""})).text();
  EXPECT_EQ(text,
            "{\"v\":1,\"b\":true,\"s\":\"a\\\"b\\\\c\\n\\u0001\",\"d\":0.1,\"f\":0.1,\"seed\":18446744073709551615,"
            "\"low\":-9223372036854775808,\"list\":[1,\"x\"]}");
  EXPECT_EQ(JsonLine().text(), "{}");
}

TEST(JsonText, NumbersReadBackToTheSameBits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = random();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    const JsonObject object = JsonObject::parse(JsonLine().add("x", value).text(), "test");
    const double back = object.get_double("x");
    ASSERT_EQ(std::memcmp(&value, &back, sizeof value), 0) << json_number(value);
  }
  EXPECT_EQ(json_number(8. / 255), "0.03137254901960784");
  EXPECT_EQ(json_number(float(8. / 255)), "0.03137255");
  EXPECT_EQ(json_number(1.0), "1");
}

TEST(JsonText, NanAndInfinityAreNull) {
  for (double value :
       {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(json_number(value), "null");
  }
  EXPECT_TRUE(std::isnan(JsonObject::parse("{\"x\":null}", "test").get_double("x")));
}

TEST(JsonText, AnyBytesCanBeReadBack) {
  const std::string good = "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80 a/b\t\x7f";
  EXPECT_EQ(JsonObject::parse(JsonLine().add("s", good).text(), "test").get_string("s"), good);
  std::mt19937 random(2);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 12, ' ');
    for (char& c : bytes) c = static_cast<char>(random() % 4 ? random() : 0xe0 + random() % 24);
    const std::string line = JsonLine().add("s", bytes).text();
    ASSERT_EQ(exit_code_of([&] { JsonObject::parse(line, "test"); }), 0) << line;
  }
  // Overlong, surrogate, too large, cut short: each byte becomes U+FFFD.
  EXPECT_EQ(json_quote("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(json_quote("\xed\xa0\x80").size(), 2u + 9u);
  EXPECT_EQ(json_quote("\xf4\x90\x80\x80").size(), 2u + 12u);
  EXPECT_EQ(json_quote("\xe2\x82").size(), 2u + 6u);
}

TEST(JsonText, KeepsTheTextOfEachField) {
  const JsonObject object = JsonObject::parse(
      " { \"a\" : 1e-05 , \"b\\u0041\":{\"x\":[1, {\"y\":\"}],\\\"\"}]},\n\"c\": [ \"p\", \"q,\" ] ,\"d\":{} } ",
      "test");
  ASSERT_EQ(object.fields().size(), 4u);
  EXPECT_EQ(object.raw("a"), "1e-05");
  EXPECT_EQ(object.raw("bA"), "{\"x\":[1, {\"y\":\"}],\\\"\"}]}");
  EXPECT_EQ(object.get_strings("c"), (std::vector<std::string>{"p", "q,"}));
  EXPECT_EQ(object.raw("d"), "{}");
  EXPECT_FALSE(JsonObject::parse("{}", "test").has("a"));
}

TEST(JsonText, RefusesWhatIsNotOneObject) {
  for (const char* text :
       {"", "[]", "1", "{", "{\"a\":1}x", "{\"a\":1}{\"a\":1}", "{\"a\":1,\"a\":1}", "{\"a\":NaN}", "{'a':1}",
        "{\"b\":{\"a\":1,\"a\":2}}", "{\"a\":1e400}", "{\"a\":\"\xff\"}", "{\"a\":1,}", "{\"a\":\"\n\"}"}) {
    EXPECT_EQ(exit_code_of([&] { JsonObject::parse(text, "test"); }), kBadInput) << text;
  }
  const std::string deep = "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
  EXPECT_EQ(exit_code_of([&] { JsonObject::parse(deep, "test"); }), kBadInput);
  // Equal keys in different objects are not a repetition.
  EXPECT_EQ(exit_code_of([&] { JsonObject::parse("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}", "test"); }), 0);
}

TEST(JsonText, RefusesValuesOfAnotherKind) {
  const JsonObject o =
      JsonObject::parse("{\"s\":\"x\",\"i\":-1,\"d\":1.5,\"b\":true,\"big\":18446744073709551616,\"n\":null}", "test");
  EXPECT_EQ(o.get_int("i"), -1);
  EXPECT_EQ(o.get_double("d"), 1.5);
  EXPECT_TRUE(o.get_bool("b"));
  EXPECT_TRUE(o.is_null("n"));
  EXPECT_EQ(exit_code_of([&] { o.get_int("d"); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { o.get_int("none"); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { o.get_natural("i"); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { o.get_natural("big"); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { o.get_string("i"); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { o.get_double("s"); }), kBadInput);
  EXPECT_EQ(exit_code_of([&] { o.get_bool("n"); }), kBadInput);
}

}  // namespace
}  // namespace purescope
