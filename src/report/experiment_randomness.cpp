// randomness: what the noise of the purifier and what its input contribute.
#include <cmath>

#include "report/experiment_curves.h"
#include "report/experiment_list.h"

namespace purescope {
namespace {

// v2 Table S12 (variances per value, the papers' unit is 1e-3), Table S13 with its two columns named as text and Fig. 2
// do, Fig. 2d-e.
struct PapersRow {
  const char* field;
  const char* what;
  double value, deviation;
};
constexpr PapersRow kVariances[] = {{"var_total", "total", 3.597, .877},
                                    {"var_input", "input, under fixed noise", .020, .005},
                                    {"var_internal", "internal, of the noise", 3.578, .873},
                                    {"snr", "input / internal, mean over images", 5.926, 1.065}};
constexpr PapersRow kRadii[] = {{"radius_start", "perturbed images, before", 1.004, .001},
                                {"radius_fixed_noise", "fixed noise, inputs vary", .241, .032},
                                {"radius_fixed_input", "fixed input, noise varies", 3.282, .453},
                                {"radius_both", "both vary", 3.288, .453}};
constexpr PapersRow kCosines[] = {{"cosine_noise", "same input, two noises", .22, .003},
                                  {"cosine_input", "same noise, two inputs", .93, .0002},
                                  {"cosine_both", "both differ", kNoNumber, kNoNumber}};

std::vector<double> thousandths(std::vector<double> v) {
  for (double& x : v) x *= 1000;
  return v;
}

template <size_t N>
void add_table(const RecordGroup& g, const PapersRow (&rows)[N], const std::string& title, const std::string& note,
               const Column& ours, bool thousand, Section& s) {
  Column papers = ours;
  papers.title += ", papers";
  ResultTable t{title + ", " + g.setting() + ", seed " + std::to_string(g.seed), note, {{"what"}, ours, papers}, {}};
  for (const PapersRow& r : rows) {
    const std::vector<double> v = g.values(r.field);
    t.rows.push_back({word_cell(r.what), mean_cell(thousand ? thousandths(v) : v), papers_cell(r.value, r.deviation)});
  }
  s.tables.push_back(t);
}

// Largest |total - input - internal| / total over the images: rounding, or the records are wrong.
double identity_error(const RecordGroup& g) {
  double worst = 0;
  for (const auto& [image, r] : g.records) {
    const double total = r->get_double("var_total"),
                 error = std::abs(total - r->get_double("var_input") - r->get_double("var_internal")) / total;
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

void findings(const RecordGroup& g, Section& s) {
  const std::vector<double> start = g.values("radius_start"), fixed = g.values("radius_fixed_noise"),
                            free = g.values("radius_fixed_input");
  const double ratio = mean(g.values("var_input")) / mean(g.values("var_internal"));
  const std::string where = " (" + g.setting() + ", seed " + std::to_string(g.seed) + ")";
  s.findings.push_back("The variance that the noise makes is " + number_words(1 / ratio, 1) +
                       " times that of the perturbed inputs" + where + "; input / internal is " +
                       spread_words(thousandths(g.values("snr")), 2) + " x 1e-3 as a mean over images and " +
                       number_words(1000 * ratio, 2) + " x 1e-3 as a ratio of means.");
  char error[32];
  std::snprintf(error, sizeof error, "%.1e", identity_error(g));
  s.findings.push_back(std::string("total = input + internal holds to a relative ") + error + " in every image" +
                       where + ".");
  const int shrinks = difference_sign(start, fixed), grows = difference_sign(start, free);
  s.findings.push_back("Under fixed noise the cloud of perturbed images " +
                       std::string(shrinks < 0   ? "shrinks"
                                   : shrinks > 0 ? "grows"
                                                 : "does not clearly change") +
                       " from radius " + spread_words(start, 3) + " to " + spread_words(fixed, 3) +
                       "; under varying noise one input " +
                       (grows > 0   ? "spreads"
                        : grows < 0 ? "shrinks"
                                    : "stays") +
                       " to " + spread_words(free, 3) + where + ".");
  s.findings.push_back("Purification directions: cosine " + spread_words(g.values("cosine_input"), 3) +
                       " between two inputs under the same noise, " + spread_words(g.values("cosine_noise"), 3) +
                       " between two noises at the same input" + where + ".");
}

void radius_plot(const std::vector<RecordGroup>& groups, Section& s) {
  Plot plot;
  plot.title = "Distances to the centroid";
  plot.note = "Mean over images; error bars: 95 % interval of it. Papers: CIFAR-10, DDPM.";
  plot.y = {"l2 distance, [0,1] units"};
  plot.y.low = 0;
  for (const RecordGroup& g : groups) {
    Series bars = make_series(Series::Bars, g.setting() + ", seed " + std::to_string(g.seed));
    for (size_t k = 0; k < std::size(kRadii); ++k) {
      const Cell c = mean_cell(g.values(kRadii[k].field));
      add_bar(bars, kRadii[k].what, c.value, c.low, c.high);
    }
    plot.series.push_back(bars);
  }
  Series papers = make_series(Series::Bars, "papers", true);
  for (size_t k = 0; k < std::size(kRadii); ++k)
    add_bar(papers, kRadii[k].what, kRadii[k].value);
  plot.series.push_back(papers);
  s.plots.push_back(plot);
}

}  // namespace

std::vector<ExperimentUnit> randomness_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const int t = single_time(o);
  for (int64_t seed : o.run.seeds)
    for (int sampler = 0; sampler < static_cast<int>(o.samplers.size()); ++sampler)
      units.push_back(
          inside_unit(o, "randomness", seed, t, sampler, o.images,
                      chain_passes(o, sampler, t) * (o.inside.perturbations * static_cast<double>(o.inside.noises))));
  return units;
}

void randomness_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> groups = record_groups(records, "randomness");
  if (groups.empty()) return;
  for (const RecordGroup& g : groups) {
    findings(g, s);
    const JsonObject& any = *g.records.begin()->second;
    const std::string count = std::to_string(any.get_int("perturbations")) + " perturbations x " +
                              std::to_string(any.get_int("noises")) +
                              " noises per image (papers: 50 x 50); mean +- sd over images.";
    add_table(g, kVariances, "Decomposition of the variance", "Plug-in variances per value, x 1e-3. " + count,
              {"variance", "x 1e-3", 4}, true, s);
    add_table(g, kRadii, "l2 distance to the centroid",
              count +
                  " The mean of K points lies nearer to them than their true centre: distances to it are shorter by "
                  "about sqrt(1 - 1/K). The papers' table has the names of its two middle columns exchanged; here they "
                  "are as in the text and figure.",
              {"distance"}, false, s);
    add_table(g, kCosines, "Cosine of purification directions f(x) - x", count, {"cosine"}, false, s);
  }
  radius_plot(groups, s);
}

}  // namespace purescope
