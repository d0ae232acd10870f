#include "report/html.h"

#include <algorithm>
#include <cmath>

#include "io/json_text.h"
#include "report/section_json.h"
#include "report/section_text.h"
#include "report/svg.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

constexpr size_t kLongText = 40;  // letters from which a column of words asks for room
constexpr size_t kSummary = 4;    // findings of each run in the summary of several; all of them stand in its section

std::string element(const std::string& kind, const std::string& text) {
  return "<" + kind + ">" + escaped(text) + "</" + kind + ">";
}

std::string definitions(const std::vector<std::pair<std::string, std::string>>& list) {
  std::string out;
  for (const auto& [name, value] : list) out += element("dt", name) + element("dd", value);
  return out.empty() ? "" : "<dl>" + out + "</dl>";
}

std::string findings(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& f : list) out += "<li class=\"finding\">" + prose(f) + "</li>";
  return out.empty() ? "" : "<ul class=\"findings\">" + out + "</ul>";
}

// The value in the colour of the text, spread and interval in a softer one.
std::string cell_content(const Cell& c, const Column& column, bool own_n) {
  std::string out = escaped(c.text.empty() ? number_text(c.value, column.decimals) : c.text);
  if (c.text.empty() && !std::isnan(c.deviation))
    out += " <small>\xc2\xb1 " + deviation_text(c, column.decimals) + "</small>";
  if (c.text.empty() && (!std::isnan(c.low) || !std::isnan(c.high)))
    out +=
        " <small>[" + number_text(c.low, column.decimals) + ", " + number_text(c.high, column.decimals) + "]</small>";
  if (own_n && c.n >= 0) out += " <small>(n " + std::to_string(c.n) + ")</small>";
  const bool said = column.title.find("papers") != std::string::npos;
  return c.papers && !said ? out + " <em>papers</em>" : out;
}

std::string table_html(const ResultTable& t) {
  const TextTable plain = text_table(t);  // its headings and the column n are the same everywhere
  std::vector<std::string> kinds;
  for (size_t i = 0; i < plain.headings.size(); ++i) {
    const bool longish =
        std::any_of(plain.rows.begin(), plain.rows.end(), [&](const auto& row) { return row[i].size() > kLongText; });
    kinds.push_back(!plain.words[i] ? "" : longish ? "words long" : "words");
  }
  const auto open = [&](const char* tag, size_t i, bool papers) {
    const std::string kind = kinds[i] + (papers ? (kinds[i].empty() ? "papers" : " papers") : "");
    return std::string("<") + tag + (kind.empty() ? "" : " class=\"" + kind + "\"") + ">";
  };
  std::string out = t.title.empty() ? "" : element("h3", t.title);
  out += "<div class=\"scroll\"><table><thead><tr>";
  for (size_t i = 0; i < plain.headings.size(); ++i) out += open("th", i, false) + escaped(plain.headings[i]) + "</th>";
  out += "</tr></thead><tbody>";
  for (size_t r = 0; r < t.rows.size(); ++r) {
    const int n = row_n(t.rows[r]);
    out += "<tr>";
    for (size_t i = 0; i < t.rows[r].size(); ++i)
      out += open("td", i, t.rows[r][i].papers) + cell_content(t.rows[r][i], t.columns[i], n < 0) + "</td>";
    if (plain.headings.size() > t.columns.size()) out += "<td>" + (n < 0 ? "" : std::to_string(n)) + "</td>";
    out += "</tr>";
  }
  out += "</tbody></table></div>";
  if (t.rows.empty()) out += "<p class=\"note\">no rows</p>";
  if (plain.papers) out += "<p class=\"note\">papers: a value of the papers, measured with other weights</p>";
  return t.note.empty() ? out : out + "<p class=\"note\">" + prose(t.note) + "</p>";
}

