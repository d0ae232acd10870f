// budget and timesteps: the classifier alone under scaled budgets; accuracy and compression over t*.
#include <algorithm>
#include <cmath>

#include "core/fits.h"
#include "report/experiment_list.h"
#include "report/experiment_tools.h"
#include "report/papers.h"

namespace purescope {
namespace {

const std::vector<double> kScales = {.05, .1, .15, .2, .25, .3, .4, .5, .7, 1};   // around the rates that purifiers have

// y at x on the straight lines between the points, which are in the order of x; NaN outside.
double between(const std::vector<double>& x, const std::vector<double>& y, double at) {
  for (size_t i = 1; i < x.size(); ++i)
    if (at >= x[i - 1] && at <= x[i]) return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]);
  return kNoNumber;
}

// Bootstrap intervals over images of the sigmoid through the accuracies: of its middle, and of its value at 0.
std::pair<Interval, Interval> fit_intervals(const std::vector<RecordGroup>& bare, const std::vector<double>& x) {
  constexpr int kRounds = 400;
  std::vector<std::vector<double>> robust;   // [budget][image]
  for (const RecordGroup& g : bare) {
    robust.emplace_back();
    for (const auto& [image, r] : g.records) robust.back().push_back(is_robust(*r));
    if (robust.back().size() != robust.front().size()) return {{kNoNumber, kNoNumber}, {kNoNumber, kNoNumber}};
  }
  std::vector<double> at_zero;
  const Interval middle = bootstrap(static_cast<int>(robust.front().size()), kRounds, [&](const std::vector<int>& picks) {
    std::vector<double> y;
    for (const std::vector<double>& of_budget : robust) {
      double sum = 0;
      for (int p : picks) sum += of_budget[p];
      y.push_back(sum / static_cast<double>(picks.size()));
    }
    const SigmoidFit fit = fit_sigmoid(x, y);
    at_zero.push_back(fit.found ? fit(0) : kNoNumber);
    return fit.found ? fit.centre : kNoNumber;
  });
  return {middle, middle95(at_zero)};
}

// Accuracy and rate over t* of one sampler, in the order of t*.
struct Course { std::string sampler; std::vector<const RecordGroup*> groups; };

std::vector<Course> courses(const std::vector<RecordGroup>& groups) {
  std::vector<Course> list;
  for (const std::string& name : samplers_of(groups)) {
    Course c{name, {}};
    for (const RecordGroup& g : groups)
      if (g.sampler == name && g.seed == groups.front().seed && g.eps == groups.front().eps) c.groups.push_back(&g);
    list.push_back(c);
  }
  return list;
}

// What the first and the last t* differ in, image by image; and where the rate is lowest.
void describe_course(const Course& c, Section& s) {
  const RecordGroup &first = *c.groups.front(), &last = *c.groups.back();
  int only_first = 0, only_last = 0, rises = 0;
  for (const auto& [image, r] : first.records) {
    const auto found = last.records.find(image);
    if (found == last.records.end()) continue;
    only_first += right_anchor(*r) && !right_anchor(*found->second);
    only_last += !right_anchor(*r) && right_anchor(*found->second);
  }
  const RecordGroup* lowest = &first;
  for (size_t i = 0; i < c.groups.size(); ++i) {
    if (mean(c.groups[i]->values("cr_rand")) < mean(lowest->values("cr_rand"))) lowest = c.groups[i];
    rises += i && mean(c.groups[i]->values("cr_rand")) > mean(c.groups[i - 1]->values("cr_rand"));
  }
  s.findings.push_back(sampler_words(c.sampler) + ": from t* " + std::to_string(first.t) + " to " + std::to_string(last.t) + " the accuracy goes from " + percent_text(first.share(right_anchor)) +
                       " to " + percent_text(last.share(right_anchor)) + " (McNemar " + p_words(mcnemar_exact(only_first, only_last)) + "); the rate is lowest at t* " +
                       std::to_string(lowest->t) + " (" + number_words(mean(lowest->values("cr_rand")), 3) + ") and rises in " + std::to_string(rises) + " of " +
                       std::to_string(c.groups.size() - 1) + " steps.");
}

}  // namespace

std::vector<ExperimentUnit> budget_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const double eps = o.run.eps[0];
  for (double scale : o.scales.empty() ? kScales : o.scales) add_bare_attack_unit(units, o, scale * eps, o.run.seeds[0]);
  for (int s = 0; s < static_cast<int>(o.samplers.size()); ++s)
    for (int t : o.run.t) add_rate_unit(units, o, s, t, eps, o.run.seeds[0]);
  return units;
}

