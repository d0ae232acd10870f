// A plot as inline SVG in a figure of HTML, with its legend, its note and the data behind it. Colours are classes s0
// ... s7 whose values the page's style gives (report/html_style.h), so that one drawing serves light, dark and print.
// Same plot, same bytes; coordinates have 3 decimals.
#pragma once
#include <string>

#include "report/section.h"

namespace purescope {

constexpr int kPlotWidth =
    460;  // units of the drawing; a text of size 13 stays readable when the drawing is 350 pixels wide
constexpr double kFontSize = 13;

// The drawing alone: <svg ...>...</svg> with a <title>. `id` is unique in the page (letters and digits). A plot without
// a single finite point says "no data". Not for Images.
std::string plot_svg(const Plot& plot, const std::string& id);

// <figure>: title, drawing, legend, note, and <details> with a table of the data. `picture` (Images): the address of
// the PNG, "data:..." as a rule; empty with `missing` = why there is none.
std::string plot_figure(const Plot& plot, const std::string& id, const std::string& picture = "",
                        const std::string& missing = "");

// The swatch and name of every named series; empty if there is none.
std::string plot_legend(const Plot& plot);

// True if there is nothing to draw.
bool plot_empty(const Plot& plot);

}  // namespace purescope
