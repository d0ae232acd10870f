// survival and predict: minimum perturbations of the classifier alone, their survival curves, and the accuracy read from them at the
// compression rate of a sampler.
#include <algorithm>
#include <cmath>

#include "core/fits.h"
#include "report/experiment_list.h"
#include "report/experiment_tools.h"
#include "report/papers.h"

namespace purescope {
namespace {

std::vector<Survival> observations(const RecordGroup& g) {
  std::vector<Survival> list;
  for (const auto& [image, r] : g.records) list.push_back({r->get_double("budget"), !r->get_bool("censored")});
  return list;
}

std::string where(const RecordGroup& g) { return g.sampler == "none" ? "images" : "anchor points, " + g.setting(); }

// The Kaplan-Meier curve in %, as steps from S(0) = 1 to the last value, with the band that holds the whole curve.
Series steps(const RecordGroup& g, bool band) {
  Series s = make_series(Series::Steps, where(g));
  const double half = 100 * dkw_half_width(static_cast<int>(g.records.size()));
  const auto add = [&](double x, double y) {
    if (band) add_point(s, x, 100 * y, std::max(0., 100 * y - half), std::min(100., 100 * y + half));
    else add_point(s, x, 100 * y);
  };
  const std::vector<SurvivalPoint> curve = kaplan_meier(observations(g));
  if (curve.empty() || curve[0].time > 0) add(0, 1);
  for (const SurvivalPoint& p : curve) add(p.time, p.survival);
  return s;
}

Plot survival_plot(const std::string& title, const std::string& note) {
  Plot plot;
  plot.title = title;
  plot.note = note;
  plot.x = {"budget, units of eps"};
  plot.y = {"not broken, %"};
  plot.y.low = 0;
  plot.y.high = 100;
  return plot;
}

Series fitted(const RecordGroup& g, const ZeroInflatedNormal& fit, double last) {
  Series s = make_series(Series::Line, "fit, " + where(g));
  s.dashed = true;
  for (int i = 0; i <= 40; ++i) add_point(s, last * i / 40, 100 * fit.survival(last * i / 40));
  return s;
}

void histogram(const RecordGroup& g, double last, Section& s) {
  constexpr int kBins = 20;
  Series bars = make_series(Series::Bars, where(g));
  std::vector<int> counts(kBins + 1);
  for (const Survival& v : observations(g)) ++counts[v.time <= 0 ? 0 : std::min(kBins, 1 + static_cast<int>(v.time / last * kBins))];
  for (int b = 0; b <= kBins; ++b) add_point(bars, b == 0 ? 0 : last * (b - .5) / kBins, counts[b]);
  Plot plot;
  plot.title = "Minimum perturbations at the " + where(g);
  plot.note = "The bar at 0: images that are misclassified as they are. The last bar includes everything beyond.";
  plot.x = {"minimum perturbation, units of eps"};
  plot.y = {"images"};
  plot.series = {bars};
  s.plots.push_back(plot);
}

// A parameter of the fit with the interval of the fits of resampled images.
Cell fit_cell(double value, const std::vector<Survival>& seen, double ZeroInflatedNormal::*parameter) {
  constexpr int kRounds = 400;
  Cell c = value_cell(value, static_cast<int>(seen.size()));
  const Interval i = bootstrap(static_cast<int>(seen.size()), kRounds, [&](const std::vector<int>& picks) {
    std::vector<Survival> drawn;
    for (int p : picks) drawn.push_back(seen[p]);
    const ZeroInflatedNormal again = fit_zero_inflated_normal(drawn);
    return again.found ? again.*parameter : kNoNumber;
  });
  c.low = i.low;
  c.high = i.high;
  return c;
}

// Share of the images whose minimum perturbation exceeds c: Kaplan-Meier and Wilson agree where nothing is censored below c.
Proportion survivors(const RecordGroup& g, double c) {
  if (std::isnan(c)) return wilson(0, 0);
  return g.share([c](const JsonObject& r) { return r.get_bool("censored") || r.get_double("budget") > c; });
}

std::vector<RecordGroup> minima(const std::vector<JsonObject>& records) {
  std::vector<RecordGroup> groups = record_groups(records, "minimum:clean");
  for (RecordGroup& g : record_groups(records, "minimum:anchor")) groups.push_back(std::move(g));
  return groups;
}

}  // namespace

std::vector<ExperimentUnit> survival_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  add_minimum_units(units, o, o.run.eps[0]);
  for (int s = 0; s < static_cast<int>(o.samplers.size()); ++s)
    for (int t : o.run.t) add_anchor_minimum_unit(units, o, s, t, o.run.eps[0], o.run.seeds[0]);
  return units;
}

