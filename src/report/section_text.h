// Sections as plain text, for the terminal; and the words for one cell, which the tables of a report share.
#pragma once
#include <string>
#include <vector>

#include "report/section.h"

namespace purescope {

// A number with `decimals` digits after the point; "-" for NaN. Where that would show nothing but zeros, or more than
// 15 digits, in the form 1.2e-07. Never "-0.000".
std::string number_text(double value, int decimals);

// The standard deviation of a cell; 0 where it is mere rounding, below 1e-6 of the value.
std::string deviation_text(const Cell& cell, int decimals);

// "23.7 +- 1.2 [21.2, 26.4]": value, standard deviation and interval, as far as they are known; or the text of the
// cell.
std::string cell_text(const Cell& cell, const Column& column);

// "robust, fixed (%)".
std::string column_text(const Column& column);

// The n of a row, where all its cells that have one agree; -1 otherwise. It is then shown once, in a column "n".
int row_n(const std::vector<Cell>& row);

// One table for every reader: headings and rows of text, all equally long. A last column "n" is added where a row has
// an n and no column is called so; where the cells of a row differ in n, each says its own: "23.7 [21.2, 26.4] (n
// 100)". A value of the papers ends in "*".
struct TextTable {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> words;  // per column: texts, to be aligned to the left
  bool papers = false;      // some value is of the papers
};
TextTable text_table(const ResultTable& table);

// Title, caption and source, settings, aligned tables with intervals and n, notes, findings, command. Ends with a
// newline.
std::string section_text(const Section& section);

// The same as Markdown: a heading of the second level, tables in pipes with the cells of text_table, every character that
// Markdown would take for its own escaped. Ends with a newline.
std::string section_markdown(const Section& section);

constexpr const char* kPapersNote = "* value of the papers, measured with other weights";

}  // namespace purescope
