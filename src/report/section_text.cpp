#include "report/section_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace purescope {
namespace {

// Characters of UTF-8 text: every byte that does not continue one.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width, bool left) {
  const std::string space(width > width_of(text) ? width - width_of(text) : 0, ' ');
  return left ? text + space : space + text;
}

std::string line_of(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                    const std::vector<bool>& left) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) line += (i ? "  " : "") + padded(cells[i], widths[i], left[i]);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string aligned(const TextTable& t) {
  std::vector<size_t> widths;
  for (const std::string& heading : t.headings) widths.push_back(width_of(heading));
  for (const auto& row : t.rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string text = line_of(t.headings, widths, t.words);
  for (const auto& row : t.rows) text += line_of(row, widths, t.words);
  return text;
}

bool is_words(const ResultTable& table, size_t column) {
  return std::all_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return !row[column].text.empty() || std::isnan(row[column].value); }) &&
         std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return !row[column].text.empty() && row[column].text != "-"; });
}

}  // namespace

std::string number_text(double value, int decimals) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[64];
  const double size = std::abs(value);
  const bool vanishes = size > 0 && size < .5 * std::pow(10., -decimals);
  if (vanishes || size >= 1e15) std::snprintf(text, sizeof text, "%.1e", value);
  else std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return value == 0 && text[0] == '-' ? text + 1 : text;
}

std::string deviation_text(const Cell& c, int decimals) {
  return number_text(c.deviation < 1e-6 * std::abs(c.value) ? 0 : c.deviation, decimals);
}

std::string cell_text(const Cell& c, const Column& column) {
  if (!c.text.empty()) return c.text;
  std::string text = number_text(c.value, column.decimals);
  if (!std::isnan(c.deviation)) text += " +- " + deviation_text(c, column.decimals);
  if (!std::isnan(c.low) || !std::isnan(c.high))
    text += " [" + number_text(c.low, column.decimals) + ", " + number_text(c.high, column.decimals) + "]";
  return text;
}

std::string column_text(const Column& column) {
  return column.unit.empty() ? column.title : column.title + " (" + column.unit + ")";
}

int row_n(const std::vector<Cell>& row) {
  int n = -1;
  for (const Cell& c : row) {
    if (c.n < 0) continue;
    if (n >= 0 && n != c.n) return -1;
    n = c.n;
  }
  return n;
}

TextTable text_table(const ResultTable& table) {
  TextTable out;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    out.headings.push_back(column_text(table.columns[i]));
    out.words.push_back(is_words(table, i));
  }
  const bool named =
      std::any_of(table.columns.begin(), table.columns.end(), [](const Column& c) { return c.title == "n"; });
  const bool column =
      !named && std::any_of(table.rows.begin(), table.rows.end(), [](const auto& row) { return row_n(row) >= 0; });
  for (const std::vector<Cell>& row : table.rows) {
    const int n = row_n(row);
    std::vector<std::string> cells;
    for (size_t i = 0; i < row.size(); ++i) {
      cells.push_back(cell_text(row[i], table.columns[i]));
      if (n < 0 && row[i].n >= 0) cells.back() += " (n " + std::to_string(row[i].n) + ")";
      if (row[i].papers) cells.back() += "*";
      out.papers |= row[i].papers;
    }
    if (column) cells.push_back(n < 0 ? "" : std::to_string(n));
    out.rows.push_back(std::move(cells));
  }
  if (column) {
    out.headings.push_back("n");
    out.words.push_back(false);
  }
  return out;
}

std::string section_text(const Section& s) {
  std::string text = s.title + "\n";
  if (!s.caption.empty()) text += s.caption + "\n";
  if (!s.source.empty()) text += "source: " + s.source + "\n";
  std::string settings;
  for (const auto& [name, value] : s.settings) settings += (settings.empty() ? "" : ", ") + name + " " + value;
  if (!settings.empty()) text += "settings: " + settings + "\n";
  for (const ResultTable& t : s.tables) {
    const TextTable table = text_table(t);
    text += "\n";
    if (!t.title.empty()) text += t.title + "\n";
    text += t.rows.empty() ? "no rows\n" : aligned(table);
    if (table.papers) text += std::string(kPapersNote) + "\n";
    if (!t.note.empty()) text += t.note + "\n";
  }
  if (!s.findings.empty()) text += "\n";
  for (const std::string& f : s.findings) text += "- " + f + "\n";
  return s.command.empty() ? text : text + "\ncommand: " + s.command + "\n";
}

}  // namespace purescope
