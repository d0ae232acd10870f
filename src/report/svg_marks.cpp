#include "report/svg_marks.h"

#include <algorithm>
#include <cmath>

#include "report/svg_text.h"

namespace purescope {
namespace {

constexpr size_t kSymbolsPerCurve = 12;  // longer curves show their symbol at so many places

std::string polygon(std::initializer_list<Point> corners, double x, double y) {
  std::string points;
  for (const Point& p : corners)
    points += (points.empty() ? "" : " ") + coordinate(x + p.x) + "," + coordinate(y + p.y);
  return "<polygon points=\"" + points + "\"";
}

// low and high of a band as one outline: along the upper edge, back along the lower.
std::string band(const std::vector<Point>& upper, const std::vector<Point>& lower, bool steps) {
  std::string back = " L" + coordinate(lower.back().x) + " " + coordinate(lower.back().y);
  for (size_t i = lower.size() - 1; i-- > 0;)
    back += steps ? " V" + coordinate(lower[i].y) + " H" + coordinate(lower[i].x)
                  : " L" + coordinate(lower[i].x) + " " + coordinate(lower[i].y);
  return "<path class=\"b\" d=\"" + path_data(upper, steps) + back + " Z\"/>";
}

std::string tooltip(const Series& s, size_t i, double x) {
  std::string text = s.name;
  if (!s.labels.empty() && !s.labels[i].empty()) text += (text.empty() ? "" : ", ") + s.labels[i];
  text += (text.empty() ? "" : ": ") + (s.x.empty() ? "" : short_number(x) + ", ") + short_number(s.y[i]);
  if (!s.low.empty() && std::isfinite(s.low[i]))
    text += " [" + short_number(s.low[i]) + ", " + short_number(s.high[i]) + "]";
  return "<title>" + escaped(text) + "</title>";
}

}  // namespace

std::string colour_class(size_t series) { return "s" + std::to_string(series % kColours); }

std::string symbol(size_t series, double x, double y, bool hollow) {
  const std::string kind = hollow ? " class=\"h\"/>" : " class=\"m\"/>";
  switch (series % kColours) {
    case 0: return "<circle cx=\"" + coordinate(x) + "\" cy=\"" + coordinate(y) + "\" r=\"3.6\"" + kind;
    case 1: return polygon({{-3.3, -3.3}, {3.3, -3.3}, {3.3, 3.3}, {-3.3, 3.3}}, x, y) + kind;
    case 2: return polygon({{0, -4.6}, {4.4, 3.2}, {-4.4, 3.2}}, x, y) + kind;
    case 3: return polygon({{0, -4.8}, {4.8, 0}, {0, 4.8}, {-4.8, 0}}, x, y) + kind;
    case 4: return polygon({{0, 4.6}, {4.4, -3.2}, {-4.4, -3.2}}, x, y) + kind;
    case 5:
      return polygon({{-1.4, -4.4},
                      {1.4, -4.4},
                      {1.4, -1.4},
                      {4.4, -1.4},
                      {4.4, 1.4},
                      {1.4, 1.4},
                      {1.4, 4.4},
                      {-1.4, 4.4},
                      {-1.4, 1.4},
                      {-4.4, 1.4},
                      {-4.4, -1.4},
                      {-1.4, -1.4}},
                     x, y) +
             kind;
    case 6:
      return polygon({{-2, -4.2},
                      {0, -2.2},
                      {2, -4.2},
                      {4.2, -2},
                      {2.2, 0},
                      {4.2, 2},
                      {2, 4.2},
                      {0, 2.2},
                      {-2, 4.2},
                      {-4.2, 2},
                      {-2.2, 0},
                      {-4.2, -2}},
                     x, y) +
             kind;
    default: return polygon({{0, -4.4}, {4.2, -1.4}, {2.6, 3.6}, {-2.6, 3.6}, {-4.2, -1.4}}, x, y) + kind;
  }
}

std::string line_class(const Series& s, size_t series) {
  if (s.papers) return "l p";
  if (s.dashed) return "l d";
  return series < kColours ? "l" : series < 2 * kColours ? "l d2" : "l d3";
}

std::vector<std::vector<Point>> pieces(const std::vector<Point>& points) {
  std::vector<std::vector<Point>> list;
  bool open = false;
  for (const Point& p : points) {
    const bool finite = std::isfinite(p.x) && std::isfinite(p.y);
    if (finite && !open) list.emplace_back();
    if (finite) list.back().push_back(p);
    open = finite;
  }
  return list;
}

std::string path_data(const std::vector<Point>& points, bool steps) {
  std::string d;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == 0) d += "M" + coordinate(points[0].x) + " " + coordinate(points[0].y);
    else if (steps) d += " H" + coordinate(points[i].x) + " V" + coordinate(points[i].y);
    else d += " L" + coordinate(points[i].x) + " " + coordinate(points[i].y);
  }
  return d;
}

