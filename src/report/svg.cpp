#include "report/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "report/section_text.h"
#include "report/svg_kinds.h"
#include "report/svg_marks.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

constexpr size_t kTableRows = 400;  // of the data under a plot; more stand in the data of the page

std::string row_of(const std::vector<std::string>& cells, const char* kind) {
  std::string out = "<tr>";
  for (const std::string& c : cells) out += std::string("<") + kind + ">" + escaped(c) + "</" + kind + ">";
  return out + "</tr>";
}

// For the table: 6 digits.
std::string digits(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", v);
  return std::isnan(v) ? "-" : text;
}

using Rows = std::vector<std::vector<std::string>>;

bool names_papers(const std::string& text) { return text.find("papers") != std::string::npos; }

// A dashed level line: a bound, not data.
bool is_bound(const Series& s) { return s.kind == Series::Line && s.dashed && s.low.empty() && s.y.size() == 2 && s.y[0] == s.y[1]; }

// Heading first.
Rows series_rows(const Plot& p) {
  const bool banded = std::any_of(p.series.begin(), p.series.end(), [](const Series& s) { return !s.low.empty(); });
  const bool labelled =
      std::any_of(p.series.begin(), p.series.end(), [](const Series& s) { return !s.labels.empty(); });
  const bool numbered = std::any_of(p.series.begin(), p.series.end(), [](const Series& s) { return !s.x.empty(); });
  Rows rows(1);
  rows[0].push_back("series");
  if (labelled) rows[0].push_back("label");
  if (numbered) rows[0].push_back(p.x.title.empty() ? "x" : p.x.title);
  rows[0].push_back(p.y.title.empty() ? "y" : p.y.title + (p.right.title.empty() ? "" : " / " + p.right.title));
  if (banded) rows[0].insert(rows[0].end(), {"low", "high"});
  for (const Series& s : p.series)
    for (size_t i = 0; i < s.y.size(); ++i) {
      std::vector<std::string> row = {s.name + (!s.papers ? "" : names_papers(s.name) ? " (other weights)" : " (papers, other weights)")};
      if (labelled) row.push_back(s.labels.empty() ? "" : s.labels[i]);
      if (numbered) row.push_back(s.x.empty() ? "" : digits(s.x[i]));
      row.push_back(digits(s.y[i]));
      if (banded)
        row.insert(row.end(), {s.low.empty() ? "" : digits(s.low[i]), s.high.empty() ? "" : digits(s.high[i])});
      rows.push_back(row);
    }
  return rows;
}

Rows data_rows(const Plot& p) {
  Rows rows;
  if (p.kind == Plot::Xy) return series_rows(p);
  if (p.kind == Plot::Quiver) rows.push_back({"x", "y", "dx", "dy"});
  if (p.kind == Plot::HeatMap) {
    rows.push_back({""});
    const size_t columns = p.cells.empty() ? 0 : p.cells[0].size();
    for (size_t c = 0; c < columns; ++c)
      rows[0].push_back(c < p.column_names.size() ? p.column_names[c] : std::to_string(c));
  }
  if (p.kind == Plot::Images) {
    rows.push_back({"", "name"});
    for (size_t i = 0; i < p.column_names.size(); ++i)
      rows.push_back({"column " + std::to_string(i + 1), p.column_names[i]});
    for (size_t i = 0; i < p.row_names.size(); ++i) rows.push_back({"row " + std::to_string(i + 1), p.row_names[i]});
    return rows;
  }
  for (size_t r = 0; r < p.cells.size(); ++r) {
    std::vector<std::string> row;
    if (p.kind == Plot::HeatMap) row.push_back(r < p.row_names.size() ? p.row_names[r] : std::to_string(r));
    for (double v : p.cells[r]) row.push_back(digits(v));
    rows.push_back(row);
  }
  return rows;
}

std::string data_table(const Plot& p) {
  const Rows rows = data_rows(p);
  if (rows.size() < 2) return "";
  std::string out = "<details><summary>data (" + std::to_string(rows.size() - 1) +
                    " rows)</summary><div class=\"scroll\"><table><thead>" + row_of(rows[0], "th") + "</thead><tbody>";
  for (size_t i = 1; i < rows.size() && i <= kTableRows; ++i) out += row_of(rows[i], "td");
  out += "</tbody></table></div>";
  if (rows.size() - 1 > kTableRows)
    out += "<p class=\"note\">the first " + std::to_string(kTableRows) +
           "; all of them are in the data at the end of this page</p>";
  return out + "</details>";
}

