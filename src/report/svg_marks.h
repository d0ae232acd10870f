// Marks of a series: symbols, paths with gaps, bands, error bars, bars.
#pragma once
#include <string>
#include <vector>

#include "report/section.h"
#include "report/svg_scale.h"

namespace purescope {

constexpr int kColours = 8;

// "s3" for the fourth series, and so on in turn.
std::string colour_class(size_t series);

// The symbol of a series around (x, y): 8 forms in turn; hollow for values of the papers.
std::string symbol(size_t series, double x, double y, bool hollow);

// Class of the line: l, with d (dashed), p (papers), or the pattern of the second and third turn of colours.
std::string line_class(const Series& s, size_t series);

struct Point {
  double x, y;
};

// Points in drawing coordinates, cut into pieces wherever one is not finite.
std::vector<std::vector<Point>> pieces(const std::vector<Point>& points);

// M x y L x y ..., or for steps M x y H x V y ...
std::string path_data(const std::vector<Point>& points, bool steps);

// A curve with its band, or with an error bar at each point: one path per piece; pieces of one point become a symbol
// (with an error bar).
std::string curve(const Series& s, size_t series, const std::vector<double>& x, const Scale& sx, const Scale& sy,
                  bool bars);

// |-| from low to high at x.
std::string error_bar(double x, double low, double high);

// Symbols at all points inside the axes, with error bars and a title each (what a pointer shows).
std::string symbols(const Series& s, size_t series, const std::vector<double>& x, const Scale& sx, const Scale& sy);

}  // namespace purescope
