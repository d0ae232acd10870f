#include "report/svg_frame.h"

#include <algorithm>
#include <cmath>

#include "report/svg.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

constexpr double kLine = 16;                           // from one line of text to the next
constexpr double kSlantRun = .809, kSlantRise = .588;  // cosine and sine of 36 degrees
constexpr double kSlantedRoom = 92;                    // at most, for names at an angle

std::string line_element(const char* kind, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + kind + "\" x1=\"" + coordinate(x1) + "\" y1=\"" + coordinate(y1) + "\" x2=\"" +
         coordinate(x2) + "\" y2=\"" + coordinate(y2) + "\"/>";
}

double widest(const std::vector<std::string>& labels) {
  double width = 0;
  for (const std::string& label : labels) width = std::max(width, text_width(label));
  return width * kFontSize;
}

// Titles stand level above their axis: they can be read without turning the head, and wrapped.
std::string title_lines(const std::vector<std::string>& lines, double x, const char* anchor) {
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i)
    out += svg_text(lines[i], x, kLine * static_cast<double>(i + 1) - 3, anchor, "a");
  return out;
}

std::string side_ticks(const Scale& s, double left, double right, bool at_right) {
  const std::vector<double> values = tick_values(s, 5);
  const std::vector<std::string> labels = tick_labels(s, values);
  std::string out;
  for (size_t i = 0; i < values.size(); ++i) {
    const double y = s(values[i]);
    if (!at_right) out += line_element("g", left, y, right, y);
    else out += line_element("t", right, y, right + 4, y);
    out += svg_text(labels[i], at_right ? right + 7 : left - 6, y + 4.5, at_right ? "start" : "end");
  }
  return out;
}

std::string bottom_ticks(const Scale& s, double y) {
  std::vector<double> values;
  std::vector<std::string> labels;
  for (int count : {6, 4, 3, 2}) {  // fewer where the labels would touch
    values = tick_values(s, count);
    labels = tick_labels(s, values);
    double room = 1e9;
    for (size_t i = 1; i < values.size(); ++i) room = std::min(room, s(values[i]) - s(values[i - 1]));
    if (widest(labels) + 8 <= room) break;
  }
  std::string out;
  double free_from = -1e9;
  for (size_t i = 0; i < values.size(); ++i) {
    const double x = s(values[i]), half = text_width(labels[i]) * kFontSize / 2;
    const double middle = std::clamp(x, half + 1, kPlotWidth - half - 1);  // a tick at the edge keeps its whole label
    out += line_element("t", x, y, x, y + 4);
    if (middle - half < free_from) continue;
    out += svg_text(labels[i], middle, y + 18, "middle");
    free_from = middle + half + 4;
  }
  return out;
}

// The names in at most three lines each that fit side by side; empty if they do not.
std::vector<std::vector<std::string>> level_names(const std::vector<std::string>& names, double slot) {
  std::vector<std::vector<std::string>> all;
  for (const std::string& name : names) {
    all.push_back(wrapped(name, slot / kFontSize));
    std::string joined;
    for (const std::string& line : all.back()) joined += (joined.empty() ? "" : " ") + line;
    if (all.back().size() > 3 || joined != name) return {};  // a word was cut
  }
  return all;
}

// Left margin that the first of slanted names asks for; 0 where the names stand level.
double room_for_first(const std::vector<std::string>& names, double left, double right) {
  if (names.empty()) return 0;
  const double slot = (right - left) / static_cast<double>(names.size());
  if (!level_names(names, slot - 4).empty()) return 0;
  return std::min(90., text_width(names[0]) * kFontSize * kSlantRun - slot / 2 + 4);
}

}  // namespace