void survival_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> groups = minima(records);
  if (groups.empty()) return;
  ResultTable table{"Minimum perturbation of the classifier alone, units of eps", "S(0+): share not misclassified as it is, with the exact interval of Clopper and Pearson. Fit: mass at 0 and a normal distribution, maximum likelihood with censored values, intervals by a "
                    "bootstrap over images; distance: largest gap between fit and Kaplan-Meier curve.", {}, {}};
  table.columns = {{"at", ""}, {"S(0+)", "%", 1}, {"mean of the normal part", ""}, {"its deviation", ""}, {"largest distance", "points", 1}, {"median of the curve", ""}, {"not broken", "", 0}, {"contradictions", "", 0}};
  Plot all = survival_plot("Survival at images and anchor points", "Kaplan-Meier curves; their bands are about as wide as in the first figure.");
  double last = 0;
  for (const RecordGroup& g : groups)
    for (const Survival& v : observations(g)) last = std::max(last, v.time);
  for (const RecordGroup& g : groups) {
    const std::vector<Survival> seen = observations(g);
    const ZeroInflatedNormal fit = fit_zero_inflated_normal(seen);
    const Proportion alive = survivors(g, 0), start = clopper_pearson(alive.k, alive.n);
    double half = kNoNumber;
    for (const SurvivalPoint& p : kaplan_meier(seen))
      if (std::isnan(half) && p.survival <= .5) half = p.time;
    int contradictions = 0;
    for (const auto& [image, r] : g.records) contradictions += static_cast<int>(r->get_int("non_monotone"));
    table.rows.push_back({word_cell(where(g)), percent_cell(start), fit.found ? fit_cell(fit.mean, seen, &ZeroInflatedNormal::mean) : word_cell("-"),
                          fit.found ? fit_cell(fit.deviation, seen, &ZeroInflatedNormal::deviation) : word_cell("-"),
                          value_cell(fit.found ? 100 * fit.residual : kNoNumber), value_cell(half), value_cell(fit.censored), value_cell(contradictions)});
    if (&g == &groups.front()) {
      Plot first = survival_plot("Survival at the " + where(g), "Steps: Kaplan-Meier; band: 95 % for the whole curve (Dvoretzky-Kiefer-Wolfowitz). Dashed: fit.");
      first.series.push_back(steps(g, true));
      if (fit.found) first.series.push_back(fitted(g, fit, last));
      s.plots.push_back(first);
    }
    all.series.push_back(steps(g, false));
    std::string finding = "At the " + where(g) + ": the classifier is right on " + percent_text(start) + "; half of the images are broken at a budget of " + number_words(half, 3) + " eps";
    if (fit.found) finding += ", and the fitted curve leaves the measured one by at most " + number_words(100 * fit.residual, 1) + " points (95 % band: " +
                              number_words(100 * dkw_half_width(fit.n), 1) + ")";
    s.findings.push_back(finding + ".");
  }
  s.tables.push_back(table);
  if (groups.size() > 1) s.plots.push_back(all);
  if (last > 0) histogram(groups.front(), last, s);
}

std::vector<ExperimentUnit> predict_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units = survival_units(o);
  for (int s = 0; s < static_cast<int>(o.samplers.size()); ++s)
    for (int t : o.run.t) {
      add_rate_unit(units, o, s, t, o.run.eps[0], o.run.seeds[0]);
      add_attack_unit(units, o, s, t, o.run.eps[0], o.run.seeds[0]);
    }
  return units;
}

