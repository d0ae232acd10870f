// The numbers of a report as comma-separated values.
#include <cmath>

#include "io/json_text.h"
#include "report/html.h"

namespace purescope {
namespace {

std::string number(double v) { return std::isfinite(v) ? json_number(v) : ""; }

class Csv {
 public:
  Csv(const std::string& run, const std::string& section) : head_(csv_field(run) + "," + csv_field(section)) {}
  void add(const std::string& kind, const std::string& title, const std::string& row, const std::string& column,
           const std::string& unit, double x, const Cell& c) {
    text += head_ + "," + kind + "," + csv_field(title) + "," + csv_field(row) + "," + csv_field(column) + "," +
            csv_field(unit) + "," + csv_field(c.text) + "," + number(x) + "," + number(c.value) + "," + number(c.low) +
            "," + number(c.high) + "," + number(c.deviation) + "," + (c.n < 0 ? "" : std::to_string(c.n)) + "," +
            (c.papers ? "1" : "0") + "\n";
  }
  std::string text;

 private:
  std::string head_;
};

std::string name_at(const std::vector<std::string>& names, size_t i) {
  return i < names.size() ? names[i] : std::to_string(i + 1);
}

void add_table(Csv& csv, const ResultTable& t) {
  for (size_t r = 0; r < t.rows.size(); ++r)
    for (size_t c = 0; c < t.columns.size(); ++c)
      csv.add("table", t.title, std::to_string(r + 1), t.columns[c].title, t.columns[c].unit, kNoNumber, t.rows[r][c]);
}

void add_plot(Csv& csv, const Plot& p) {
  for (const Series& s : p.series)
    for (size_t i = 0; i < s.y.size(); ++i) {
      Cell c;
      if (!s.labels.empty()) c.text = s.labels[i];
      c.value = s.y[i];
      if (!s.low.empty()) c.low = s.low[i], c.high = s.high[i];
      c.papers = s.papers;
      csv.add("series", p.title, std::to_string(i + 1), s.name, "", s.x.empty() ? kNoNumber : s.x[i], c);
    }
  static const char* const kParts[] = {"x", "y", "dx", "dy"};
  for (size_t r = 0; r < p.cells.size(); ++r)
    for (size_t k = 0; k < p.cells[r].size(); ++k) {
      Cell c;
      c.value = p.cells[r][k];
      if (p.kind == Plot::Quiver) csv.add("arrow", p.title, std::to_string(r + 1), kParts[k], "", kNoNumber, c);
      else csv.add("heat map", p.title, name_at(p.row_names, r), name_at(p.column_names, k), "", kNoNumber, c);
    }
}

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string report_csv(const std::vector<ReportRun>& runs) {
  std::string text = "run,section,kind,title,row,column,unit,text,x,value,low,high,deviation,n,papers\n";
  for (const ReportRun& run : runs) {
    Csv csv(run.folder, run.section.name);
    for (const ResultTable& t : run.section.tables) add_table(csv, t);
    for (const Plot& p : run.section.plots) add_plot(csv, p);
    text += csv.text;
  }
  return text;
}

}  // namespace purescope
