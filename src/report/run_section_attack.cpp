// Runs of attack, cr and predict as a section.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "report/attack_table.h"
#include "report/run_section.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

struct Share {
  std::string name;
  Proportion TableRow::*value;
};

// The accuracies that some row has, in the order of the table.
std::vector<Share> shares_of(const std::vector<TableRow>& rows) {
  const std::string eot = rows.empty() ? "" : "robust, eot:" + std::to_string(rows[0].eot_draws);
  std::vector<Share> all = {{"clean", &TableRow::clean},
                            {"anchor", &TableRow::anchor},
                            {"robust, fixed", &TableRow::fixed},
                            {"robust, free", &TableRow::free},
                            {"robust, transfer", &TableRow::transfer},
                            {eot, &TableRow::eot},
                            {"predicted (clean)", &TableRow::predicted_clean},
                            {"predicted (anchor)", &TableRow::predicted_anchor}};
  std::erase_if(all, [&](const Share& s) {
    return std::none_of(rows.begin(), rows.end(), [&](const TableRow& r) { return (r.*s.value).n > 0; });
  });
  return all;
}

ResultTable accuracy_table(const std::vector<TableRow>& rows, const std::vector<Share>& shares) {
  ResultTable t{"Accuracy and compression rate",
                "accuracies with Wilson's 95 % interval; CR: mean and standard deviation over images",
                {},
                {}};
  t.columns = {{"t*", "", 0}, {"budget", "", 0}, {"seed", "", 0}, {"CR", "", 4}};
  for (const Share& s : shares) t.columns.push_back({s.name, "%", 1});
  if (std::any_of(shares.begin(), shares.end(), [](const Share& s) { return s.name.starts_with("predicted"); }))
    t.note +=
        "; predicted: share of images whose minimum perturbation, in units of the budget and for the classifier alone, "
        "exceeds the mean CR";
  for (const TableRow& r : rows) {
    Cell rate;
    if (!r.cr.empty()) rate.value = r.cr_mean, rate.deviation = r.cr_sd, rate.n = static_cast<int>(r.cr.size());
    std::vector<Cell> row = {count_cell(r.t), word_cell(budget_text(r.eps)), count_cell(r.seed), rate};
    for (const Share& s : shares) row.push_back(percent_cell(r.*s.value));
    t.rows.push_back(row);
    if (r.nan)
      t.note += "; t* " + std::to_string(r.t) + ", seed " + std::to_string(r.seed) + ": " + std::to_string(r.nan) +
                " records were not finite and count as not robust";
  }
  return t;
}

// The rows of one budget, by t*; several seeds of a t* stand together.
using ByTime = std::map<int, std::vector<const TableRow*>>;
ByTime by_time(const std::vector<TableRow>& rows, double eps) {
  ByTime groups;
  for (const TableRow& r : rows)
    if (r.eps == eps) groups[r.t].push_back(&r);
  return groups;
}

// One seed: the value and its interval. Several: their mean, from the lowest to the highest.
Cell pooled(const std::vector<const TableRow*>& seeds, Proportion TableRow::*value) {
  if (seeds.size() == 1) return percent_cell(seeds[0]->*value);
  Cell c;
  std::vector<double> values;
  for (const TableRow* r : seeds)
    if ((r->*value).n > 0) values.push_back(100 * (r->*value).value);
  if (values.empty()) return c;
  c.value = mean(values);
  c.low = *std::min_element(values.begin(), values.end()), c.high = *std::max_element(values.begin(), values.end());
  return c;
}

void push(Series& s, const Cell& c) {
  s.y.push_back(c.value);
  s.low.push_back(c.low);
  s.high.push_back(c.high);
}

const char* interval_note(const ByTime& groups) {
  return groups.begin()->second.size() == 1 ? "95 % intervals (Wilson)"
                                            : "mean over seeds, from the lowest to the highest seed";
}