std::string section_html(const ReportRun& run, size_t index, bool with_findings) {
  const Section& s = run.section;
  const std::string id = "r" + std::to_string(index);
  std::string out = "<section id=\"" + id + "\"><h2>" + escaped(s.title) + "</h2>";
  if (!s.caption.empty()) out += "<p class=\"lead\">" + prose(s.caption) + "</p>";
  if (!s.source.empty()) out += "<p class=\"note\">in the papers: " + escaped(s.source) + "</p>";
  if (!run.partial.empty()) out += "<p class=\"partial\">This run is not finished: " + escaped(run.partial) + ".</p>";
  if (with_findings) out += findings(s.findings);
  std::string figures;
  for (size_t i = 0; i < s.plots.size(); ++i) {
    const Plot& p = s.plots[i];
    const auto picture = run.pictures.find(p.image_file), missing = run.missing.find(p.image_file);
    figures += plot_figure(p, id + "p" + std::to_string(i), picture == run.pictures.end() ? "" : picture->second,
                           missing == run.missing.end() ? "" : missing->second);
  }
  if (!figures.empty()) out += "<div class=\"figures\">" + figures + "</div>";
  for (const ResultTable& t : s.tables) out += table_html(t);
  if (!s.settings.empty()) out += "<h3>Settings</h3>" + definitions(s.settings);
  if (!s.command.empty()) out += "<h3>Command</h3><pre>" + escaped(s.command) + "</pre>";
  if (!run.card.empty())
    out += "<details><summary>run card of " + escaped(run.folder) + "</summary>" + definitions(run.card) + "</details>";
  return out + "</section>\n";
}

std::string summary(const std::vector<ReportRun>& runs) {
  std::string out;
  for (size_t i = 0; i < runs.size(); ++i) {
    const Section& s = runs[i].section;
    if (runs.size() > 1)
      out += "<p><a href=\"#r" + std::to_string(i) + "\">" + escaped(s.title) + "</a>" +
             (runs[i].partial.empty() ? "" : " (not finished)") + "</p>";
    std::vector<std::string> told = s.findings;
    if (runs.size() > 1 && told.size() > kSummary) told.resize(kSummary);
    out += told.empty() ? "<p class=\"note\">no findings</p>" : findings(told);
    if (told.size() < s.findings.size())
      out += "<p class=\"note\">and " + std::to_string(s.findings.size() - told.size()) + " more below</p>";
  }
  return "<div class=\"card\"><h2>What was found</h2>" + out + "</div>";
}

// JSON inside an element of HTML: nothing in it may look like markup.
std::string harmless(const std::string& json) {
  std::string out;
  for (char c : json) {
    if (c == '<') out += "\\u003c";
    else if (c == '>') out += "\\u003e";
    else if (c == '&') out += "\\u0026";
    else out += c;
  }
  return out;
}

}  // namespace

std::string report_html(const std::vector<ReportRun>& runs) {
  std::string names;
  for (const ReportRun& run : runs) names += (names.empty() ? "" : ", ") + run.folder;
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"/><title>" +
      escaped("purescope: " + names) + "</title><style>" + kReportStyle +
      "</style></head>\n<body><main><header><h1>purescope report</h1><p class=\"lead\">" + escaped(names) +
      "</p></header>\n" + summary(runs) + "\n";
  for (size_t i = 0; i < runs.size(); ++i) out += section_html(runs[i], i, runs.size() > 1);
  return out + "</main>\n<script type=\"application/json\" id=\"purescope-data\">" + harmless(report_json(runs)) +
         "</script></body></html>\n";
}

std::string report_json(const std::vector<ReportRun>& runs) {
  std::vector<std::string> items;
  for (const ReportRun& run : runs) {
    std::vector<std::string> card;
    for (const auto& [name, value] : run.card) card.push_back(json_array({json_quote(name), json_quote(value)}));
    items.push_back(JsonLine()
                        .add("folder", run.folder)
                        .add("partial", run.partial)
                        .raw("card", json_array(card))
                        .raw("section", section_json(run.section))
                        .text());
  }
  return JsonLine().add("v", 1).raw("runs", json_array(items)).text();
}

std::string base64(const unsigned char* bytes, size_t size) {
  static const char* kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < size; i += 3) {
    const unsigned group = bytes[i] << 16 | (i + 1 < size ? bytes[i + 1] << 8 : 0) | (i + 2 < size ? bytes[i + 2] : 0);
    out += kLetters[group >> 18 & 63];
    out += kLetters[group >> 12 & 63];
    out += i + 1 < size ? kLetters[group >> 6 & 63] : '=';
    out += i + 2 < size ? kLetters[group & 63] : '=';
  }
  return out;
}

}  // namespace purescope
