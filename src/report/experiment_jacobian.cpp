// jacobian: singular values of the purifier at clean images, and whether its leading directions belong to the image or
// to the noise.
#include <algorithm>
#include <cmath>

#include "report/experiment_curves.h"
#include "report/experiment_list.h"

namespace purescope {
namespace {

constexpr double kSmall = 0.25, kLarge = 1;              // bounds of v1, section 5
constexpr double kPapersBelow = 90, kPapersAbove = 1.3;  // "over 90 %", 1.3 %: CIFAR-10, 50 samples

// Share of all d singular values below or above a bound, in %; NaN where the leading ones alone do not tell.
double share_below(const std::vector<double>& s, double size, double bound) {
  if (static_cast<double>(s.size()) < size && s.back() >= bound) return kNoNumber;
  return 100 *
         (1 - static_cast<double>(std::count_if(s.begin(), s.end(), [&](double v) { return v >= bound; })) / size);
}
double share_above(const std::vector<double>& s, double size, double bound) {
  if (static_cast<double>(s.size()) < size && s.back() > bound) return kNoNumber;
  return 100 * static_cast<double>(std::count_if(s.begin(), s.end(), [&](double v) { return v > bound; })) / size;
}

std::vector<double> finite(std::vector<double> v) {
  std::erase_if(v, [](double x) { return !std::isfinite(x); });
  return v;
}

void spectrum_plot(const RecordGroup& g, double size, Section& s) {
  const Curves values = curves_of(g, "singular");
  Plot plot;
  plot.title = "Singular values of the purifier's Jacobian, " + g.setting();
  plot.note =
      "By rank, as a share of the " + number_words(size, 0) + " of an image; mean over images with its 95 % interval.";
  plot.x = {"rank / number of values"};
  plot.y = {"singular value"};
  std::vector<double> x;
  for (size_t k = 0; k < values[0].size(); ++k) x.push_back((static_cast<double>(k) + 0.5) / size);
  plot.series.push_back(curve_series("measured", x, values));
  for (double bound : {kSmall, kLarge}) {
    Series line = make_series(Series::Line, "bound " + number_words(bound, 2));
    line.dashed = true;
    add_point(line, 0, bound);
    add_point(line, x.back(), bound);
    plot.series.push_back(line);
  }
  s.plots.push_back(plot);
}

void judge_group(const RecordGroup& g, Section& s) {
  const JsonObject& any = *g.records.begin()->second;
  const double size = any.get_double("values"), leading = any.get_double("leading");
  const bool exact = any.get_bool("exact");
  const Curves values = curves_of(g, "singular");
  const std::vector<double> below =
                                finite(per_image(values, [&](const auto&c) { return share_below(c, size, kSmall); })),
                            above =
                                finite(per_image(values, [&](const auto&c) { return share_above(c, size, kLarge); }));
  std::vector<double> rate;
  for (double v : g.values("mean_square")) rate.push_back(std::sqrt(v));
  const std::string how = exact ? "all " + number_words(size, 0) + " of them, exact"
                                : "the leading " + std::to_string(values[0].size()) + " of " + number_words(size, 0) +
                                      ", by a randomised sketch from below";
  ResultTable t{"Jacobian of the purifier at clean images, " + g.setting() + ", seed " + std::to_string(g.seed),
                "Singular values: " + how + ". Mean +- sd over images; \"-\": the leading values do not tell.",
                {{"what"}, {"value", "", 3}, {"papers", "", 3}},
                {}};
  Cell over_ninety = word_cell("over " + number_words(kPapersBelow, 0));
  over_ninety.papers = true;
  t.rows = {{word_cell("share below 0.25, %"), mean_cell(below), over_ninety},
            {word_cell("share above 1, %"), mean_cell(above), papers_cell(kPapersAbove)},
            {word_cell("largest"), mean_cell(column_of(values, 0)), papers_cell(kNoNumber)},
            {word_cell("root mean square"), mean_cell(rate), papers_cell(kNoNumber)},
            {word_cell("alignment of the leading " + number_words(leading, 0) + " input directions between two seeds"),
             mean_cell(g.values("align_input")), papers_cell(kNoNumber)},
            {word_cell("alignment of what they become"), mean_cell(g.values("align_output")), papers_cell(kNoNumber)},
            {word_cell("alignment expected of random directions"), value_cell(leading / size), papers_cell(kNoNumber)}};
  s.tables.push_back(t);
  s.findings.push_back(
      below.empty() ? "The sketch does not reach down to 0.25: raise its rank."
                    : number_words(mean(below), 1) + " % of the singular values are below 0.25 (papers: over 90 %), " +
                          (above.empty() ? std::string("an unknown share") : number_words(mean(above), 1) + " %") +
                          " exceed 1 (papers: 1.3 %); means over n " + std::to_string(below.size()) + " images, " +
                          g.setting() + ".");
  s.findings.push_back(
      "The root mean square of the singular values, which is the compression rate of infinitesimal isotropic "
      "perturbations, is " +
      spread_words(rate, 3) + "; the largest value is " + spread_words(column_of(values, 0), 2) + ".");
  const std::vector<double> input = g.values("align_input");
  s.findings.push_back("Between two seeds the leading " + number_words(leading, 0) +
                       " input directions of an image share " + spread_words(input, 3) +
                       " of their span, where unrelated directions would share " + number_words(leading / size, 3) +
                       (mean(input) > 10 * leading / size
                            ? ": what passes is a matter of the image more than chance would have it."
                            : "."));
  if (exact) return spectrum_plot(g, size, s);
  double worst = 0;
  for (double v : g.values("disagreement")) worst = std::max(worst, v);
  s.findings.push_back("Differences and exact products disagree by at most " + number_words(worst, 4) +
                       " (relative; clips and curvature over the difference's step).");
  spectrum_plot(g, size, s);
}

// Exact: one product of the whole chain per value and seed. Sketch: two rounds of products, and differences.
Passes jacobian_passes(const ExperimentOptions& o, int sampler, int t, int values) {
  const Passes chain = chain_passes(o, sampler, t);
  const Passes product{chain.unet_forward, chain.unet_forward, 0, 0};
  if (values <= o.inside.exact_jacobian_size) return product * (2. * values);
  return product * (4. * o.inside.rank) + Passes{chain.unet_forward, 0, 0, 0} * (8. * o.inside.rank);
}

}  // namespace

std::vector<ExperimentUnit> jacobian_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const int t = single_time(o);
  for (int64_t seed : o.run.seeds)
    for (int sampler = 0; sampler < static_cast<int>(o.samplers.size()); ++sampler)
      units.push_back(inside_unit(o, "jacobian", seed, t, sampler, std::min(o.images, o.inside.jacobian_images),
                                  jacobian_passes(o, sampler, t, o.values)));
  return units;
}

void jacobian_judge(const std::vector<JsonObject>& records, Section& s) {
  for (const RecordGroup& g : record_groups(records, "jacobian")) judge_group(g, s);
}

}  // namespace purescope