bool any_finite(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string swatch(const Series& s, size_t k) {
  const std::string open = "<svg class=\"key " + colour_class(k) +
                           "\" viewBox=\"0 0 30 14\" width=\"30\" height=\"14\" aria-hidden=\"true\">";
  if (s.kind == Series::Bars)
    return open + "<rect class=\"" + (s.papers ? "h" : "f") + "\" x=\"6\" y=\"2\" width=\"18\" height=\"10\"/></svg>";
  const bool line = s.kind != Series::Points;
  return open + (line ? "<path class=\"" + line_class(s, k) + "\" d=\"M1 7 H29\"/>" : "") +
         ((line && s.dashed && s.y.size() > 12) || is_bound(s) ? "" : symbol(k, 15, 7, s.papers)) + "</svg>";
}

}  // namespace

bool plot_empty(const Plot& p) {
  if (p.kind == Plot::Images) return p.image_file.empty();
  for (const std::vector<double>& row : p.cells)
    if (any_finite(row)) return false;
  const std::vector<std::string> categories = categories_of(p);
  for (const Series& s : p.series) {
    const std::vector<double> x = places_of(s, categories);
    const Axis& y = s.right_axis ? p.right : p.y;
    for (size_t i = 0; i < s.y.size(); ++i)
      if (std::isfinite(x[i]) && std::isfinite(s.y[i]) && (!p.x.logarithmic || x[i] > 0) &&
          (!y.logarithmic || s.y[i] > 0))
        return false;
  }
  return true;
}

std::string plot_svg(const Plot& p, const std::string& id) {
  Drawing d;
  if (plot_empty(p)) d = {svg_text("no data", kPlotWidth / 2., 50, "middle", "a"), 90};
  else if (p.kind == Plot::HeatMap) d = draw_heat_map(p);
  else if (p.kind == Plot::Quiver) d = draw_quiver(p, id + "c");
  else d = draw_xy(p, id + "c");
  const std::string size = coordinate(kPlotWidth) + " " + coordinate(d.height);
  return "<svg class=\"plot\" viewBox=\"0 0 " + size + "\" role=\"img\" aria-labelledby=\"" + id + "t\"><title id=\"" +
         id + "t\">" + escaped(p.title) + "</title>" + d.body + "</svg>";
}

std::string plot_legend(const Plot& p) {
  if (p.kind == Plot::HeatMap || p.kind == Plot::Images || plot_empty(p)) return "";
  std::string items;
  for (size_t k = 0; k < p.series.size(); ++k) {
    const Series& s = p.series[k];
    if (s.name.empty()) continue;
    items += "<li>" + swatch(s, p.kind == Plot::Quiver ? k + 1 : k) + "<span>" + escaped(s.name) +
             (!s.papers ? "" : names_papers(s.name) ? " <em>other weights</em>" : " <em>papers, other weights</em>") + (s.right_axis ? " (right axis)" : "") +
             "</span></li>";
  }
  return items.empty() ? "" : "<ul class=\"legend\">" + items + "</ul>";
}

std::string plot_figure(const Plot& p, const std::string& id, const std::string& picture, const std::string& missing) {
  std::string drawing;
  if (p.kind != Plot::Images) drawing = plot_svg(p, id);
  else if (!picture.empty())
    drawing = "<div class=\"scroll\"><img src=\"" + escaped(picture) + "\" alt=\"" + escaped(p.title) + "\"/></div>";
  else drawing = "<p class=\"note\">" + escaped("no picture: " + (missing.empty() ? "no data" : missing)) + "</p>";
  return "<figure" + std::string(p.kind == Plot::Images ? " class=\"wide\"" : "") + "><figcaption>" + escaped(p.title) +
         "</figcaption>" + plot_legend(p) + drawing +
         (p.note.empty() ? "" : "<p class=\"note\">" + prose(p.note) + "</p>") + data_table(p) + "</figure>";
}

}  // namespace purescope