void budget_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> bare = record_groups(records, "attack:fixed"), rates = record_groups(records, "cr");
  if (bare.empty() || rates.empty()) return;
  const double eps = rates.front().eps;
  ResultTable table{"The classifier alone under scaled budgets", "PGD with the same number of steps, their length scaled with the budget.", {{"budget", "eps", 2}, {"accuracy", "%", 1}}, {}};
  Series line = make_series(Series::Line, "classifier alone");
  std::vector<double> x, y, fractions;
  for (const RecordGroup& g : bare) {
    const Proportion p = g.share(is_robust);
    table.rows.push_back({value_cell(g.eps / eps), percent_cell(p)});
    add_point(line, g.eps / eps, 100 * p.value, 100 * p.low, 100 * p.high);
    x.push_back(g.eps / eps);
    y.push_back(100 * p.value);
    fractions.push_back(p.value);
  }
  s.tables.push_back(table);
  ResultTable at{"Read at the compression rates", "Between measured budgets by straight lines; - outside them.", {{"sampler", ""}, {"t*", "", 0}, {"CR", ""}, {"classifier alone at CR eps", "%", 1}, {"papers: robust fixed at their CR", "%", 1}, {"papers: CR", ""}}, {}};
  Plot plot;
  plot.title = "Accuracy against budget";
  plot.note = "Band: Wilson's 95 % interval. Papers: their purifier and classifier under PGD with fixed noise, against its compression rate.";
  plot.x = {"budget of the classifier alone in units of eps, or compression rate"};
  plot.y = {"accuracy, %"};
  plot.y.low = 0;
  plot.y.high = 100;
  plot.series.push_back(line);
  for (const RecordGroup& g : rates) {
    const Cell rate = rate_cell(&g);
    at.rows.push_back({word_cell(sampler_words(g.sampler)), value_cell(g.t), rate, value_cell(between(x, y, rate.value), bare.front().share(is_robust).n),
                       papers_cell(papers_pgd_fixed(g.sampler, g.t).value), papers_cell(papers_rate(g.sampler, g.t).value)});
  }
  for (const std::string& name : samplers_of(rates)) {
    Series theirs = make_series(Series::Points, sampler_words(name) + ", papers", true);
    for (int t : papers_times(name)) add_point(theirs, papers_rate(name, t).value, papers_pgd_fixed(name, t).value, kNoNumber, kNoNumber, "t* " + std::to_string(t));
    if (!theirs.x.empty()) plot.series.push_back(theirs);
  }
  s.tables.push_back(at);
  s.plots.push_back(plot);
  const SigmoidFit fit = fit_sigmoid(x, fractions);
  const auto [middle, at_zero] = fit_intervals(bare, x);
  const Proportion clean = bare.front().share(right_clean);
  if (fit.found)
    s.findings.push_back("A sigmoid through the accuracies of the classifier alone has its middle at " + number_words(fit.centre, 3) + " eps [" + number_words(middle.low, 3) + ", " + number_words(middle.high, 3) +
                         "] and reaches " + number_words(100 * fit(0), 1) + " % [" + number_words(100 * at_zero.low, 1) + ", " + number_words(100 * at_zero.high, 1) +
                         "] at budget 0 (bootstrap over images), where the classifier is right on " + percent_text(clean) + "; root mean square residual " + number_words(100 * fit.residual, 1) + " points over " +
                         std::to_string(x.size()) + " budgets.");
}

std::vector<ExperimentUnit> timesteps_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  for (int s = 0; s < static_cast<int>(o.samplers.size()); ++s)
    for (int t : o.run.t) add_rate_unit(units, o, s, t, o.run.eps[0], o.run.seeds[0]);
  return units;
}

void timesteps_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> groups = record_groups(records, "cr");
  if (groups.empty()) return;
  ResultTable table{"Accuracy without attack and compression rate over t*", "CR: mean +- standard deviation over images.", {}, {}};
  table.columns = {{"sampler", ""}, {"t*", "", 0}, {"reverse steps", "", 0}, {"accuracy", "%", 1}, {"CR", ""}, {"l2 to the image", "", 2}, {"CR, papers", ""}};
  Plot plot;
  plot.title = "Accuracy and compression rate over t*";
  plot.note = "Accuracy: left axis, Wilson's 95 % interval. Rate: right axis, dashed, 95 % interval of the mean.";
  plot.x = {"t*"};
  plot.y = {"accuracy without attack, %"};
  plot.right = {"expected compression rate"};
  plot.y.low = plot.right.low = 0;
  plot.y.high = 100;
  for (const Course& c : courses(groups)) {
    Series right = make_series(Series::Line, sampler_words(c.sampler) + ", accuracy"), rate = make_series(Series::Line, sampler_words(c.sampler) + ", rate");
    rate.dashed = rate.right_axis = true;
    for (const RecordGroup* g : c.groups) {
      const Cell accuracy = percent_cell(g->share(right_anchor)), cr = rate_cell(g);
      const int steps = static_cast<int>(g->records.begin()->second->get_int("reverse_steps"));
      table.rows.push_back({word_cell(sampler_words(c.sampler)), value_cell(g->t), value_cell(steps), accuracy, cr, mean_cell(g->values("l2_anchor")), papers_cell(papers_rate(c.sampler, g->t).value)});
      add_point(right, g->t, accuracy.value, accuracy.low, accuracy.high);
      add_point(rate, g->t, cr.value, cr.low, cr.high);
    }
    plot.series.push_back(right);
    plot.series.push_back(rate);
    if (c.groups.size() > 1) describe_course(c, s);
  }
  s.tables.push_back(table);
  s.plots.push_back(plot);
}

}  // namespace purescope
