// The bodies of the drawings, one function per kind of plot. Each returns the elements inside <svg> and the height of
// the drawing.
#pragma once
#include <string>

#include "report/section.h"

namespace purescope {

struct Drawing {
  std::string body;
  double height = 0;
};
Drawing draw_xy(const Plot& plot, const std::string& id);
Drawing draw_quiver(const Plot& plot, const std::string& id);  // arrows, and series over them
Drawing draw_heat_map(const Plot& plot);

// The names that take the place of x in a plot some of whose series have labels and no x: in the order of their first
// appearance.
std::vector<std::string> categories_of(const Plot& plot);
// x of every point of a series: its own, or the place of its label.
std::vector<double> places_of(const Series& series, const std::vector<std::string>& categories);

}  // namespace purescope
