// Sections as Markdown, to be quoted in documents: the tables are those of the terminal, in pipes.
#include <cctype>

#include "report/html.h"
#include "report/section_text.h"

namespace purescope {
namespace {

bool word_at(const std::string& text, size_t i) { return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])); }

// Where * or _ could open emphasis, or a list: not in "t*, 3*" and "snake_case", which stay as they are read.
bool opens(const std::string& text, size_t i) {
  const bool behind_word = i > 0 && word_at(text, i - 1), inside = behind_word && word_at(text, i + 1);
  return !behind_word || (inside && text[i] == '*') || (i + 1 < text.size() && text[i + 1] == text[i]);
}

// Text as Markdown shows it: what would start a tag, emphasis, a link, code or a new cell is escaped; one line.
std::string plain(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '\n' || c == '\r') out += ' ';
    else if (c == '\\' || c == '`' || c == '|' || ((c == '*' || c == '_') && opens(text, i)) ||
             (c == ']' && i + 1 < text.size() && (text[i + 1] == '(' || text[i + 1] == '[')))
      out += std::string("\\") + c;
    else out += c;
  }
  return out;
}

std::string pipes(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + plain(cell) + " |";
  return line + "\n";
}

std::string table_markdown(const ResultTable& table) {
  const TextTable t = text_table(table);
  std::string text = table.title.empty() ? "" : "**" + plain(table.title) + "**\n\n";
  if (t.rows.empty()) return text + "No rows.\n";
  text += pipes(t.headings) + "|";
  for (const bool words : t.words) text += words ? "---|" : "--:|";
  text += "\n";
  for (const auto& row : t.rows) text += pipes(row);
  if (t.papers) text += "\n" + plain(kPapersNote) + "\n";
  if (!table.note.empty()) text += "\n" + plain(table.note) + "\n";
  return text;
}

// A paragraph that keeps its characters: indented by four.
std::string code(const std::string& text) { return text.empty() ? "" : "\n    " + text + "\n"; }

}  // namespace

std::string section_markdown(const Section& s) {
  std::string text = "## " + plain(s.title) + "\n";
  if (!s.caption.empty()) text += "\n" + plain(s.caption) + (s.source.empty() ? "" : " Source: " + plain(s.source) + ".") + "\n";
  text += code(s.command);
  std::string settings;
  for (const auto& [name, value] : s.settings) settings += (settings.empty() ? "" : "; ") + name + ": " + value;
  if (!settings.empty()) text += "\nSettings: " + plain(settings) + ".\n";
  if (!s.findings.empty()) text += "\n";
  for (const std::string& f : s.findings) text += "- " + plain(f) + "\n";
  for (const ResultTable& t : s.tables) text += "\n" + table_markdown(t);
  return text;
}

std::string report_markdown(const std::vector<ReportRun>& runs) {
  std::string text;
  for (const ReportRun& run : runs) {
    text += (text.empty() ? "" : "\n") + section_markdown(run.section);
    if (!run.partial.empty()) text += "\n**Not finished:** " + plain(run.partial) + ".\n";
  }
  return text;
}

}  // namespace purescope