Plot accuracy_plot(const ByTime& groups, const std::vector<Share>& shares, const std::string& budget) {
  Plot p;
  p.title = "Accuracy, budget " + budget;
  p.note = interval_note(groups);
  p.y = {"accuracy in %", false, 0, 100};
  if (groups.size() == 1) {
    Series s;
    s.kind = Series::Bars;
    for (const Share& share : shares) {
      s.labels.push_back(share.name);
      push(s, pooled(groups.begin()->second, share.value));
    }
    p.series = {s};
    return p;
  }
  p.x.title = "t*";
  for (const Share& share : shares) {
    Series s;
    s.name = share.name;
    s.dashed = share.name.starts_with("predicted");
    for (const auto& [t, rows] : groups) {
      s.x.push_back(t);
      push(s, pooled(rows, share.value));
    }
    p.series.push_back(s);
  }
  return p;
}

Plot rate_plot(const ByTime& groups, const std::string& budget) {
  Plot p;
  p.title = "Compression rate, budget " + budget;
  p.note = "mean over images (of the first seed), band: one standard deviation over images";
  p.x.title = "t*";
  p.y.title = "compression rate";
  Series s;
  for (const auto& [t, rows] : groups) {
    if (rows[0]->cr.empty()) continue;
    s.x.push_back(t);
    s.y.push_back(rows[0]->cr_mean);
    s.low.push_back(rows[0]->cr_mean - rows[0]->cr_sd);
    s.high.push_back(rows[0]->cr_mean + rows[0]->cr_sd);
  }
  p.series = {s};
  return p;
}

// Counts of the images' rates in 12 equal bins over all t* shown: the first, the middle and the last.
Plot rate_histogram(const ByTime& groups, const std::string& budget) {
  constexpr int kBins = 12;
  Plot p;
  p.title = "Compression rate of the images, budget " + budget;
  p.x.title = "compression rate";
  p.y.title = "images";
  std::vector<const TableRow*> rows;
  for (const auto& [t, list] : groups) rows.push_back(list[0]);
  if (rows.size() > 3) rows = {rows.front(), rows[rows.size() / 2], rows.back()};
  double low = INFINITY, high = -INFINITY;
  for (const TableRow* r : rows)
    for (double v : r->cr) low = std::min(low, v), high = std::max(high, v);
  if (!(high > low)) return p;
  const double width = (high - low) / kBins;
  for (const TableRow* r : rows) {
    Series s;
    s.kind = Series::Bars;
    s.name = "t* " + std::to_string(r->t);
    std::vector<double> counts(kBins, 0);
    for (double v : r->cr) ++counts[static_cast<size_t>(std::clamp((v - low) / width, 0., kBins - 1.))];
    for (int i = 0; i < kBins; ++i) s.x.push_back(low + (i + .5) * width);
    s.y = counts;
    p.series.push_back(s);
  }
  p.note = "first seed, n " + std::to_string(rows[0]->cr.size()) + " images each";
  return p;
}

struct Minimum {
  double budget;
  bool censored;
};
using Minima =
    std::map<std::pair<double, std::string>, std::vector<Minimum>>;  // by budget eps and kind (with t* for anchors)

Minima minima_of(const RunRecords& run) {
  Minima found;
  for (const std::string& line : run.records) {
    const JsonObject o = JsonObject::parse(line, run.folder);
    const std::string kind = o.get_string("kind");
    if (!kind.starts_with("minimum:")) continue;
    const std::string name = kind == "minimum:clean"
                                 ? "classifier alone"
                                 : "classifier alone, at anchor points of t* " + o.raw("t") + ", seed " + o.raw("seed");
    found[{o.get_double("eps"), name}].push_back({o.get_double("budget"), o.get_bool("censored")});
  }
  return found;
}

// S(c) = share of images whose minimum perturbation exceeds c, at every c where it falls, with Wilson's interval.
Series survival_curve(const std::string& name, const std::vector<Minimum>& minima, double from) {
  Series s;
  s.kind = Series::Steps;
  s.name = name;
  std::set<double> times = {from};
  for (const Minimum& m : minima)
    if (m.budget > from) times.insert(m.budget);
  for (double time : times) {
    int alive = 0;
    for (const Minimum& m : minima) alive += m.budget > time || (m.censored && m.budget >= time);
    const Cell c = percent_cell(wilson(alive, static_cast<int>(minima.size())));
    s.x.push_back(time);
    push(s, c);
  }
  return s;
}

