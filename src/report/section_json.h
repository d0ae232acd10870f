// Sections as JSON text: the file section.json of a run, and the data inside a report.
#pragma once
#include <string>
#include <vector>

#include "report/section.h"

namespace purescope {

constexpr int kSectionSchema = 1;

// One line of JSON without newline. The bytes depend on the values alone; numbers in the shortest form that reads back
// to the same double, NaN and Inf as null. A section that section_problem finds fault with is a bug of ours (exit 70).
std::string section_json(const Section& section);

// Reads what section_json wrote; null becomes NaN. Exit 65, with `where`: not JSON, another schema, a field missing,
// unknown or of another kind, or a section that section_problem finds fault with.
Section section_from_json(const std::string& text, const std::string& where);

// What does not fit together in a section (lengths of rows, of x and y, of names; a picture outside the folder of the
// run), as a sentence; empty if nothing.
std::string section_problem(const Section& section);

// The elements of a valid JSON array, each as it stands in the text: "[1,[2,3]]" -> "1", "[2,3]". Exit 65 where it is
// no array.
std::vector<std::string> json_elements(const std::string& array, const std::string& where);

}  // namespace purescope