std::string curve(const Series& s, size_t series, const std::vector<double>& x, const Scale& sx, const Scale& sy,
                  bool bars) {
  const bool steps = s.kind == Series::Steps, banded = !s.low.empty();
  std::vector<Point> line;
  std::vector<std::vector<Point>> upper, lower;
  bool open = false;
  for (size_t i = 0; i < s.y.size(); ++i) {
    line.push_back({sx(x[i]), sy(s.y[i])});
    if (!banded) continue;
    const Point high{line[i].x, sy(s.high[i])}, low{line[i].x, sy(s.low[i])};
    const bool finite = std::isfinite(high.x) && std::isfinite(high.y) && std::isfinite(low.y);
    if (finite && !open) upper.emplace_back(), lower.emplace_back();
    if (finite) upper.back().push_back(high), lower.back().push_back(low);
    open = finite && !bars;
  }
  std::string out;
  for (size_t k = 0; k < upper.size(); ++k)
    out +=
        upper[k].size() == 1 ? error_bar(upper[k][0].x, lower[k][0].y, upper[k][0].y) : band(upper[k], lower[k], steps);
  for (const std::vector<Point>& piece : pieces(line)) {
    if (piece.size() > 1)
      out += "<path class=\"" + line_class(s, series) + "\" d=\"" + path_data(piece, steps) + "\"/>";
    else out += symbol(series, piece[0].x, piece[0].y, s.papers);
  }
  return out;
}

std::string error_bar(double x, double low, double high) {
  if (!std::isfinite(x) || !std::isfinite(low) || !std::isfinite(high)) return "";
  const std::string left = coordinate(x - 3), right = coordinate(x + 3);
  return "<path class=\"e\" d=\"M" + left + " " + coordinate(low) + " H" + right + " M" + left + " " +
         coordinate(high) + " H" + right + " M" + coordinate(x) + " " + coordinate(low) + " V" + coordinate(high) +
         "\"/>";
}

std::string symbols(const Series& s, size_t series, const std::vector<double>& x, const Scale& sx, const Scale& sy) {
  const bool cloud = s.kind == Series::Points;
  // A fit or a bound needs no symbols; another long curve shows a few.
  const bool bound = s.y.size() == 2 && s.y[0] == s.y[1] && s.low.empty();
  if (!cloud && s.dashed && (bound || s.y.size() > kSymbolsPerCurve)) return "";
  const size_t stride =
      cloud || s.y.size() <= kSymbolsPerCurve ? 1 : (s.y.size() + kSymbolsPerCurve - 1) / kSymbolsPerCurve;
  std::string out;
  for (size_t i = 0; i < s.y.size(); i += stride) {
    if (!sx.holds(x[i]) || !sy.holds(s.y[i]) || !std::isfinite(sx(x[i])) || !std::isfinite(sy(s.y[i]))) continue;
    const auto held = [&](double v) { return sy(std::clamp(v, sy.low, sy.high)); };
    if (cloud && !s.low.empty() && std::isfinite(s.low[i]) && std::isfinite(s.high[i]))
      out += error_bar(sx(x[i]), held(s.low[i]), held(s.high[i]));
    out += "<g>" + tooltip(s, i, x[i]) + symbol(series, sx(x[i]), sy(s.y[i]), s.papers) + "</g>";
  }
  return out;
}

}  // namespace purescope