// The classifier's own survival curves, and the measured accuracies at the compression rates: the law of the papers
// would put them together.
Plot law_plot(const Minima& minima, const ByTime& groups, const std::vector<Share>& shares, double eps) {
  Plot p;
  p.title = "Robustness and compression, budget " + budget_text(eps);
  p.note =
      "curve: accuracy of the classifier alone under a budget scaled by c; points: accuracy behind the purifier at c = "
      "its mean compression rate; 95 % intervals";
  p.x = {"c: budget in units of eps, or compression rate", true, kNoNumber, kNoNumber};
  p.y = {"accuracy in %", false, 0, 100};
  double from = INFINITY;
  for (const auto& [key, list] : minima)
    for (const Minimum& m : list)
      if (m.budget > 0) from = std::min(from, m.budget);
  for (const auto& [t, rows] : groups)
    for (const TableRow* r : rows)
      if (r->cr_mean > 0) from = std::min(from, r->cr_mean);
  if (!std::isfinite(from)) return p;
  for (const auto& [key, list] : minima)
    if (key.first == eps && p.series.size() < 5) p.series.push_back(survival_curve(key.second, list, .5 * from));
  for (const Share& share : shares) {
    if (!share.name.starts_with("robust")) continue;
    Series s;
    s.kind = Series::Points;
    s.name = share.name;
    for (const auto& [t, rows] : groups)
      for (const TableRow* r : rows) {
        if (r->cr.empty() || (r->*share.value).n == 0) continue;
        s.x.push_back(r->cr_mean);
        push(s, percent_cell(r->*share.value));
        s.labels.push_back("t* " + std::to_string(t));
      }
    p.series.push_back(s);
  }
  return p;
}

// "between A (t* 20) and B (t* 100)", or "A" where there is one only.
std::string spread_text(const ByTime& groups, const std::function<std::string(const TableRow&)>& value) {
  const TableRow &first = *groups.begin()->second[0], &last = *groups.rbegin()->second[0];
  if (groups.size() == 1) return value(first) + " (t* " + std::to_string(first.t) + ")";
  return value(first) + " (t* " + std::to_string(first.t) + ") to " + value(last) + " (t* " + std::to_string(last.t) +
         ")";
}

// Images that are robust under one kind of randomness only, in the records of one row: McNemar's exact test.
std::string paired_finding(const RunRecords& run, const TableRow& row, const std::string& other,
                           const std::string& words) {
  std::map<int64_t, std::pair<int, int>> judged;  // image -> robust under fixed, under the other; -1 unknown
  for (const std::string& line : run.records) {
    const JsonObject o = JsonObject::parse(line, run.folder);
    if (!o.has("rand") || !o.has("robust") || o.get_int("t") != row.t || o.get_double("eps") != row.eps ||
        o.get_int("seed") != row.seed)
      continue;
    if (o.get_string("status") == "skipped_misclassified") continue;
    const std::string rand = o.get_string("rand");
    auto& [fixed, free] = judged.try_emplace(o.get_int("img"), -1, -1).first->second;
    if (rand == "fixed") fixed = o.get_bool("robust");
    else if (rand == other) free = o.get_bool("robust");
  }
  int only_fixed = 0, only_other = 0, both = 0;
  for (const auto& [image, pair] : judged) {
    if (pair.first < 0 || pair.second < 0) continue;
    ++both;
    only_fixed += pair.first && !pair.second;
    only_other += !pair.first && pair.second;
  }
  if (both == 0) return "";
  char p[64];
  std::snprintf(p, sizeof p, "%.2g", mcnemar_exact(only_fixed, only_other));
  return "At t* " + std::to_string(row.t) + ", " + std::to_string(only_other) + " of " + std::to_string(both) +
         " images are robust under " + words + " only and " + std::to_string(only_fixed) +
         " under fixed noise only (McNemar's exact test: p = " + p + ").";
}

