// report: tables, plots and findings of runs, as HTML, CSV, JSON and Markdown.
#include <sys/stat.h>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/shared_flags.h"
#include "core/check.h"
#include "io/atomic_file.h"
#include "io/image.h"
#include "io/signals.h"
#include "report/html.h"
#include "report/run_section.h"
#include "report/run_section_robustbench.h"
#include "report/section_text.h"

namespace purescope {
namespace {

constexpr size_t kPictures = 64, kPictureBytes = size_t(2) << 20;  // embedded in one report, all together

struct ReportOptions {
  std::vector<std::string> runs;
  std::string html, csv, json, markdown, robustbench;
  bool quiet = false;
};

bool same_file(const std::string& a, const std::string& b) {
  struct stat x {
  }, y{};
  return ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

// Embeds the pictures of a section while there is room; of the others the report says why they are missing.
void add_pictures(ReportRun& run, size_t& count, size_t& bytes) {
  for (const Plot& p : run.section.plots) {
    if (p.kind != Plot::Images || run.pictures.count(p.image_file)) continue;
    const std::string path = run.folder + "/" + p.image_file;
    try {
      const MappedFile file(path);
      static const unsigned char kPng[] = {0x89, 'P', 'N', 'G'};
      if (file.size() < 8 || !std::equal(kPng, kPng + 4, file.data()))
        run.missing[p.image_file] = path + " is not a PNG";
      else if (count == kPictures || bytes + file.size() > kPictureBytes)
        run.missing[p.image_file] = path + " is left out, because a report holds at most 64 pictures and 2 MB of them";
      else {
        run.pictures[p.image_file] = "data:image/png;base64," + base64(file.data(), file.size());
        ++count;
        bytes += file.size();
      }
    } catch (const Error& e) {
      if (e.code != kMissingInput) throw;
      run.missing[p.image_file] = path + " is not there";
    }
  }
}

int run_report(const ReportOptions& o) {
  if (o.html.empty() && o.csv.empty() && o.json.empty() && o.markdown.empty() && o.robustbench.empty())
    fail(kUsage, "nothing to write", "the command line",
         "give -o report.html, --csv, --json, --markdown or --robustbench");
  if (!o.robustbench.empty() && o.runs.size() != 1)
    fail(kUsage, "--robustbench with " + std::to_string(o.runs.size()) + " runs", "the command line", "name one run");
  std::vector<ReportRun> runs;
  std::string entry;
  size_t pictures = 0, bytes = 0;
  for (const std::string& folder : o.runs) {
    for (const ReportRun& before : runs)
      if (same_file(before.folder, folder)) fail(kUsage, "the run is named twice", folder, "name each run once");
    const RunRecords records = read_run(folder);
    ReportRun run{folder, run_card(records), run_partial(records), run_section(records), {}, {}};
    add_pictures(run, pictures, bytes);
    if (!run.partial.empty() && !o.quiet)
      std::fprintf(stderr, "note: %s is not finished: %s\n", folder.c_str(), run.partial.c_str());
    if (!o.robustbench.empty()) entry = robustbench_json(records);
    runs.push_back(std::move(run));
  }
  const auto write = [&](const std::string& path, const std::string& text) {
    if (path.empty()) return;
    if (path == "-") {
      print_out(text);
      return;
    }
    write_text_atomic(path, text);
    print_out(path + "\n");
  };
  if (!o.html.empty()) write(o.html, report_html(runs));
  if (!o.csv.empty()) write(o.csv, report_csv(runs));
  if (!o.json.empty()) write(o.json, report_json(runs) + "\n");
  if (!o.markdown.empty()) write(o.markdown, report_markdown(runs));
  if (!o.robustbench.empty()) write(o.robustbench, entry + "\n");
  return kOk;
}

}  // namespace

void register_report_commands(Program& program) {
  auto o = std::make_shared<ReportOptions>();
  Command& c = program.add(
      "report", "Data",
      "Runs as one HTML file with plots, tables and findings, or as CSV, JSON and Markdown; nothing is computed again.",
      {"purescope report runs/demo -o report.html",
       "purescope report runs/law runs/survival runs/audit -o all.html --csv all.csv --json all.json",
       "purescope report runs/cifar --robustbench entry.json", "purescope report runs/demo --csv -      # to stdout",
       "purescope report runs/cr runs/law --markdown results.md"},
      [o] { return run_report(*o); });
  c.arguments("RUN", "run directories of attack, cr, predict, protocol, audit or experiment", o->runs);
  c.group("Output");
  c.text("-o,--out", "FILE", "the report: one HTML file, no scripts, nothing fetched; - is stdout, here and below",
         o->html);
  c.text("--csv", "FILE", "every number of it, one per line", o->csv);
  c.text("--json", "FILE", "the same as JSON", o->json);
  c.text("--markdown", "FILE", "tables and findings as Markdown, to be quoted", o->markdown);
  c.text("--robustbench", "FILE", "the leaderboard's fields, from one run of attack with one t* and one budget",
         o->robustbench);
  c.flag("-q,--quiet", "no notes", o->quiet);
}

}  // namespace purescope
