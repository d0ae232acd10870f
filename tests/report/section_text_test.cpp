#include "report/section_text.h"

#include <gtest/gtest.h>

#include "report/sample_section.h"

using namespace purescope;

TEST(SectionText, Numbers) {
  EXPECT_EQ(number_text(1. / 3, 3), "0.333");
  EXPECT_EQ(number_text(0, 1), "0.0");
  EXPECT_EQ(number_text(-0., 1), "0.0");
  EXPECT_EQ(number_text(-.00001, 3), "-1.0e-05");  // not "-0.000"
  EXPECT_EQ(number_text(.0004, 3), "4.0e-04");
  EXPECT_EQ(number_text(.0006, 3), "0.001");
  EXPECT_EQ(number_text(1e20, 3), "1.0e+20");
  EXPECT_EQ(number_text(kNoNumber, 3), "-");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity(), 3), "-inf");
}

TEST(SectionText, CellsSayWhatIsKnown) {
  Cell c;
  const Column column{"robust", "%", 1};
  EXPECT_EQ(cell_text(c, column), "-");
  c.value = 25;
  EXPECT_EQ(cell_text(c, column), "25.0");
  c.deviation = 2.5;
  EXPECT_EQ(cell_text(c, column), "25.0 +- 2.5");
  c.low = 12, c.high = 45.25;
  EXPECT_EQ(cell_text(c, column), "25.0 +- 2.5 [12.0, 45.2]");
  c.high = kNoNumber;
  EXPECT_EQ(cell_text(c, column), "25.0 +- 2.5 [12.0, -]");
  c.deviation = 1e-7;   // rounding, beside a value of 25
  EXPECT_EQ(cell_text(c, column), "25.0 +- 0.0 [12.0, -]");
  c.deviation = .01;    // not rounding
  EXPECT_EQ(cell_text(c, column), "25.0 +- 1.0e-02 [12.0, -]");
  c.text = "none";
  EXPECT_EQ(cell_text(c, column), "none");
  EXPECT_EQ(column_text(column), "robust (%)");
}

TEST(SectionText, CountsStandOnceOrInEachCell) {
  ResultTable t{"", "", {{"a", "", 0}, {"b", "", 0}}, {}};
  Cell ten, twelve;
  ten.value = twelve.value = 1;
  ten.n = 10, twelve.n = 12;
  t.rows = {{ten, ten}, {ten, twelve}};
  const TextTable mixed = text_table(t);
  EXPECT_EQ(mixed.headings, (std::vector<std::string>{"a", "b", "n"}));
  EXPECT_EQ(mixed.rows[0], (std::vector<std::string>{"1", "1", "10"}));
  EXPECT_EQ(mixed.rows[1], (std::vector<std::string>{"1 (n 10)", "1 (n 12)", ""}));
  t.columns[0].title = "n";
  EXPECT_EQ(text_table(t).headings.size(), 2u);
}

TEST(SectionText, TheWholeSection) {
  EXPECT_EQ(section_text(sample_section()),
            "Robustness follows compression\n"
            "Accuracy against the compression rate, \"quoted\", \xc3\xa9\n"
            "source: v2 Fig. 3a, Table 2\n"
            "settings: purifier shapes, t* 20, 50\n"
            "\n"
            "Accuracy\n"
            "sampler  robust, fixed (%)                CR   n\n"
            "ddpm     33.3 [21.2, 48.0]  0.2500 +- 0.0312  24\n"
            "ddpm                 30.7*                 -\n"
            "* value of the papers, measured with other weights\n"
            "Wilson's 95 % interval\n"
            "\n"
            "- At CR 0.5 the accuracy is 75 %.\n"
            "- One point was not finite.\n"
            "\n"
            "command: purescope experiment law --config 'my file.toml'\n");
}

TEST(SectionText, AsMarkdown) {
  EXPECT_EQ(section_markdown(sample_section()),
            "## Robustness follows compression\n"
            "\n"
            "Accuracy against the compression rate, \"quoted\", \xc3\xa9 Source: v2 Fig. 3a, Table 2.\n"
            "\n"
            "    purescope experiment law --config 'my file.toml'\n"
            "\n"
            "Settings: purifier: shapes; t*: 20, 50.\n"
            "\n"
            "- At CR 0.5 the accuracy is 75 %.\n"
            "- One point was not finite.\n"
            "\n"
            "**Accuracy**\n"
            "\n"
            "| sampler | robust, fixed (%) | CR | n |\n"
            "|---|--:|--:|--:|\n"
            "| ddpm | 33.3 [21.2, 48.0] | 0.2500 +- 0.0312 | 24 |\n"
            "| ddpm | 30.7* | - |  |\n"
            "\n"
            "\\* value of the papers, measured with other weights\n"
            "\n"
            "Wilson's 95 % interval\n");
}

// A column of dashes is one of numbers that are missing, not of words.
TEST(SectionText, DashesStandWithNumbers) {
  ResultTable t{"", "", {{"a", "", 0}, {"b", "", 0}}, {}};
  Cell dash, word;
  dash.text = "-";
  word.text = "w";
  t.rows = {{dash, word}};
  EXPECT_EQ(text_table(t).words, (std::vector<bool>{false, true}));
}

// What Markdown would take for its own is escaped; what it would not is left as it is read.
TEST(SectionText, MarkdownIsEscaped) {
  Section s;
  s.name = "s";
  s.title = "t* at 3*, snake_case";
  s.findings = {"*a* _b_ `c` a*b*c <i> & x|y [z](u) __d"};
  Cell cell;
  cell.text = "one\ntwo | three";
  s.tables = {{"", "", {{"a", "", 0}}, {{cell}}}};
  const std::string text = section_markdown(s);
  EXPECT_NE(text.find("## t* at 3*, snake_case\n"), std::string::npos) << text;
  EXPECT_NE(text.find("- \\*a* \\_b_ \\`c\\` a\\*b\\*c &lt;i&gt; &amp; x\\|y [z\\](u) \\_\\_d\n"), std::string::npos) << text;
  EXPECT_NE(text.find("| one two \\| three |\n"), std::string::npos) << text;
  s.tables[0].rows.clear();
  EXPECT_NE(section_markdown(s).find("No rows."), std::string::npos);
}

// Letters of two bytes take one place.
TEST(SectionText, AlignsCharactersNotBytes) {
  Section s;
  s.name = s.title = "s";
  Cell word, number;
  word.text = "\xc3\xa9";
  number.value = 1;
  s.tables = {{"", "", {{"ab", "", 0}, {"x", "", 0}}, {{word, number}}}};
  EXPECT_NE(section_text(s).find("ab  x\n\xc3\xa9   1\n"), std::string::npos) << section_text(s);
  s.tables[0].rows.clear();
  EXPECT_NE(section_text(s).find("no rows"), std::string::npos);
}
