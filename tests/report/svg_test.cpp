#include "report/svg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/check.h"
#include "report/sample_section.h"
#include "report/svg_marks.h"
#include "report/svg_scale.h"
#include "report/svg_text.h"
#include "report/well_formed.h"

using namespace purescope;

namespace {

Plot one_series(const Series& s) {
  Plot p;
  p.title = "plot";
  p.series = {s};
  return p;
}

Series line(const std::vector<double>& x, const std::vector<double>& y) {
  Series s;
  s.name = "line";
  s.x = x, s.y = y;
  return s;
}

}  // namespace

TEST(SvgText, Escapes) {
  EXPECT_EQ(escaped("<a href=\"x\">&'</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(escaped("\xc3\xa9 \xe2\x89\xa4"), "\xc3\xa9 \xe2\x89\xa4");
  EXPECT_EQ(escaped("a\xff"
                    "b\x01"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(escaped("plain"), "plain");  // control
}

TEST(SvgText, Prose) {
  EXPECT_EQ(prose("1 +- 2 & 3 +- 4"), "1 \xc2\xb1 2 &amp; 3 \xc2\xb1 4");
  EXPECT_EQ(prose("+ -"), "+ -");
}

TEST(SvgText, Numbers) {
  EXPECT_EQ(coordinate(1. / 3), "0.333");
  EXPECT_EQ(coordinate(2), "2");
  EXPECT_EQ(coordinate(-.0001), "0");
  EXPECT_EQ(coordinate(100), "100");
  EXPECT_THROW(coordinate(kNoNumber), Error);
  EXPECT_EQ(short_number(.03124), "0.0312");
  EXPECT_EQ(short_number(1.25e-7), "1.25e-7");
  EXPECT_EQ(short_number(12345), "12345");
  EXPECT_EQ(short_number(1e7), "1e7");
  EXPECT_EQ(short_number(-0.), "0");
}

TEST(SvgText, LongNamesAreCutAndWrapped) {
  EXPECT_EQ(shortened("short", 10), "short");
  const std::string cut = shortened("a very long name of a condition", 6);
  EXPECT_LE(text_width(cut), 6.7);
  EXPECT_TRUE(cut.ends_with("\xe2\x80\xa6")) << cut;
  const std::vector<std::string> lines = wrapped("one two three four", 5);
  EXPECT_GT(lines.size(), 1u);
  for (const std::string& l : lines) EXPECT_LE(text_width(l), 5);
}

TEST(SvgScale, MapsValuesAndRefusesWhatHasNoPlace) {
  Range r;
  r.add({2, 4, kNoNumber, std::numeric_limits<double>::infinity()});
  EXPECT_EQ(r.low, 2);
  EXPECT_EQ(r.high, 4);
  const Scale s = axis_scale({"", false, 0, 10}, r, 0, 100);  // the limits of the axis go before the data
  EXPECT_DOUBLE_EQ(s(5), 50);
  EXPECT_TRUE(std::isnan(s(kNoNumber)));
  const Scale l = axis_scale({"", true, 1, 100}, r, 0, 100);
  EXPECT_NEAR(l(10), 50, 1e-12);
  EXPECT_TRUE(std::isnan(l(0)) && std::isnan(l(-1)));
  Range constant;
  constant.add(3.);
  const Scale c = axis_scale({}, constant, 0, 1);
  EXPECT_LT(c.low, 3);
  EXPECT_GT(c.high, 3);
  Range counts;
  counts.add({0., 7.});
  EXPECT_EQ(axis_scale({}, counts, 0, 1).low, 0);  // the margin does not cross zero
}

TEST(SvgScale, Ticks) {
  const auto labels = [](double low, double high, bool logarithmic, bool whole = false) {
    const Scale s{low, high, 0, 100, logarithmic, whole};
    return tick_labels(s, tick_values(s, 5));
  };
  using List = std::vector<std::string>;
  EXPECT_EQ(labels(0, 100, false), (List{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(labels(-.1, .1, false), (List{"-0.10", "-0.05", "0.00", "0.05", "0.10"}));
  EXPECT_EQ(labels(0, 2, false, true), (List{"0", "1", "2"}));
  EXPECT_EQ(labels(.1, 1000, true), (List{"0.1", "1", "10", "100", "1000"}));
  EXPECT_EQ(labels(1, 10, true), (List{"1", "2", "5", "10"}));
  for (double size :
       {1e-12, 1e-3, 1., 1e9}) {  // a narrow range of any size has ticks; where plain digits can, they tell them apart
    const List l = labels(size, 1.001 * size, false);
    ASSERT_GT(l.size(), 2u);
    for (size_t i = 1; i < l.size() && size == 1; ++i) EXPECT_NE(l[i], l[i - 1]);
  }
}

TEST(Svg, EveryKindIsWellFormed) {
  for (const Plot& p : sample_section().plots) {
    const std::string figure = plot_figure(p, "a", p.kind == Plot::Images ? "data:image/png;base64,AAAA" : "");
    EXPECT_EQ(markup_fault(figure), "") << p.title;
    EXPECT_NE(figure.find(p.kind == Plot::Images ? "alt=\"" + p.title : "<title id=\"at\">" + p.title + "</title>"),
              std::string::npos);
    EXPECT_EQ(occurrences(figure, "<details>"), p.kind != Plot::Images) << p.title;
    EXPECT_EQ(figure.find("nan"), std::string::npos) << p.title;
    EXPECT_EQ(figure, plot_figure(p, "a", p.kind == Plot::Images ? "data:image/png;base64,AAAA" : ""));
  }
  const std::string good = plot_svg(sample_section().plots[0], "a");
  EXPECT_NE(markup_fault(good.substr(0, good.size() - 6)), "");  // controls of the checker
  EXPECT_NE(markup_fault(good + "<b>"), "");
  EXPECT_NE(markup_fault("<a>&nbsp</a>"), "");
  EXPECT_NE(markup_fault("<a b=\"1\" b=\"2\"/>"), "");
  EXPECT_NE(markup_fault("<a><b></a></b>"), "");
}

TEST(Svg, PositionsOfPoints) {
  Series s = line({0, 1}, {0, 1});
  s.kind = Series::Points;
  Plot p = one_series(s);
  p.x.low = p.y.low = 0, p.x.high = p.y.high = 1;
  const std::string svg = plot_svg(p, "a");
  // The axes meet where the first point lies; the second lies in the upper right corner.
  const auto axis = [&](const char* name) {
    const size_t at = svg.find("<line class=\"x\"");
    const size_t begin = svg.find(std::string(name) + "=\"", at) + 4;
    return svg.substr(begin, svg.find('"', begin) - begin);
  };
  EXPECT_NE(svg.find("<circle cx=\"" + axis("x1") + "\" cy=\"" + axis("y1") + "\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("<circle cx=\"" + axis("x2") + "\" cy=\"10\""), std::string::npos) << svg;
  EXPECT_EQ(svg.find("<path class=\"l"), std::string::npos);
}

TEST(Svg, GapsWhereAValueIsMissing) {
  const std::string whole = plot_svg(one_series(line({0, 1, 2, 3, 4}, {1, 2, 3, 4, 5})), "a");
  const std::string gap = plot_svg(one_series(line({0, 1, 2, 3, 4}, {1, 2, kNoNumber, 4, 5})), "a");
  EXPECT_EQ(occurrences(whole, "<path class=\"l\""), 1);
  EXPECT_EQ(occurrences(gap, "<path class=\"l\""), 2);
  EXPECT_EQ(occurrences(whole, "<circle"), 5);
  EXPECT_EQ(occurrences(gap, "<circle"), 4);
  Plot log = one_series(line({1, 2, 3}, {1, 0, 2}));
  log.y.logarithmic = true;
  EXPECT_EQ(occurrences(plot_svg(log, "a"), "<path class=\"l\""), 0);  // two single points: 0 has no logarithm
}

TEST(Svg, BandsStepsBarsAndErrorBars) {
  Series s = line({0, 1, 2}, {1, 2, 3});
  s.low = {0, 1, 2}, s.high = {2, 3, 4};
  EXPECT_EQ(occurrences(plot_svg(one_series(s), "a"), "class=\"b\""), 1);
  s.kind = Series::Points;
  EXPECT_EQ(occurrences(plot_svg(one_series(s), "a"), "class=\"e\""), 3);
  s.kind = Series::Steps;
  const std::string steps = plot_svg(one_series(s), "a");
  EXPECT_EQ(occurrences(steps, " H"), 3 * 2) << steps;  // the curve and both edges of its band
  s.kind = Series::Bars;
  EXPECT_EQ(occurrences(plot_svg(one_series(s), "a"), "<rect class=\"o\""), 3);
  s.x.clear();
  s.labels = {"first", "second", "third"};
  const std::string named = plot_svg(one_series(s), "a");
  EXPECT_EQ(occurrences(named, "<rect class=\"u\""), 3);
  EXPECT_NE(named.find(">second</text>"), std::string::npos);
  // Four bands over each other become error bars, and each curve stands beside the others.
  Series curve = line({0, 1, 2}, {1, 2, 3});
  curve.low = s.low, curve.high = s.high;
  Plot four = one_series(curve);
  four.series = {curve, curve, curve};
  EXPECT_EQ(occurrences(plot_svg(four, "a"), "class=\"b\""), 3);
  four.series.push_back(curve);
  EXPECT_EQ(occurrences(plot_svg(four, "a"), "class=\"b\""), 0);
  EXPECT_EQ(occurrences(plot_svg(four, "a"), "class=\"e\""), 12);
}

TEST(Svg, RightAxisLegendAndPapers) {
  Plot p = sample_section().plots[0];
  const std::string figure = plot_figure(p, "a");
  EXPECT_NE(figure.find("<span>c (right axis)</span>"), std::string::npos);
  EXPECT_NE(figure.find("papers, other weights"), std::string::npos);
  EXPECT_NE(figure.find(">rate</text>"), std::string::npos);
  for (Series& s : p.series) s.right_axis = s.papers = false;
  EXPECT_EQ(plot_figure(p, "a").find("right axis"), std::string::npos);
  EXPECT_EQ(plot_figure(p, "a").find("papers"), std::string::npos);
}

// A tick at the right edge keeps its whole label: no text leaves the drawing.
TEST(Svg, LabelsAtTheEdgeStayInside) {
  Plot p;
  p.title = "edge";
  p.x = {"x"};
  p.x.low = .08, p.x.high = .18;
  p.series.push_back({Series::Line, "", {.08, .18}, {0, 1}, {}, {}, {}});
  const std::string svg = plot_svg(p, "e");
  const size_t label = svg.find(">0.18<");
  ASSERT_NE(label, std::string::npos) << svg;
  const size_t at = svg.rfind(" x=\"", label) + 4;
  const double x = std::stod(svg.substr(at)), half = text_width("0.18") * kFontSize / 2;
  EXPECT_LE(x + half, kPlotWidth);
  EXPECT_GT(x + half, kPlotWidth - 10);   // the control: without room to the right it would have been cut
}

// A level dashed line of two points is a bound and bears no symbols; a sloping one is data.
TEST(Svg, BoundsHaveNoSymbols) {
  Plot p;
  p.title = "bound";
  p.series.push_back({Series::Line, "bound", {0, 1}, {.5, .5}, {}, {}, {}, true});
  EXPECT_EQ(plot_svg(p, "b").find("class=\"m\""), std::string::npos);
  p.series[0].y[1] = 1;
  EXPECT_NE(plot_svg(p, "b").find("class=\"m\""), std::string::npos);
}

TEST(Svg, NoDataIsSaid) {
  Plot p = one_series(line({1, 2}, {kNoNumber, kNoNumber}));
  EXPECT_TRUE(plot_empty(p));
  EXPECT_NE(plot_svg(p, "a").find("no data"), std::string::npos);
  EXPECT_EQ(plot_legend(p), "");
  p.series[0].y[1] = 0;
  EXPECT_FALSE(plot_empty(p));
  EXPECT_EQ(plot_svg(p, "a").find("no data"), std::string::npos);
  p.y.logarithmic = true;
  EXPECT_TRUE(plot_empty(p));
  Plot heat;
  heat.kind = Plot::HeatMap;
  heat.title = "heat";
  EXPECT_NE(plot_svg(heat, "a").find("no data"), std::string::npos);
  Plot image;
  image.kind = Plot::Images;
  image.title = "image";
  image.image_file = "a.png";
  EXPECT_NE(plot_figure(image, "a", "", "a.png is not there").find("a.png is not there"), std::string::npos);
}

TEST(Svg, TextsAreEscaped) {
  Plot p = sample_section().plots[0];
  p.title = p.note = p.x.title = p.series[0].name = "<script>alert(1)</script>";
  p.series[1].labels = {"<b>", "\"", "'", "&"};
  const std::string figure = plot_figure(p, "a");
  EXPECT_EQ(figure.find("<script"), std::string::npos);
  EXPECT_EQ(markup_fault(figure), "");
  EXPECT_NE(figure.find("&lt;script&gt;"), std::string::npos);
}

TEST(Svg, EveryCoordinateLiesInside) {
  // Many points of all sizes: nothing outside the drawing, at most three decimals.
  Series s = line({}, {});
  for (int i = 0; i < 200; ++i) {
    s.x.push_back(std::sin(i) * std::pow(10., i % 7));
    s.y.push_back(std::cos(3 * i) * 1e-6);
  }
  const std::string svg = plot_svg(one_series(s), "a");
  const size_t begin = svg.find(" d=\"M") + 5;
  std::string path = svg.substr(begin, svg.find('"', begin) - begin);
  for (char& c : path)
    if (c == 'L') c = ' ';
  const char* at = path.c_str();
  int count = 0;
  for (char* end = nullptr;; at = end, ++count) {
    const double v = std::strtod(at, &end);
    if (end == at) break;
    EXPECT_GE(v, 0);
    EXPECT_LE(v, kPlotWidth);
    EXPECT_NEAR(v * 1000, std::round(v * 1000), 1e-6);
  }
  EXPECT_EQ(count, 400);
}
