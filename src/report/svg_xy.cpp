// Lines, points, bars and steps between two or three axes.
#include <algorithm>
#include <cmath>

#include "report/svg.h"
#include "report/svg_frame.h"
#include "report/svg_kinds.h"
#include "report/svg_marks.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

struct Box {
  double left, top, right, bottom;
};
bool meet(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// Width of a bar in units of x: the smallest distance between two of them.
double bar_step(const std::vector<double>& x) {
  std::vector<double> sorted;
  for (double v : x)
    if (std::isfinite(v)) sorted.push_back(v);
  std::sort(sorted.begin(), sorted.end());
  double step = kNoNumber;
  for (size_t i = 1; i < sorted.size(); ++i)
    if (const double d = sorted[i] - sorted[i - 1]; d > 0 && !(d >= step)) step = d;
  return step > 0 ? step : 1;
}

// How the bars of all series share the places.
struct BarPlan {
  size_t count = 0;      // series of bars
  bool grouped = false;  // side by side at categories; else over each other, as histograms
};
BarPlan bar_plan(const Plot& p, bool categories) {
  BarPlan plan;
  for (const Series& s : p.series) plan.count += s.kind == Series::Bars;
  plan.grouped = categories;
  return plan;
}

// The bars of one series. `order`: its place among the series of bars.
std::string bars(const Series& s, const std::vector<double>& x, const BarPlan& plan, size_t order, const Scale& sx,
                 const Scale& sy) {
  const double slot = plan.grouped ? .8 / static_cast<double>(plan.count) : bar_step(x);
  const double shift = plan.grouped ? -.4 + slot * static_cast<double>(order) : -.5 * slot;
  const double base = sy(sy.logarithmic ? sy.low : std::clamp(0., sy.low, sy.high));
  std::string out;
  for (size_t i = 0; i < s.y.size(); ++i) {
    if (!std::isfinite(s.y[i]) || !std::isfinite(x[i])) continue;
    const double left = sx(x[i] + shift), right = sx(x[i] + shift + slot),
                 end = sy(std::clamp(s.y[i], sy.low, sy.high));
    if (!std::isfinite(left) || !std::isfinite(right) || !std::isfinite(end)) continue;
    out += "<rect class=\"" +
           std::string(s.papers       ? "h"
                       : plan.grouped ? "u"
                                      : "o") +
           "\" x=\"" + coordinate(left + .75) + "\" y=\"" + coordinate(std::min(base, end)) + "\" width=\"" +
           coordinate(std::max(.5, right - left - 1.5)) + "\" height=\"" + coordinate(std::abs(base - end)) +
           "\"><title>" +
           escaped((s.name.empty() ? "" : s.name + ", ") + (s.x.empty() ? s.labels[i] : short_number(x[i])) + ": " +
                   short_number(s.y[i])) +
           "</title></rect>";
    if (!s.low.empty() && std::isfinite(s.low[i]) && std::isfinite(s.high[i]))
      out += error_bar((left + right) / 2, sy(std::clamp(s.low[i], sy.low, sy.high)),
                       sy(std::clamp(s.high[i], sy.low, sy.high)));
  }
  return out;
}

// The value of each bar above it (and above its error bar), where all of them fit.
std::string bar_values(const Plot& p, const std::vector<std::string>& categories, const BarPlan& plan, const Frame& f) {
  if (!plan.grouped || plan.count == 0) return "";
  const double slot = .8 / static_cast<double>(plan.count);
  std::string out;
  size_t order = 0;
  for (const Series& s : p.series) {
    if (s.kind != Series::Bars) continue;
    const Scale& sy = s.right_axis ? f.right : f.y;
    const std::vector<double> x = places_of(s, categories);
    for (size_t i = 0; i < s.y.size(); ++i) {
      if (!std::isfinite(s.y[i]) || !sy.holds(s.y[i])) continue;
      const std::string text = short_number(s.y[i]);
      if (text_width(text) * kFontSize > f.x(slot) - f.x(0) + 2) return "";
      // At the foot of a bar that is tall enough, else above it and its error bar.
      const double top = !s.high.empty() && std::isfinite(s.high[i]) ? std::max(s.high[i], s.y[i]) : s.y[i];
      const double foot = sy(std::clamp(0., sy.low, sy.high)), end = sy(std::clamp(s.y[i], sy.low, sy.high));
      const bool inside = std::abs(foot - end) >= 20;
      out +=
          svg_text(text, f.x(x[i] - .4 + slot * (static_cast<double>(order) + .5)),
                   inside ? (end < foot ? foot - 6 : foot + 15) : sy(std::clamp(top, 0., sy.high)) - 5, "middle", "v");
    }
    ++order;
  }
  return out;
}

// Labels beside points, each at the first of eight places where it meets nothing; what finds no place stands in the
// table only.
std::string point_labels(const Plot& p, const std::vector<std::string>& categories, const Frame& f) {
  std::vector<Box> taken;
  const Area area = area_of(f);
  for (const Series& s : p.series) {
    if (s.kind == Series::Bars) continue;
    const std::vector<double> x = places_of(s, categories);
    const Scale& sy = s.right_axis ? f.right : f.y;
    for (size_t i = 0; i < s.y.size(); ++i) {
      const double px = f.x(x[i]), py = sy(s.y[i]);
      if (!std::isfinite(px) || !std::isfinite(py)) continue;
      taken.push_back({px - 3, py - 3, px + 3, py + 3});
      if (s.kind == Series::Points && !s.low.empty() && std::isfinite(sy(s.low[i])) && std::isfinite(sy(s.high[i])))
        taken.push_back({px - 3, sy(s.high[i]), px + 3, sy(s.low[i])});
    }
  }
  std::string out;
  for (size_t k = 0; k < p.series.size(); ++k) {
    const Series& s = p.series[k];
    if (s.labels.empty() || s.x.empty() || s.kind == Series::Bars) continue;
    const Scale& sy = s.right_axis ? f.right : f.y;
    for (size_t i = 0; i < s.y.size(); ++i) {
      const double px = f.x(s.x[i]), py = sy(s.y[i]), width = text_width(s.labels[i]) * (kFontSize - 2), height = 11;
      if (!std::isfinite(px) || !std::isfinite(py) || s.labels[i].empty()) continue;
      const double right = px + 7, left = px - 7 - width, middle = px - width / 2;
      const Point places[] = {{right, py - 5.5}, {left, py - 5.5}, {middle, py - 18}, {middle, py + 7},
                              {right, py - 15},  {right, py + 4},  {left, py - 15},   {left, py + 4}};
      for (const Point& at : places) {
        const Box box{at.x, at.y, at.x + width, at.y + height};
        if (box.left < area.x || box.right > area.x + area.width || box.top < area.y - 4 ||
            box.bottom > area.y + area.height)
          continue;
        if (std::any_of(taken.begin(), taken.end(), [&](const Box& b) { return meet(b, box); })) continue;
        taken.push_back(box);
        out += "<g class=\"" + colour_class(k) + "\">" + svg_text(s.labels[i], at.x, at.y + 9.5, "start", "q") + "</g>";
        break;
      }
    }
  }
  return out;
}

void add_bars(const std::vector<double>& x, Range& range, bool categories) {
  const double half = categories ? 0 : bar_step(x) / 2;
  for (double v : x) {
    range.add(v - half);
    range.add(v + half);
  }
}

// Four or more bands over each other show nothing: short curves then get error bars, each curve a little beside the
// other.
struct Spread {
  size_t count = 0;
  explicit Spread(const Plot& p) {
    for (const Series& s : p.series) {
      if (s.kind != Series::Line || s.low.empty()) continue;
      ++count;
      if (s.y.size() > 15) longest = true;
    }
  }
  bool bars() const { return count >= 4 && !longest; }
  // In units of the drawing, for the order-th of these curves.
  double shift(size_t order) const {
    return bars() ? 4 * (static_cast<double>(order) - .5 * static_cast<double>(count - 1)) : 0;
  }

 private:
  bool longest = false;
};

FrameWish frame_wish(const Plot& p) {
  FrameWish wish;
  wish.x = p.x, wish.y = p.y, wish.right = p.right;
  wish.categories = categories_of(p);
  wish.area_height = 230;
  wish.y_whole = true;
  for (const Series& s : p.series) {
    const std::vector<double> x = places_of(s, wish.categories);
    Range& y = s.right_axis ? wish.right_data : wish.y_data;
    const bool logarithmic = s.right_axis ? p.right.logarithmic : p.y.logarithmic;
    for (size_t i = 0; i < x.size(); ++i)
      if (!p.x.logarithmic || x[i] > 0) wish.x_data.add(x[i]);
    if (s.kind == Series::Bars && !p.x.logarithmic) add_bars(x, wish.x_data, !wish.categories.empty());
    wish.y_whole = wish.y_whole && (s.right_axis || std::all_of(s.y.begin(), s.y.end(), [](double v) {
                                      return !std::isfinite(v) || v == std::floor(v);
                                    }));
    for (const std::vector<double>* values : {&s.y, &s.low, &s.high})
      for (double v : *values)
        if (!logarithmic || v > 0) y.add(v);
    if (s.kind == Series::Bars && !logarithmic) y.add(0.);
  }
  return wish;
}

}  // namespace

