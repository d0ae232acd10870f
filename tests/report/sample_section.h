// A section that uses every field, for the tests of what is rendered from it.
#pragma once
#include "report/section.h"

namespace purescope {

inline Series sample_series(Series::Kind kind, const std::string& name) {
  Series s;
  s.kind = kind;
  s.name = name;
  s.x = {0, .25, .5, 1};
  s.y = {1, .75, kNoNumber, .1 + .2};
  s.low = {.9, .7, kNoNumber, .2};
  s.high = {1, .8, kNoNumber, .4};
  return s;
}

inline Section sample_section() {
  Section s;
  s.name = "law";
  s.title = "Robustness follows compression";
  s.caption = "Accuracy against the compression rate, \"quoted\", \xc3\xa9";
  s.source = "v2 Fig. 3a, Table 2";
  s.settings = {{"purifier", "shapes"}, {"t*", "20, 50"}};
  s.findings = {"At CR 0.5 the accuracy is 75 %.", "One point was not finite."};
  s.command = "purescope experiment law --config 'my file.toml'";
  ResultTable t{
      "Accuracy", "Wilson's 95 % interval", {{"sampler", "", 0}, {"robust, fixed", "%", 1}, {"CR", "", 4}}, {}};
  Cell word, share, rate, paper;
  word.text = "ddpm";
  share.value = 100. / 3, share.low = 21.25, share.high = 48, share.n = 24;
  rate.value = .25, rate.deviation = .03125, rate.n = 24;
  paper.value = 30.7, paper.papers = true;
  t.rows = {{word, share, rate}, {word, paper, Cell{}}};
  s.tables = {t};
  Plot xy;
  xy.title = "Accuracy and rate";
  xy.note = "band: 95 %";
  xy.x.title = "compression rate";
  xy.y.title = "accuracy";
  xy.right.title = "rate";
  xy.right.logarithmic = true;
  xy.series = {sample_series(Series::Line, "a"), sample_series(Series::Points, "b"), sample_series(Series::Steps, "c")};
  xy.series[1].labels = {"t 0", "t 20", "t 50", "t 100"};
  xy.series[2].right_axis = true;
  xy.series[1].papers = xy.series[0].dashed = true;
  Plot heat;
  heat.kind = Plot::HeatMap;
  heat.title = "Correlations";
  heat.row_names = {"first", "second"};
  heat.column_names = {"first", "second", "third"};
  heat.cells = {{1, -.5, kNoNumber}, {-.5, 1, .125}};
  Plot quiver;
  quiver.kind = Plot::Quiver;
  quiver.title = "Score field";
  quiver.cells = {{0, 0, 1, 1}, {1, 0, -.5, .25}};
  Plot images;
  images.kind = Plot::Images;
  images.title = "Images";
  images.image_file = "grid.png";
  s.plots = {xy, heat, quiver, images};
  return s;
}

}  // namespace purescope
