// law: accuracy under PGD with fixed noise against the compression rate; a sigmoid through all points, carried on to rate 0.
#include <cmath>
#include <functional>
#include <set>

#include "core/fits.h"
#include "report/experiment_list.h"
#include "report/experiment_tools.h"
#include "report/papers.h"

namespace purescope {
namespace {

constexpr int kRounds = 400;   // of the bootstrap over images

// Points (mean rate, accuracy) of all groups, over these images; images may be repeated.
void points(const std::vector<RecordGroup>& groups, const std::vector<int64_t>& images, std::vector<double>& x, std::vector<double>& y) {
  for (const RecordGroup& g : groups) {
    double rate = 0, robust = 0;
    int rates = 0, n = 0;
    for (int64_t image : images) {
      const auto found = g.records.find(image);
      if (found == g.records.end()) continue;
      ++n;
      robust += is_robust(*found->second);
      if (const double cr = found->second->get_double("cr_rand"); std::isfinite(cr)) { rate += cr; ++rates; }
    }
    if (!n || !rates) continue;
    x.push_back(rate / rates);
    y.push_back(robust / n);
  }
}

struct Law {
  SigmoidFit fit;
  std::vector<double> x, y;
  std::vector<int64_t> images;
  std::vector<SigmoidFit> refits;    // of resampled images
  // Bootstrap interval of what is read off a fit.
  Interval interval(const std::function<double(const SigmoidFit&)>& read) const {
    std::vector<double> values;
    for (const SigmoidFit& f : refits) values.push_back(f.found ? read(f) : kNoNumber);
    return middle95(values);
  }
  Interval at(double x) const { return interval([x](const SigmoidFit& f) { return f(x); }); }
  Cell cell(double factor, double SigmoidFit::*parameter) const {
    Cell c = value_cell(factor * (fit.*parameter), static_cast<int>(images.size()));
    const Interval i = interval([parameter](const SigmoidFit& f) { return f.*parameter; });
    c.low = factor * i.low;
    c.high = factor * i.high;
    return c;
  }
};

SigmoidFit refit(const std::vector<RecordGroup>& groups, const std::vector<int64_t>& images, const std::vector<int>& picks) {
  std::vector<int64_t> chosen;
  for (int p : picks) chosen.push_back(images[p]);
  std::vector<double> x, y;
  points(groups, chosen, x, y);
  return fit_sigmoid(x, y);
}

Law find_law(const std::vector<RecordGroup>& groups) {
  Law law;
  std::set<int64_t> images;
  for (const RecordGroup& g : groups)
    for (const auto& [image, record] : g.records) images.insert(image);
  law.images.assign(images.begin(), images.end());
  points(groups, law.images, law.x, law.y);
  law.fit = fit_sigmoid(law.x, law.y);
  if (law.fit.found)
    bootstrap(static_cast<int>(law.images.size()), kRounds, [&](const std::vector<int>& picks) {
      law.refits.push_back(refit(groups, law.images, picks));
      return 0;
    });
  return law;
}

// The fitted curve with its bootstrap band.
Series curve(const Law& law, double last) {
  Series s = make_series(Series::Line, "sigmoid");
  constexpr int kPoints = 24;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = last * i / kPoints;
    const Interval band = law.at(x);
    add_point(s, x, 100 * law.fit(x), 100 * band.low, 100 * band.high);
  }
  return s;
}

void law_plot(const Law& law, const std::vector<RecordGroup>& groups, Section& s) {
  Plot plot;
  plot.title = "Robust accuracy against compression rate";
  plot.note = "Points: one sampler at one t*; bars: Wilson's 95 % interval. Band of the curve: bootstrap over images.";
  plot.x = {"expected compression rate"};
  plot.y = {"accuracy under PGD, fixed noise, %"};
  plot.x.low = plot.y.low = 0;
  plot.y.high = 100;
  double last = 0;
  for (double x : law.x) last = std::max(last, x);
  for (const std::string& sampler : samplers_of(groups)) {
    Series ours = make_series(Series::Points, sampler_words(sampler)), theirs = make_series(Series::Points, sampler_words(sampler) + ", papers", true);
    for (const RecordGroup& g : groups) {
      if (g.sampler != sampler) continue;
      const Cell robust = percent_cell(g.share(is_robust));
      const std::vector<double> rates = g.values("cr_rand");
      if (!rates.empty()) add_point(ours, mean(rates), robust.value, robust.low, robust.high, "t* " + std::to_string(g.t));
    }
    for (int t : papers_times(sampler)) {
      add_point(theirs, papers_rate(sampler, t).value, papers_pgd_fixed(sampler, t).value, kNoNumber, kNoNumber, "t* " + std::to_string(t));
      last = std::max(last, theirs.x.back());
    }
    plot.series.push_back(ours);
    if (!theirs.x.empty()) plot.series.push_back(theirs);
  }
  if (law.fit.found) plot.series.push_back(curve(law, last));
  s.plots.push_back(plot);
}

// The fit in words and as a table; clean: the classifier alone on the same images; anchor: purified, the smallest t*.
void law_fit(const Law& law, const std::vector<RecordGroup>& groups, Section& s) {
  const int n = static_cast<int>(law.images.size());
  if (!law.fit.found) {
    s.findings.push_back("No sigmoid was fitted: it needs three points of which one is above zero; there are " + std::to_string(law.x.size()) + ".");
    return;
  }
  const Proportion clean = groups.front().share(right_clean);
  const Interval at_zero = law.at(0);
  ResultTable table{"Sigmoid a / (1 + exp((CR - c) / w)), least squares over all points", "Intervals: percentile bootstrap over images, all settings of an image together; rms residual: over the settings.", {}, {}};
  table.columns = {{"a", "%", 1}, {"c", ""}, {"w", ""}, {"rms residual", "points", 1}, {"value at CR = 0", "%", 1}, {"accuracy of the classifier alone", "%", 1}};
  Cell zero = value_cell(100 * law.fit(0), n);
  zero.low = 100 * at_zero.low;
  zero.high = 100 * at_zero.high;
  table.rows.push_back({law.cell(100, &SigmoidFit::top), law.cell(1, &SigmoidFit::centre), law.cell(1, &SigmoidFit::width), value_cell(100 * law.fit.residual), zero, percent_cell(clean)});
  s.tables.push_back(table);
  const bool apart = clean.low > at_zero.high || clean.high < at_zero.low;
  s.findings.push_back("Carried on to rate 0 the sigmoid gives " + number_words(100 * law.fit(0), 1) + " % [" + number_words(100 * at_zero.low, 1) + ", " +
                       number_words(100 * at_zero.high, 1) + "] (bootstrap over " + std::to_string(n) + " images); the classifier alone is right on " + percent_text(clean) +
                       "; the two intervals " + (apart ? "do not overlap." : "overlap."));
  s.findings.push_back("The points leave the sigmoid by " + number_words(100 * law.fit.residual, 1) + " points (root mean square over " + std::to_string(law.x.size()) + " settings).");
}

// The other samplers against the first one at the largest t* they share: McNemar's test on the same images.
void compare_samplers(const std::vector<RecordGroup>& groups, Section& s) {
  const RecordGroup* first = nullptr;
  for (const RecordGroup& g : groups)
    if (g.sampler == groups.front().sampler && (!first || g.t > first->t)) first = &g;
  for (const RecordGroup& g : groups) {
    if (g.sampler == first->sampler || g.t != first->t) continue;
    int only_first = 0, only_other = 0, n = 0;
    for (const auto& [image, r] : first->records) {
      const auto found = g.records.find(image);
      if (found == g.records.end()) continue;
      only_first += is_robust(*r) && !is_robust(*found->second);
      only_other += !is_robust(*r) && is_robust(*found->second);
      ++n;
    }
    s.findings.push_back("At t* " + std::to_string(g.t) + " " + sampler_words(first->sampler) + " is robust on " + percent_text(first->share(is_robust)) + ", " + sampler_words(g.sampler) + " on " +
                         percent_text(g.share(is_robust)) + "; on " + std::to_string(only_first) + " images only the former, on " + std::to_string(only_other) +
                         " only the latter (McNemar " + p_words(mcnemar_exact(only_first, only_other)) + ", " + std::to_string(n) + " images).");
  }
}

}  // namespace

