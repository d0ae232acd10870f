// Heat maps and fields of arrows.
#include <algorithm>
#include <cmath>

#include "report/svg.h"
#include "report/svg_frame.h"
#include "report/svg_kinds.h"
#include "report/svg_marks.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

constexpr double kStrong = .7;  // from this opacity on, the number in a cell is drawn in the colour of the paper

// Colour of a value: one hue for values of one sign, two where there are both; the strength is the opacity, so that it
// works on any paper.
struct Shade {
  Range range;
  bool two_signs() const { return range.low < 0 && range.high > 0; }
  // 0.06 ... 0.96
  double opacity(double v) const {
    double share;
    if (two_signs()) share = std::abs(v) / std::max(-range.low, range.high);
    else share = range.high > range.low ? (v - range.low) / (range.high - range.low) : .5;
    if (range.high <= 0) share = 1 - share;  // the most negative is the strongest
    return .06 + .9 * share;
  }
  const char* hue(double v) const { return v < 0 ? "s1" : "s0"; }
};

std::string cell_rect(double x, double y, double width, double height, const char* hue, double opacity,
                      const std::string& title) {
  return std::string("<rect class=\"f ") + hue + "\" fill-opacity=\"" + coordinate(opacity) + "\" x=\"" +
         coordinate(x) + "\" y=\"" + coordinate(y) + "\" width=\"" + coordinate(width) + "\" height=\"" +
         coordinate(height) + "\"><title>" + escaped(title) + "</title></rect>";
}

// From the smallest to the largest value, with its ends named.
std::string colour_bar(const Shade& shade, double x, double y, double width) {
  constexpr int kParts = 24;
  std::string out = "<g shape-rendering=\"crispEdges\">";
  for (int i = 0; i < kParts; ++i) {
    const double v = shade.range.low + (i + .5) / kParts * (shade.range.high - shade.range.low);
    out += cell_rect(x + i * width / kParts, y, width / kParts, 9, shade.hue(v), shade.opacity(v), short_number(v));
  }
  return out + "</g>" + svg_text(short_number(shade.range.low), x - 6, y + 9, "end") +
         svg_text(short_number(shade.range.high), x + width + 6, y + 9, "start");
}

std::string name_at(const std::vector<std::string>& names, size_t i) {
  return i < names.size() ? names[i] : std::to_string(i);
}

// The numbers are shown where all of them fit.
bool numbers_fit(const Plot& p, double width, double height) {
  for (const std::vector<double>& row : p.cells)
    for (double v : row)
      if (std::isfinite(v) && text_width(short_number(v)) * (kFontSize - 1) > width - 3) return false;
  return height >= 16;
}

// A cell, with its number or without; a value that is not finite leaves an empty frame.
std::string heat_cell(const Plot& p, const Shade& shade, size_t row, size_t column, double x, double y, double width,
                      double height, bool numbers) {
  const double v = p.cells[row][column];
  const std::string place = name_at(p.row_names, row) + ", " + name_at(p.column_names, column) + ": ";
  if (!std::isfinite(v))
    return "<rect class=\"n\" x=\"" + coordinate(x + .5) + "\" y=\"" + coordinate(y + .5) + "\" width=\"" +
           coordinate(width - 1) + "\" height=\"" + coordinate(height - 1) + "\"><title>" +
           escaped(place + "not finite") + "</title></rect>";
  const double opacity = shade.opacity(v);
  const double gap = numbers ? 1 : 0;
  std::string out = cell_rect(x, y, width - gap, height - gap, shade.hue(v), opacity, place + short_number(v));
  if (numbers)
    out += svg_text(short_number(v), x + width / 2, y + height / 2 + 4.5, "middle", opacity >= kStrong ? "w" : "k");
  return out;
}

}  // namespace

