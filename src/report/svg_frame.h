// The frame of a drawing: axes, grid, ticks and titles around the area for the data. All drawings are kPlotWidth wide.
#pragma once
#include <string>
#include <vector>

#include "report/section.h"
#include "report/svg_scale.h"

namespace purescope {

// What the frame is made for. Categories take the place of numbers along x: category i lies at x = i.
struct FrameWish {
  Axis x, y, right;
  Range x_data, y_data, right_data;  // right_data empty: no right axis
  std::vector<std::string> categories;
  double area_height = 240;
  bool y_whole = false;      // y holds counts
  bool equal_units = false;  // one unit of x as long as one of y, where that leaves a sensible shape
};

struct Frame {
  Scale x, y, right;
  double height = 0;         // of the whole drawing
  std::string below, above;  // what is drawn before the data (grid, ticks) and after it (axis lines, titles)
};
Frame make_frame(const FrameWish& wish);

// The area of the data, as x, y, width, height.
struct Area {
  double x, y, width, height;
};
Area area_of(const Frame& frame);

// Names along the lower edge at the given places: level where they fit, slanted (and cut) where they do not. `room` is
// what they need below.
struct NameRow {
  std::string svg;
  double room = 0;
};
NameRow names_below(const std::vector<std::string>& names, const std::vector<double>& at, double y, double slot);

}  // namespace purescope
