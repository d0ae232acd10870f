// What an experiment or a run found, before anyone decides how it is shown: the one thing that the tables on the terminal, the
// report, the CSV and the JSON are made from. No number stands here without its n, unit or interval where it has one.
#pragma once
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace purescope {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

// A number with what is known about it, or (text not empty) words in its place. Fields that are not known are NaN, n is -1.
struct Cell {
  std::string text;
  double value = kNoNumber;
  double low = kNoNumber, high = kNoNumber;   // 95 % interval
  double deviation = kNoNumber;               // standard deviation; over what, the column's title says
  int n = -1;
  bool papers = false;                        // a value of the papers, measured with other weights
};

struct Column {
  std::string title, unit = "";               // "robust, fixed", "%"
  int decimals = 3;
};

struct ResultTable {
  std::string title, note;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;        // each as long as columns
};

// One curve, cloud, row of bars or fit. x and y are equally long; low and high are empty or as long: a band or error bars.
struct Series {
  enum Kind { Line, Points, Bars, Steps } kind = Line;
  std::string name;
  std::vector<double> x, y, low, high;
  std::vector<std::string> labels;            // of the points, or of the bars in place of x; may be empty
  bool dashed = false, papers = false, right_axis = false;
};

struct Axis {
  std::string title;                          // with unit: "compression rate", "l2 distance, [0,1] units"
  bool logarithmic = false;
  double low = kNoNumber, high = kNoNumber;   // NaN: from the data
};

struct Plot {
  enum Kind { Xy, HeatMap, Quiver, Images } kind = Xy;
  std::string title, note;
  Axis x, y, right;
  std::vector<Series> series;                          // Xy
  std::vector<std::string> row_names, column_names;    // HeatMap, Images
  std::vector<std::vector<double>> cells;              // HeatMap: [row][column]; Quiver: one {x, y, dx, dy} per arrow
  std::string image_file;                              // Images: a PNG, path relative to the folder of the run
};

struct Section {
  std::string name, title;                             // "law", "Robustness follows compression"
  std::string caption, source;                         // what it shows, in our words; "v2 Fig. 3a, Table 2"
  std::vector<std::pair<std::string, std::string>> settings;   // in the order to be shown: {"purifier", "cifar10-ddpm"}, ...
  std::vector<std::string> findings;                   // sentences, each true of the numbers below it
  std::vector<ResultTable> tables;
  std::vector<Plot> plots;
  std::string command;                                 // that made it
};

}  // namespace purescope
