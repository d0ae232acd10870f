// report as a user runs it, on small runs of every command whose records it reads.
#include <filesystem>

#include "cli/program.h"
#include "io/json_text.h"

using namespace purescope;

namespace {

using Args = std::vector<std::string>;

Args small(const std::string& command, const std::string& out, const Args& more) {
  Args a = {command,
            "-q",
            "-p",
            "formula",
            "--purifier-arch",
            "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4",
            "-c",
            "formula",
            "--classifier-arch",
            "cifar-resnet:depth=8,size=16,classes=4,width=4",
            "-n",
            "4",
            "--out",
            out};
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST(CliReport, AttackToHtmlCsvAndJson) {
  const ScratchFolder folder;
  const std::string run = folder / "attack";
  expect_success(small("attack", run, {"--t", "2,4", "--steps", "2", "--draws", "2"}));
  const std::string before = slurp(run + "/results.0000of0001.jsonl");
  const ProgramRun report =
      expect_success({"report", run, "-o", folder / "r.html", "--csv", folder / "r.csv", "--json", folder / "r.json"});
  EXPECT_EQ(report.out, folder / "r.html" + "\n" + (folder / "r.csv") + "\n" + (folder / "r.json") + "\n");
  const std::string html = slurp(folder / "r.html");
  EXPECT_EQ(html.rfind("<!DOCTYPE html>", 0), 0u);
  EXPECT_EQ(count(html, "<section "), 1u);
  EXPECT_NE(html.find("data:image/png;base64,"), std::string::npos);  // grid.png
  EXPECT_EQ(html.find("no data"), std::string::npos);
  EXPECT_EQ(html.find(" nan"), std::string::npos);
  EXPECT_EQ(slurp(run + "/results.0000of0001.jsonl"), before);  // a run is only read
  // The robust accuracies of the summary stand in the CSV.
  const JsonObject summary = JsonObject::parse(slurp(run + "/summary.json"), "summary");
  const std::string rows = summary.raw("rows");
  const size_t at = rows.find("\"robust_fixed\":");
  const JsonObject share = JsonObject::parse(rows.substr(at + 15, rows.find('}', at) - at - 14), "rows");
  EXPECT_NE(
      slurp(folder / "r.csv").find(",1,\"robust, fixed\",%,,," + json_number(100 * share.get_double("value")) + ","),
      std::string::npos);
  EXPECT_NE(slurp(folder / "r.json").find("\"name\":\"attack\""), std::string::npos);
  // So they do in the Markdown, as the terminal shows them; no heading of its own but the section's.
  const std::string markdown = expect_success({"report", run, "--markdown", "-"}).out;
  EXPECT_EQ(markdown.rfind("## ", 0), 0u);
  EXPECT_EQ(count(markdown, "## "), 1u);
  char percent[64];
  std::snprintf(percent, sizeof percent, " %.1f [", 100 * share.get_double("value"));
  EXPECT_NE(markdown.find(percent), std::string::npos) << percent;
  // The same bytes again, and for a run that differs others.
  expect_success({"report", run, "-q", "-o", folder / "again.html"});
  EXPECT_EQ(slurp(folder / "again.html"), html);
  EXPECT_EQ(expect_success({"report", run, "--csv", "-"}).out, slurp(folder / "r.csv"));
}

TEST(CliReport, SeveralRunsOfEveryCommand) {
  const ScratchFolder folder;
  expect_success(small("cr", folder / "cr", {"--t", "2,4", "--draws", "2"}));
  expect_success(small("predict", folder / "predict", {"--t", "2", "--steps", "2", "--draws", "2"}));
  expect_success(small("protocol", folder / "protocol", {"--t", "2", "--steps", "2", "--eot", "2", "--tries", "2"}));
  const ProgramRun audit = run_program(small(
      "audit", folder / "audit", {"--t", "2", "--steps", "2", "--checks", "1,4,7", "--directions", "1", "--json"}));
  ASSERT_TRUE(audit.code == 0 || audit.code == 1) << audit.err;
  expect_success({"report", folder / "cr", folder / "predict", folder / "protocol", folder / "audit", "-o",
                  folder / "all.html", "--json", folder / "all.json"});
  const std::string html = slurp(folder / "all.html");
  EXPECT_EQ(count(html, "<section "), 4u);
  EXPECT_EQ(html.find("no data"), std::string::npos);
  EXPECT_NE(html.find("What randomness is worth"), std::string::npos);
  // The verdict that audit printed is the one in the report.
  const std::string verdict = JsonObject::parse(audit.out, "audit").get_string("verdict");
  EXPECT_NE(html.find("<li class=\"finding\">" + verdict + ": "), std::string::npos) << verdict;
}

TEST(CliReport, PartialRunsAndRobustBench) {
  const ScratchFolder folder;
  const std::string run = folder / "attack";
  expect_success(small("attack", run, {"--t", "2", "--steps", "2", "--draws", "2", "--fix-random", "--no-predict"}));
  expect_success({"report", run, "--robustbench", folder / "entry.json"});
  const JsonObject entry = JsonObject::parse(slurp(folder / "entry.json"), "entry");
  EXPECT_EQ(entry.get_string("eps"), "8/255");
  EXPECT_EQ(entry.get_int("number_forward_passes"), 3);
  std::filesystem::remove(run + "/summary.json");
  const std::string file = run + "/results.0000of0001.jsonl", text = slurp(file);
  spit(file, text.substr(0, text.find('\n', text.find('\n') + 1) + 20));  // two records and a torn one
  const ProgramRun partial = expect_success({"report", run, "-o", folder / "p.html"});
  EXPECT_NE(partial.err.find("2 of 4 records"), std::string::npos) << partial.err;
  EXPECT_NE(slurp(folder / "p.html").find("not finished: 2 of 4 records"), std::string::npos);
  expect_failure({"report", run, "-q", "--robustbench", folder / "entry.json"}, 2, "not finished");
  spit(file, text.substr(0, 30) + "9" + text.substr(31));
  expect_failure({"report", run, "-o", folder / "p.html"}, 65, "checksum", "line 1");
}

TEST(CliReport, RefusesWrongUse) {
  const ScratchFolder folder;
  expect_failure({"report", folder / "none", "-o", folder / "r.html"}, 66, "no such run");
  expect_failure({"report", folder.path(), "-o", folder / "r.html"}, 66, "header.json");
  expect_failure({"report", folder.path()}, 2, "nothing to write");
  expect_failure({"report", "-o", folder / "r.html"}, 2, "");
  expect_success(small("cr", folder / "cr", {"--t", "2", "--draws", "1"}));
  expect_failure({"report", folder / "cr", folder / "cr/", "-o", folder / "r.html"}, 2, "twice");
  expect_failure({"report", folder / "cr", "-o", folder / "no/such/r.html"}, 73, "");
  expect_failure({"report", folder / "cr", "--robustbench", folder / "e.json"}, 2, "'cr'");
  EXPECT_FALSE(std::filesystem::exists(folder / "r.html"));
  const ProgramRun help = expect_success({"report", "--help"});
  EXPECT_NE(help.out.find("purescope report runs/demo -o report.html"), std::string::npos);
}