NameRow names_below(const std::vector<std::string>& names, const std::vector<double>& at, double y, double slot) {
  NameRow row;
  const std::vector<std::vector<std::string>> level = level_names(names, slot - 4);
  for (size_t i = 0; i < level.size(); ++i) {
    for (size_t k = 0; k < level[i].size(); ++k)
      row.svg += svg_text(level[i][k], at[i], y + 18 + kLine * static_cast<double>(k), "middle");
    row.room = std::max(row.room, 6 + kLine * static_cast<double>(level[i].size()));
  }
  if (!level.empty()) return row;
  const double longest = kSlantedRoom / kSlantRise / kFontSize;
  for (size_t i = 0; i < names.size(); ++i) {
    // Slanted to the left below: the end of the name stands under its place; the first ones must not leave the drawing.
    const double room = std::min(longest, (at[i] - 2) / kSlantRun / kFontSize);
    const std::string name = shortened(names[i], room);
    row.room = std::max(row.room, text_width(name) * kFontSize * kSlantRise + 18);
    row.svg += "<g transform=\"translate(" + coordinate(at[i] + 3) + " " + coordinate(y + 13) + ") rotate(-36)\">" +
               svg_text(name, 0, 0, "end") + "</g>";
  }
  return row;
}

Area area_of(const Frame& f) { return {f.x.from, f.y.to, f.x.to - f.x.from, f.y.from - f.y.to}; }

Frame make_frame(const FrameWish& wish) {
  Frame f;
  const bool two = !wish.right_data.empty();
  const double share = kPlotWidth / kFontSize / (two ? 2.2 : 1);
  const std::vector<std::string> y_title = wrapped(wish.y.title, share),
                                 right_title = two ? wrapped(wish.right.title, share) : std::vector<std::string>();
  const double top = kLine * static_cast<double>(std::max(y_title.size(), right_title.size())) + 10;
  const double area_height = wish.area_height;

  // Margins follow from the widest tick labels, which depend on the range alone.
  f.y = axis_scale(wish.y, wish.y_data, top + area_height, top);
  f.y.whole = wish.y_whole;
  double left = widest(tick_labels(f.y, tick_values(f.y, 5))) + 10;
  double right = kPlotWidth - 12;
  if (two) {
    f.right = axis_scale(wish.right, wish.right_data, top + area_height, top);
    right = kPlotWidth - widest(tick_labels(f.right, tick_values(f.right, 5))) - 10;
  }
  left = std::max(left, room_for_first(wish.categories, left, right));
  f.x = wish.categories.empty()
            ? axis_scale(wish.x, wish.x_data, left, right)
            : Scale{-.5, static_cast<double>(wish.categories.size()) - .5, left, right, false, false};
  if (wish.equal_units && !two) {
    const double unit = (right - left) / (f.x.high - f.x.low), wanted = unit * (f.y.high - f.y.low);
    if (wanted > 120 && wanted < 460) f.y.from = top + wanted;
  }
  const double bottom = f.y.from;
  f.below = side_ticks(f.y, left, right, false);
  if (two) f.below += side_ticks(f.right, left, right, true);
  double room = 22;
  if (wish.categories.empty()) {
    f.below += bottom_ticks(f.x, bottom);
  } else {
    std::vector<double> at;
    for (size_t i = 0; i < wish.categories.size(); ++i) at.push_back(f.x(static_cast<double>(i)));
    const NameRow row = names_below(wish.categories, at, bottom, (right - left) / static_cast<double>(at.size()));
    f.below += row.svg;
    room = row.room;
  }
  f.above = line_element("x", left, bottom, right, bottom) + title_lines(y_title, 2, "start") +
            title_lines(right_title, kPlotWidth - 2, "end");
  const std::vector<std::string> x_title = wrapped(wish.x.title, (right - left) / kFontSize);
  for (size_t i = 0; i < x_title.size(); ++i)
    f.above +=
        svg_text(x_title[i], (left + right) / 2, bottom + room + kLine * static_cast<double>(i + 1) - 2, "middle", "a");
  f.height = bottom + room + kLine * static_cast<double>(x_title.size()) + 6;
  return f;
}

}  // namespace purescope
