// What a section must satisfy before anything is rendered from it.
#include <algorithm>

#include "report/section_json.h"

namespace purescope {
namespace {

std::string size_text(const std::string& what, size_t found, size_t expected) {
  return what + " has " + std::to_string(found) + " entries, expected " + std::to_string(expected);
}

std::string table_problem(const ResultTable& t) {
  const std::string name = "table \"" + t.title + "\": ";
  if (t.columns.empty()) return name + "no columns";
  for (const Column& c : t.columns)
    if (c.decimals < 0 || c.decimals > 17)
      return name + "column \"" + c.title + "\" asks for " + std::to_string(c.decimals) + " decimals";
  for (size_t i = 0; i < t.rows.size(); ++i)
    if (t.rows[i].size() != t.columns.size())
      return name + size_text("row " + std::to_string(i), t.rows[i].size(), t.columns.size());
  return "";
}

// y is as long as x, or as labels where x is empty.
std::string series_problem(const Series& s) {
  const std::string name = "series \"" + s.name + "\": ";
  if (s.x.size() != s.y.size() && !(s.x.empty() && s.labels.size() == s.y.size()))
    return name + size_text("y", s.y.size(), s.x.size());
  if (!s.labels.empty() && s.labels.size() != s.y.size())
    return name + size_text("labels", s.labels.size(), s.y.size());
  if (s.low.size() != s.high.size()) return name + size_text("high", s.high.size(), s.low.size());
  if (!s.low.empty() && s.low.size() != s.y.size()) return name + size_text("low", s.low.size(), s.y.size());
  return "";
}

// A path that stays inside the folder of the run.
bool inside(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (path.substr(at, end - at) == "..") return false;
    at = end + 1;
  }
  return true;
}

std::string plot_problem(const Plot& p) {
  const std::string name = "plot \"" + p.title + "\": ";
  if (p.title.empty()) return "a plot has no title";
  for (const Series& s : p.series)
    if (const std::string problem = series_problem(s); !problem.empty()) return name + problem;
  if (p.kind == Plot::Images && !inside(p.image_file))
    return name + "the picture \"" + p.image_file + "\" is not a path inside the run";
  if (p.kind == Plot::HeatMap && !p.row_names.empty() && p.row_names.size() != p.cells.size())
    return name + size_text("row_names", p.row_names.size(), p.cells.size());
  for (const std::vector<double>& row : p.cells) {
    if (p.kind == Plot::Quiver && row.size() != 4) return name + size_text("an arrow", row.size(), 4);
    if (p.kind == Plot::HeatMap && row.size() != p.cells[0].size())
      return name + size_text("a row of cells", row.size(), p.cells[0].size());
    if (p.kind == Plot::HeatMap && !p.column_names.empty() && row.size() != p.column_names.size())
      return name + size_text("a row of cells", row.size(), p.column_names.size());
  }
  return "";
}

}  // namespace

std::string section_problem(const Section& section) {
  if (section.name.empty()) return "the section has no name";
  if (section.title.empty()) return "the section has no title";
  for (const ResultTable& t : section.tables)
    if (const std::string problem = table_problem(t); !problem.empty()) return problem;
  for (const Plot& p : section.plots)
    if (const std::string problem = plot_problem(p); !problem.empty()) return problem;
  return "";
}

}  // namespace purescope