std::vector<std::string> categories_of(const Plot& p) {
  std::vector<std::string> names;
  for (const Series& s : p.series) {
    if (!s.x.empty()) continue;
    for (const std::string& label : s.labels)
      if (std::find(names.begin(), names.end(), label) == names.end()) names.push_back(label);
  }
  return names;
}

std::vector<double> places_of(const Series& s, const std::vector<std::string>& categories) {
  if (!s.x.empty()) return s.x;
  std::vector<double> x;
  for (const std::string& label : s.labels)
    x.push_back(static_cast<double>(std::find(categories.begin(), categories.end(), label) - categories.begin()));
  return x;
}

Drawing draw_xy(const Plot& p, const std::string& id) {
  const std::vector<std::string> categories = categories_of(p);
  const Frame f = make_frame(frame_wish(p));
  const Area a = area_of(f);
  const BarPlan plan = bar_plan(p, !categories.empty());
  const Spread spread(p);
  const std::string clip = "<clipPath id=\"" + id + "\"><rect x=\"" + coordinate(a.x) + "\" y=\"" + coordinate(a.y) +
                           "\" width=\"" + coordinate(a.width) + "\" height=\"" + coordinate(a.height) +
                           "\"/></clipPath>";
  std::string under, over, marks;
  size_t order = 0, banded = 0;
  for (size_t k = 0; k < p.series.size(); ++k) {
    const Series& s = p.series[k];
    const Scale& sy = s.right_axis ? f.right : f.y;
    const std::vector<double> x = places_of(s, categories);
    const double shift = s.kind == Series::Line && !s.low.empty() ? spread.shift(banded++) : 0;
    const std::string open = "<g class=\"" + colour_class(k) + "\"" +
                             (shift == 0 ? "" : " transform=\"translate(" + coordinate(shift) + " 0)\"") + ">";
    if (s.kind == Series::Bars) under += open + bars(s, x, plan, order++, f.x, sy) + "</g>";
    if (s.kind == Series::Line || s.kind == Series::Steps)
      over += open + curve(s, k, x, f.x, sy, spread.bars()) + "</g>";
    if (s.kind != Series::Bars) marks += open + symbols(s, k, x, f.x, sy) + "</g>";
  }
  return {clip + f.below + "<g clip-path=\"url(#" + id + ")\">" + under + over + "</g>" + f.above + marks +
              bar_values(p, categories, plan, f) + point_labels(p, categories, f),
          f.height};
}

}  // namespace purescope