std::vector<std::string> attack_findings(const RunRecords& run, const std::vector<TableRow>& rows) {
  std::vector<std::string> found;
  const ByTime groups = by_time(rows, rows[0].eps);
  const TableRow& first = *groups.begin()->second[0];
  const std::string scope = "budget " + budget_text(first.eps) + ", seed " + std::to_string(first.seed);
  if (first.clean.n > 0)
    found.push_back("Without an attack the classifier alone is right on " + share_text(first.clean) + " of " +
                    std::to_string(first.clean.n) + " images, behind the purifier on " +
                    spread_text(groups, [](const TableRow& r) { return share_text(r.anchor); }) + ".");
  if (first.fixed.n > 0)
    found.push_back("Under attack with fixed noise (" + scope + ") it stays right on " +
                    spread_text(groups, [](const TableRow& r) { return share_text(r.fixed); }) + ".");
  for (const auto& [name, value] : {std::pair<std::string, Proportion TableRow::*>("free", &TableRow::free),
                                    {"eot:" + std::to_string(first.eot_draws), &TableRow::eot},
                                    {"transfer", &TableRow::transfer}}) {
    if ((first.*value).n == 0) continue;
    const auto member = value;
    const std::string words = name == "free"       ? "fresh noise"
                              : name == "transfer" ? "the noise of another seed"
                                                   : "averaging over " + std::to_string(first.eot_draws) + " draws";
    found.push_back("Under " + words + " (" + name + ") it is " +
                    spread_text(groups, [member](const TableRow& r) { return share_text(r.*member); }) + ".");
    const std::string paired = paired_finding(run, *groups.rbegin()->second[0], name, words);
    if (!paired.empty()) found.push_back(paired);
  }
  const auto rate = [](const TableRow& r) {
    char text[64];
    std::snprintf(text, sizeof text, "%.3f", r.cr_mean);
    return std::string(text);
  };
  if (!first.cr.empty())
    found.push_back("The expected compression rate is " + spread_text(groups, rate) + ", mean over " +
                    std::to_string(first.cr.size()) + " images (" + scope + ").");
  for (const auto& [name, value] :
       {std::pair("clean images", &TableRow::predicted_clean), {"anchor points", &TableRow::predicted_anchor}}) {
    if ((first.*value).n == 0) continue;
    const auto member = value;
    found.push_back(std::string("The classifier's own minimum perturbations at ") + name +
                    " predict, at these rates, " +
                    spread_text(groups, [member](const TableRow& r) { return share_text(r.*member); }) + ".");
  }
  return found;
}

}  // namespace

Section attack_section(const RunRecords& run) {
  Section s;
  s.name = run.command;
  s.title = run.command == "attack" ? "Accuracy and robustness under attack"
            : run.command == "cr"   ? "Compression rate"
                                    : "Robustness predicted from compression";
  s.caption =
      run.command == "attack" ? "How often the classifier behind the purifier is right, without an attack and under "
                                "it, and how much of a random perturbation the purifier lets through."
      : run.command == "cr"
          ? "How much of a random perturbation the purifier lets through: |f(x + eta) - f(x)| / |eta|, for each image."
          : "The accuracy that the classifier's own robustness would give if the purifier did nothing but shrink "
            "perturbations by its compression rate.";
  s.settings = run_settings(run);
  const std::vector<TableRow> rows = attack_table(run.records);
  if (rows.empty()) {
    s.findings = {"No record is there yet."};
    return s;
  }
  s.findings = attack_findings(run, rows);
  const std::vector<Share> shares = shares_of(rows);
  s.tables = {accuracy_table(rows, shares)};
  const Minima minima = minima_of(run);
  std::set<double> budgets;
  for (const TableRow& r : rows) budgets.insert(r.eps);
  for (double eps : budgets) {
    const ByTime groups = by_time(rows, eps);
    const std::string budget = budget_text(eps);
    const bool rated = !groups.begin()->second[0]->cr.empty();
    if (!shares.empty()) s.plots.push_back(accuracy_plot(groups, shares, budget));
    if (!minima.empty()) s.plots.push_back(law_plot(minima, groups, shares, eps));
    if (rated && groups.size() > 1) s.plots.push_back(rate_plot(groups, budget));
    if (rated) s.plots.push_back(rate_histogram(groups, budget));
  }
  if (run.command == "attack" && std::filesystem::exists(run.folder + "/grid.png")) {
    Plot p;
    p.kind = Plot::Images;
    p.title = "Clean, adversarial and purified images";
    p.note = "one row per image; for each t* the adversarial image and what the purifier makes of it";
    p.image_file = "grid.png";
    p.column_names = {"clean"};
    for (int64_t t : config_ints(run, "t")) {
      p.column_names.push_back("adversarial, t* " + std::to_string(t));
      p.column_names.push_back("purified, t* " + std::to_string(t));
    }
    s.plots.push_back(p);
  }
  return s;
}

}  // namespace purescope