std::vector<ExperimentUnit> law_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  for (int s = 0; s < static_cast<int>(o.samplers.size()); ++s)
    for (int t : o.run.t) add_attack_unit(units, o, s, t, o.run.eps[0], o.run.seeds[0]);
  return units;
}

void law_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> groups = record_groups(records, "attack:fixed");
  if (groups.empty()) return;
  const Law law = find_law(groups);
  ResultTable table{"Compression rate and accuracy under attack", "CR: mean +- standard deviation over images, interval of the mean. Papers: CIFAR-10, n 1000, their networks.", {}, {}};
  table.columns = {{"sampler", ""}, {"t*", "", 0}, {"CR", ""}, {"robust fixed", "%", 1}, {"sigmoid", "%", 1}, {"not attacked", "%", 1}, {"CR, papers", ""}, {"robust fixed, papers", "%", 1}};
  for (const RecordGroup& g : groups) {
    const Cell rate = rate_cell(&g);
    table.rows.push_back({word_cell(sampler_words(g.sampler)), count_cell(g.t), rate, percent_cell(g.share(is_robust)), value_cell(100 * law.fit(rate.value)),
                          percent_cell(g.share(right_anchor)), papers_cell(papers_rate(g.sampler, g.t).value), papers_cell(papers_pgd_fixed(g.sampler, g.t).value)});
  }
  s.tables.push_back(table);
  law_fit(law, groups, s);
  compare_samplers(groups, s);
  law_plot(law, groups, s);
}

}  // namespace purescope