Drawing draw_heat_map(const Plot& p) {
  Shade shade;
  for (const std::vector<double>& row : p.cells) shade.range.add(row);
  const size_t rows = p.cells.size(), columns = p.cells[0].size();
  double names = 0;
  for (const std::string& name : p.row_names) names = std::max(names, text_width(name) * kFontSize);
  const double left = std::min(names, 150.) + 10, top = p.y.title.empty() ? 8 : 26;
  const double room = kPlotWidth - left - 4;
  // Square cells as long as the map stays of a sensible size.
  const double width = std::min(room / static_cast<double>(columns), 96.);
  const double height = std::clamp(width, std::min(340. / static_cast<double>(rows), 30.),
                                   std::max(340. / static_cast<double>(rows), 4.));
  const bool numbers = numbers_fit(p, width, height);
  std::string body = p.y.title.empty() ? "" : svg_text(p.y.title, 2, 13, "start", "a");
  body += numbers ? "<g>" : "<g shape-rendering=\"crispEdges\">";
  for (size_t r = 0; r < rows; ++r) {
    const double y = top + height * static_cast<double>(r);
    if (r < p.row_names.size())
      body += svg_text(shortened(p.row_names[r], 150 / kFontSize), left - 6, y + height / 2 + 4.5, "end");
    for (size_t c = 0; c < columns; ++c)
      body += heat_cell(p, shade, r, c, left + width * static_cast<double>(c), y, width, height, numbers);
  }
  body += "</g>";
  double bottom = top + height * static_cast<double>(rows);
  if (!p.column_names.empty()) {
    std::vector<double> at;
    for (size_t c = 0; c < columns; ++c) at.push_back(left + width * (static_cast<double>(c) + .5));
    const NameRow row = names_below(p.column_names, at, bottom, width);
    body += row.svg;
    bottom += row.room;
  }
  if (!p.x.title.empty()) {
    bottom += 16;
    body += svg_text(p.x.title, left + width * static_cast<double>(columns) / 2, bottom, "middle", "a");
  }
  const double bar = std::min(160., room / 2);
  body += colour_bar(shade, left + 40, bottom + 16, bar);
  return {body, bottom + 34};
}

Drawing draw_quiver(const Plot& p, const std::string& id) {
  FrameWish wish;
  wish.x = p.x, wish.y = p.y;
  wish.equal_units = true;
  wish.area_height = 360;
  double longest = 0;
  for (const std::vector<double>& arrow : p.cells) {
    wish.x_data.add(arrow[0]);
    wish.y_data.add(arrow[1]);
    if (const double length = std::hypot(arrow[2], arrow[3]); std::isfinite(length))
      longest = std::max(longest, length);
  }
  for (const Series& s : p.series) {
    wish.x_data.add(s.x);
    wish.y_data.add(s.y);
  }
  const Frame f = make_frame(wish);
  const Area a = area_of(f);
  // The longest arrow is as long as the distance of two arrows on a square grid that fills the area.
  const double reach = .9 * std::sqrt(a.width * a.height / static_cast<double>(std::max<size_t>(1, p.cells.size())));
  std::string arrows, over;
  for (const std::vector<double>& arrow : p.cells) {
    const double x = f.x(arrow[0]), y = f.y(arrow[1]), length = std::hypot(arrow[2], arrow[3]);
    if (!std::isfinite(x) || !std::isfinite(y) || !std::isfinite(length)) continue;
    if (length == 0 || longest == 0) {
      arrows += "<circle class=\"m\" cx=\"" + coordinate(x) + "\" cy=\"" + coordinate(y) + "\" r=\"1\"/>";
      continue;
    }
    const double dx = arrow[2] / longest * reach, dy = -arrow[3] / longest * reach, size = std::hypot(dx, dy),
                 ux = dx / size, uy = dy / size;
    const double head = std::min(5., .45 * size);
    const auto at = [](double px, double py) { return coordinate(px) + " " + coordinate(py); };
    arrows += "<path class=\"r\" d=\"M" + at(x, y) + " L" + at(x + dx, y + dy) + " M" +
              at(x + dx - head * (ux + .5 * uy), y + dy - head * (uy - .5 * ux)) + " L" + at(x + dx, y + dy) + " L" +
              at(x + dx - head * (ux - .5 * uy), y + dy - head * (uy + .5 * ux)) + "\"/>";
  }
  for (size_t k = 0; k < p.series.size(); ++k) {
    const Series& s = p.series[k];
    const size_t colour = k + 1;  // the arrows have the first
    over += "<g class=\"" + colour_class(colour) + "\">" +
            (s.kind == Series::Points ? "" : curve(s, colour, s.x, f.x, f.y, false)) +
            symbols(s, colour, s.x, f.x, f.y) + "</g>";
  }
  const std::string clip = "<clipPath id=\"" + id + "\"><rect x=\"" + coordinate(a.x - 8) + "\" y=\"" +
                           coordinate(a.y - 8) + "\" width=\"" + coordinate(a.width + 16) + "\" height=\"" +
                           coordinate(a.height + 16) + "\"/></clipPath>";
  return {
      clip + f.below + "<g clip-path=\"url(#" + id + ")\"><g class=\"s0\">" + arrows + "</g>" + over + "</g>" + f.above,
      f.height};
}

}  // namespace purescope
