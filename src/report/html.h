// The report: one HTML file with everything in it. No script runs, nothing is fetched; style, drawings, pictures and
// data are inside.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "report/section.h"

namespace purescope {

struct ReportRun {
  std::string folder;                                     // as it was named
  std::vector<std::pair<std::string, std::string>> card;  // the run card, in order
  std::string partial;                                    // "12 of 96 records", empty for a finished run
  Section section;
  std::map<std::string, std::string> pictures;  // image_file -> "data:image/png;base64,..."
  std::map<std::string, std::string> missing;   // image_file -> why it is not embedded
};

// Bytes depend on `runs` alone. All text is escaped.
std::string report_html(const std::vector<ReportRun>& runs);

// Light, dark (prefers-color-scheme) and print; eight colours that are told apart in all common forms of colour
// blindness.
extern const char* const kReportStyle;

// {"v":1,"runs":[{"folder":...,"partial":...,"card":{...},"section":{...}}]}, one line.
std::string report_json(const std::vector<ReportRun>& runs);

// One line per number or text, RFC 4180 with LF: run, section, kind (table | series | heat map | arrow), title, row,
// column, unit, text, x, value, low, high, deviation, n, papers. Numbers in the shortest form that reads back to the
// same double; unknown ones are empty.
std::string report_csv(const std::vector<ReportRun>& runs);

// The sections one after the other, as section_markdown gives them; a run that is not finished says so.
std::string report_markdown(const std::vector<ReportRun>& runs);

// "text", quoted where it holds a comma, a quote or a line break.
std::string csv_field(const std::string& text);

std::string base64(const unsigned char* bytes, size_t size);

}  // namespace purescope
