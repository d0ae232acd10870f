// gaussian: the score field of table S1, measured and in closed form.
#include <cmath>

#include "report/experiment_curves.h"
#include "report/experiment_list.h"

namespace purescope {
namespace {

std::vector<double> counting(size_t n, double from) {
  std::vector<double> x;
  for (size_t k = 0; k < n; ++k) x.push_back(from + static_cast<double>(k));
  return x;
}

Series closed_series(const std::string& name, const std::vector<double>& x, const std::vector<double>& y) {
  Series s = make_series(Series::Line, name);
  s.dashed = true;
  s.x = x;
  s.y = y;
  return s;
}

void rates(const RecordGroup& g, Section& s) {
  const Curves rate = curves_of(g, "rate");
  const std::vector<double> closed = curves_of(g, "closed_rate")[0];
  const std::vector<double> x = counting(closed.size(), 1);
  const JsonObject& any = *g.records.begin()->second;
  const double on = 1 - any.get_double("h") / any.get_double("large"),
               off = 1 - any.get_double("h") / any.get_double("small");
  Plot plot;
  plot.title = "From the off-manifold rate to the on-manifold rate";
  plot.note = "Isotropic perturbations in the field of table S1; band: 95 % interval of the mean over walks.";
  plot.x = {"step"};
  plot.y = {"compression rate of a step"};
  plot.series = {curve_series("measured", x, rate), closed_series("closed form", x, closed),
                 closed_series("on the manifold", x, std::vector<double>(x.size(), on)),
                 closed_series("off the manifold", x, std::vector<double>(x.size(), off))};
  s.plots.push_back(plot);
  ResultTable t{
      "Compression rate of a step",
      "Mean +- sd over walks. Closed form: sqrt(sum a_i^(2k) / sum a_i^(2k-2)), a_i = 1 - h / sigma_i^2 (eq. 13).",
      {{"step", "", 0}, {"measured", "", 6}, {"closed form", "", 6}, {"difference", "", 6}},
      {}};
  double worst = 0;
  for (size_t k : {size_t{0}, size_t{10}, size_t{20}, size_t{30}, size_t{40}, closed.size() - 1}) {
    if (k >= closed.size()) continue;
    const Cell c = mean_cell(column_of(rate, k));
    t.rows.push_back(
        {value_cell(static_cast<double>(k) + 1), c, value_cell(closed[k]), value_cell(c.value - closed[k])});
  }
  for (size_t k = 0; k < closed.size(); ++k) worst = std::max(worst, std::abs(mean(column_of(rate, k)) - closed[k]));
  s.tables.push_back(t);
  const std::vector<double> chain = g.values("chain");
  s.findings.push_back("The walk follows the closed form: over " + std::to_string(closed.size()) +
                       " steps the mean rate differs from it by at most " + number_words(worst, 4) +
                       "; the chain compresses by " + spread_words(chain, 4) + ", closed form " +
                       number_words(any.get_double("closed_chain"), 4) + ".");
  s.findings.push_back("Rates of single directions, measured: off the manifold " +
                       spread_words(g.values("off_first"), 4) + " (1 - h / sigma^2 = " + number_words(off, 4) +
                       "), on it " + spread_words(g.values("on_first"), 4) + " (" + number_words(on, 4) + ").");
}

void shares(const RecordGroup& g, Section& s) {
  const Curves share = curves_of(g, "share");
  const std::vector<double> closed = curves_of(g, "closed_share")[0];
  const std::vector<double> x = counting(closed.size(), 0);
  Plot plot;
  plot.title = "Share of the perturbation on the manifold";
  plot.note = "Squared length along the directions of large variance; band: 95 % interval of the mean over walks.";
  plot.x = {"step"};
  plot.y = {"share"};
  plot.series = {curve_series("measured", x, share), closed_series("closed form", x, closed)};
  s.plots.push_back(plot);
}

void printed_reading(const RecordGroup& g, Section& s) {
  const Curves growth = curves_of(g, "printed_growth");
  const JsonObject& any = *g.records.begin()->second;
  ResultTable t{"Table S1 as printed: 0.01 as a standard deviation",
                "Length of an isotropic perturbation relative to its start. Factor of a step off the manifold: " +
                    number_words(any.get_double("printed_factor"), 2) + ".",
                {{"step", "", 0}, {"length", "", 1}},
                {}};
  for (size_t k = 0; k < growth[0].size(); ++k)
    t.rows.push_back({value_cell(static_cast<double>(k) + 1), mean_cell(column_of(growth, k))});
  s.tables.push_back(t);
  const std::string refusal = any.get_string("refusal");
  s.findings.push_back(
      "Read as a standard deviation, as table S1 prints it, the 0.01 makes the field diverge: after " +
      std::to_string(growth[0].size()) + " steps a perturbation is " + number_words(mean(last_of(growth)), 0) +
      " times as long. " +
      (refusal.empty() ? "The defence accepts this setting." : "The defence refuses it: " + refusal + ".") +
      " Read as the variance it is the field above.");
}

}  // namespace

std::vector<ExperimentUnit> gaussian_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  for (int64_t seed : o.run.seeds) units.push_back(inside_unit(o, "gaussian", seed, 0, -1, o.images, {}));
  return units;
}

void gaussian_judge(const std::vector<JsonObject>& records, Section& s) {
  for (const RecordGroup& g : record_groups(records, "gaussian")) {
    rates(g, s);
    shares(g, s);
    printed_reading(g, s);
  }
}

}  // namespace purescope