void predict_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> rates = record_groups(records, "cr"), attacks = record_groups(records, "attack:fixed"), clean = record_groups(records, "minimum:clean"),
                                 anchor = record_groups(records, "minimum:anchor");
  if (rates.empty() || clean.empty()) return;
  const std::vector<std::string> names = samplers_of(rates);
  // Table 4 of the papers is the one with these samplers.
  const bool imagenet = std::count(names.begin(), names.end(), "vpsde") || std::count(names.begin(), names.end(), "dpm20");
  ResultTable table{"Predicted and measured robustness", "Predicted: share of images whose minimum perturbation, in units of eps, exceeds the mean CR; it equates an l2 ratio with a budget scale, "
                    "as the papers do. Its interval holds for a given CR.", {}, {}};
  table.columns = {{"sampler", ""}, {"t*", "", 0}, {"not attacked", "%", 1}, {"CR", ""}, {"predicted (images)", "%", 1}, {"predicted (anchors)", "%", 1}, {"robust fixed", "%", 1}};
  ResultTable papers{std::string("The papers, ") + (imagenet ? "ImageNet" : "CIFAR-10") + ", t* 100", "Their networks and images.", {}, {}};
  Plot plot;
  plot.title = "Predicted and measured robustness";
  plot.note = "Error bars: Wilson's 95 % interval; for the predictions, of the share of images at the given rate.";
  plot.y = {"accuracy under PGD, fixed noise, %", false, 0, 100};
  Series by_images = make_series(Series::Bars, "predicted, images"), by_anchors = make_series(Series::Bars, "predicted, anchor points"),
         measured = make_series(Series::Bars, "measured");
  papers.columns = {{"sampler", ""}, {"not attacked", "%", 1}, {"CR", ""}, {"predicted (images)", "%", 1}, {"predicted (anchors)", "%", 1}, {"robust fixed", "%", 1}};
  for (const RecordGroup& g : rates) {
    const RecordGroup *attack = find_group(attacks, g.sampler, g.t, g.seed, g.eps), *points = find_group(anchor, g.sampler, g.t, g.seed, g.eps);
    const double rate = mean(g.values("cr_rand"));
    const Proportion at_images = survivors(clean.front(), rate), at_anchors = points ? survivors(*points, rate) : wilson(0, 0),
                     robust = attack ? attack->share(is_robust) : wilson(0, 0);
    table.rows.push_back({word_cell(sampler_words(g.sampler)), value_cell(g.t), percent_cell(g.share(right_anchor)), rate_cell(&g), percent_cell(at_images), percent_cell(at_anchors), percent_cell(robust)});
    if (!attack || !points) continue;
    for (auto [series, share] : {std::pair{&by_images, &at_images}, {&by_anchors, &at_anchors}, {&measured, &robust}})
      add_bar(*series, g.setting(), 100 * share->value, 100 * share->low, 100 * share->high);
    int only_predicted = 0, only_measured = 0, n = 0;   // the same images, predicted and measured
    for (const auto& [image, r] : attack->records) {
      const auto found = points->records.find(image);
      if (found == points->records.end()) continue;
      const bool predicted = found->second->get_bool("censored") || found->second->get_double("budget") > rate;
      only_predicted += predicted && !is_robust(*r);
      only_measured += !predicted && is_robust(*r);
      ++n;
    }
    s.findings.push_back(g.setting() + ": at rate " + number_words(rate, 3) + " the anchors predict " + percent_text(at_anchors) + ", the images " + percent_text(at_images) +
                         "; PGD leaves " + percent_text(robust) + ". Image by image the prediction from anchors errs on " + std::to_string(only_predicted + only_measured) + " of " +
                         std::to_string(n) + " (" + std::to_string(only_predicted) + " predicted robust only, " + std::to_string(only_measured) + " measured robust only; McNemar " + p_words(mcnemar_exact(only_predicted, only_measured)) + ").");
  }
  s.tables.push_back(table);
  plot.series = {by_images, by_anchors, measured};
  if (!measured.y.empty()) s.plots.push_back(plot);
  for (const std::string& name : names) {
    const PapersPrediction p = papers_prediction(name, imagenet);
    if (!std::isnan(p.rate.value))
      papers.rows.push_back({word_cell(sampler_words(name)), papers_cell(p.clean.value), papers_cell(p.rate.value, p.rate.deviation), papers_cell(p.predicted_clean.value),
                             papers_cell(p.predicted_anchor.value), papers_cell(p.pgd_fixed.value)});
  }
  if (!papers.rows.empty()) s.tables.push_back(papers);
}

}  // namespace purescope
