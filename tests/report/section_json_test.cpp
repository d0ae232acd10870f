#include "report/section_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/check.h"
#include "report/sample_section.h"

using namespace purescope;

namespace {

// Replaces the one place where `from` stands in `text`.
std::string changed(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

int code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_FALSE(std::string(e.what()).empty());
    EXPECT_FALSE(e.where.empty());
    EXPECT_FALSE(e.todo.empty());
    return e.code;
  }
  return 0;
}
int refused(const std::string& text) {
  return code_of([&] { section_from_json(text, "run/section.json"); });
}

}  // namespace

TEST(SectionJson, RoundTripKeepsEveryField) {
  const Section s = sample_section();
  const std::string text = section_json(s);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const Section r = section_from_json(text, "test");
  EXPECT_EQ(section_json(r), text);
  EXPECT_EQ(r.caption, s.caption);
  EXPECT_EQ(r.settings, s.settings);
  EXPECT_EQ(r.findings, s.findings);
  EXPECT_EQ(r.command, s.command);
  ASSERT_EQ(r.tables.size(), 1u);
  EXPECT_EQ(r.tables[0].rows[0][1].value, 100. / 3);  // to the last bit
  EXPECT_EQ(r.tables[0].rows[0][1].n, 24);
  EXPECT_EQ(r.tables[0].rows[0][0].text, "ddpm");
  EXPECT_TRUE(r.tables[0].rows[1][1].papers);
  EXPECT_FALSE(r.tables[0].rows[0][1].papers);
  EXPECT_EQ(r.tables[0].rows[1][2].n, -1);
  EXPECT_TRUE(std::isnan(r.tables[0].rows[1][2].value));
  EXPECT_EQ(r.tables[0].columns[1].unit, "%");
  ASSERT_EQ(r.plots.size(), 4u);
  EXPECT_EQ(r.plots[0].series[0].y[3], .1 + .2);
  EXPECT_TRUE(std::isnan(r.plots[0].series[0].y[2]));
  EXPECT_EQ(r.plots[0].series[2].kind, Series::Steps);
  EXPECT_TRUE(r.plots[0].series[0].dashed && r.plots[0].series[1].papers && r.plots[0].series[2].right_axis);
  EXPECT_TRUE(r.plots[0].right.logarithmic && !r.plots[0].x.logarithmic);
  EXPECT_EQ(r.plots[1].kind, Plot::HeatMap);
  EXPECT_EQ(r.plots[1].cells[1][2], .125);
  EXPECT_EQ(r.plots[2].kind, Plot::Quiver);
  EXPECT_EQ(r.plots[3].image_file, "grid.png");
}

TEST(SectionJson, BytesDependOnValues) {
  Section s = sample_section();
  const std::string before = section_json(s);
  EXPECT_EQ(section_json(sample_section()), before);
  s.tables[0].rows[0][1].value = std::nextafter(s.tables[0].rows[0][1].value, 100.);
  EXPECT_NE(section_json(s), before);  // control: one bit of one number
}

TEST(SectionJson, RefusesDamage) {
  const std::string good = section_json(sample_section());
  EXPECT_EQ(refused(good), 0);  // control
  EXPECT_EQ(refused(""), kBadInput);
  EXPECT_EQ(refused("[1]"), kBadInput);
  EXPECT_EQ(refused(good.substr(0, good.size() - 1)), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"v\":1", "\"v\":2")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"title\":", "\"titel\":")), kBadInput);
  EXPECT_EQ(refused(changed(good, "{\"v\":1,", "{\"v\":1,\"more\":0,")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"n\":24", "\"n\":-24")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"n\":24", "\"n\":24.5")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"n\":24", "\"m\":24")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"low\":21.25", "\"low\":\"x\"")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"papers\":true", "\"papers\":1")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"steps\"", "\"stairs\"")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"decimals\":4", "\"decimals\":400")), kBadInput);
  EXPECT_EQ(refused(changed(good, "[\"purifier\",\"shapes\"]", "[\"purifier\"]")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"cells\":[]", "\"cells\":{}")), kBadInput);
}

TEST(SectionJson, RefusesWhatDoesNotFitTogether) {
  const std::string good = section_json(sample_section());
  EXPECT_EQ(refused(changed(good, "\"x\":[0,0.25,0.5,1]", "\"x\":[0,0.25,0.5]")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"low\":[0.9,0.7,null,0.2]", "\"low\":[0.9]")), kBadInput);
  EXPECT_EQ(refused(changed(good, "[0,0,1,1]", "[0,0,1]")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"grid.png\"", "\"../grid.png\"")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"grid.png\"", "\"/etc/grid.png\"")), kBadInput);
  EXPECT_EQ(refused(changed(good, "\"grid.png\"", "\"sub/grid..png\"")), 0);  // control
  EXPECT_EQ(refused(changed(good, "[\"first\",\"second\"]", "[\"first\"]")), kBadInput);
  EXPECT_EQ(refused(changed(good, ",{\"value\":null}]", "]")), kBadInput);  // a row shorter than the columns
}

// The same mistakes, made by the program itself, are bugs.
TEST(SectionJson, WriterRefusesBrokenSections) {
  Section s = sample_section();
  s.tables[0].rows[0].pop_back();
  EXPECT_EQ(code_of([&] { section_json(s); }), kInternal);
  s = sample_section();
  s.plots[0].series[0].y.push_back(1);
  EXPECT_EQ(code_of([&] { section_json(s); }), kInternal);
}

TEST(SectionJson, ElementsOfAnArray) {
  using List = std::vector<std::string>;
  EXPECT_EQ(json_elements("[]", "test"), List{});
  EXPECT_EQ(json_elements("[ 1 , [2,3],\"a,]\\\"\",{\"k\":[4]} ]", "test"),
            (List{"1", "[2,3]", "\"a,]\\\"\"", "{\"k\":[4]}"}));
  EXPECT_EQ(code_of([] { json_elements("{}", "test"); }), kBadInput);
}
