#include "report/html.h"

#include <gtest/gtest.h>

#include "io/json_text.h"
#include "report/sample_section.h"
#include "report/section_json.h"
#include "report/well_formed.h"

using namespace purescope;

namespace {

ReportRun sample_run() {
  ReportRun run;
  run.folder = "runs/law";
  run.card = {{"run", "0123abcd"}, {"data", "shapes:1"}};
  run.section = sample_section();
  run.pictures["grid.png"] = "data:image/png;base64,AAAA";
  return run;
}

// The element with the data, as JSON.
std::string data_of(const std::string& html) {
  const size_t begin = html.find('>', html.find("<script")) + 1;
  return html.substr(begin, html.find("</script>") - begin);
}

}  // namespace

TEST(Html, WellFormedAndDeterministic) {
  const std::string html = report_html({sample_run()});
  EXPECT_EQ(markup_fault(html), "");
  EXPECT_EQ(report_html({sample_run()}), html);
  ReportRun other = sample_run();
  other.section.tables[0].rows[0][1].value += 1e-12;
  EXPECT_NE(report_html({other}), html);                            // control: the data are inside to the last digit
  EXPECT_EQ(markup_fault(report_html({sample_run(), other})), "");  // no id twice
}

TEST(Html, HoldsEverything) {
  const std::string html = report_html({sample_run()});
  for (const char* text :
       {"Robustness follows compression", "At CR 0.5 the accuracy is 75 %.", "v2 Fig. 3a, Table 2",
        "purescope experiment law --config &#39;my file.toml&#39;", "33.3 <small>[21.2, 48.0]</small>",
        "<em>papers</em>", "measured with other weights", "<dt>purifier</dt><dd>shapes</dd>", "0123abcd",
        "data:image/png;base64,AAAA", "prefers-color-scheme:dark", "@media print", "name=\"viewport\""})
    EXPECT_NE(html.find(text), std::string::npos) << text;
  EXPECT_EQ(occurrences(html, "<figure"), 4);
  EXPECT_EQ(occurrences(html, "<title id="), 3);
}

// Nothing runs and nothing is fetched.
TEST(Html, SelfContained) {
  ReportRun run = sample_run();
  run.folder = "<script>alert(1)</script>";
  run.section.title = run.section.findings[0] = run.section.command = "</script><script>alert(2)</script>";
  run.section.tables[0].rows[0][0].text = "<img src=\"http://example.org/x.png\">";
  const std::string html = report_html({run});
  EXPECT_EQ(markup_fault(html), "");
  EXPECT_EQ(occurrences(html, "<script"), 1);
  EXPECT_EQ(occurrences(html, "<script type=\"application/json\""), 1);
  EXPECT_EQ(occurrences(html, "</script"), 1);
  for (const char* part :
       {"src=\"http", "href=\"http", "url(http", "@import", "<link", "<img src=\"h", " onload", "javascript:"})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  const JsonObject data = JsonObject::parse(data_of(html), "data");  // and the data still read back
  const JsonObject first = JsonObject::parse(json_elements(data.raw("runs"), "data")[0], "data");
  EXPECT_EQ(first.get_string("folder"), run.folder);
  EXPECT_EQ(section_from_json(first.raw("section"), "data").command, run.section.command);
}

TEST(Html, UnfinishedRunsSaySo) {
  ReportRun run = sample_run();
  EXPECT_EQ(report_html({run}).find("not finished"), std::string::npos);
  run.partial = "12 of 96 records are there";
  EXPECT_NE(report_html({run}).find("not finished: 12 of 96"), std::string::npos);
}

TEST(Html, PictureThatIsMissing) {
  ReportRun run = sample_run();
  run.pictures.clear();
  run.missing["grid.png"] = "grid.png is not there";
  const std::string html = report_html({run});
  EXPECT_NE(html.find("grid.png is not there"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
}

TEST(Csv, QuotesAndNumbers) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"a\""), "\"say \"\"a\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
  ReportRun run = sample_run();
  run.folder = "runs/a,b";
  const std::string csv = report_csv({run});
  EXPECT_NE(csv.find("\"runs/a,b\",law,table,Accuracy,1,\"robust, fixed\",%,,,33.333333333333336,21.25,48,,24,0\n"),
            std::string::npos)
      << csv;
  EXPECT_NE(csv.find(",table,Accuracy,2,\"robust, fixed\",%,,,30.7,,,,,1\n"), std::string::npos);
  EXPECT_NE(csv.find(",series,Accuracy and rate,3,b,,t 50,0.5,,,,,,1\n"), std::string::npos);  // NaN is empty
  EXPECT_NE(csv.find(",heat map,Correlations,second,third,,,,0.125,,,,,0\n"), std::string::npos);
  EXPECT_NE(csv.find(",arrow,Score field,2,dx,,,,-0.5,,,,,0\n"), std::string::npos);
  // Every line has as many fields as the heading: commas outside of quotes.
  int commas = 0, lines = 0;
  bool quoted = false;
  for (char c : csv) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) ++commas;
    if (c == '\n' && !quoted) {
      EXPECT_EQ(commas, 14) << lines;
      commas = 0;
      ++lines;
    }
  }
  EXPECT_EQ(lines, 1 + 6 + 12 + 6 + 8);
}

TEST(Html, Base64) {  // RFC 4648, section 10
  const auto coded = [](const std::string& s) {
    return base64(reinterpret_cast<const unsigned char*>(s.data()), s.size());
  };
  EXPECT_EQ(coded(""), "");
  EXPECT_EQ(coded("f"), "Zg==");
  EXPECT_EQ(coded("fo"), "Zm8=");
  EXPECT_EQ(coded("foo"), "Zm9v");
  EXPECT_EQ(coded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(coded("\xff\xfe"), "//4=");
}
