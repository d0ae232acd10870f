// manifold: do purifiers compress across the manifold of the images and leave what lies along it? Asked where the
// manifold is known.
#include <algorithm>
#include <cmath>

#include "report/experiment_curves.h"
#include "report/experiment_list.h"

namespace purescope {
namespace {

struct StartWords {
  const char* name;
  const char* words;
};
constexpr StartWords kStarts[] = {
    {"tangent", "along the manifold"}, {"normal", "across the manifold"}, {"uniform", "uniform"}, {"pgd", "PGD"}};
const std::vector<std::string> kLatents = {"x",
                                           "y",
                                           "scale",
                                           "rotation",
                                           "foreground red",
                                           "foreground green",
                                           "foreground blue",
                                           "background red",
                                           "background green",
                                           "background blue"};

std::vector<double> shares(const RecordGroup& g, const char* start, bool end) {
  const Curves c = curves_of(g, std::string("share_") + start);
  return end ? last_of(c) : column_of(c, 0);
}

// rank / d of every image: the share that a direction without preference has.
std::vector<double> chance(const RecordGroup& g) {
  std::vector<double> v = g.values("rank"), d = g.values("values");
  for (size_t n = 0; n < v.size(); ++n) v[n] /= d[n];
  return v;
}

void rate_table(const RecordGroup& g, Section& s) {
  ResultTable t{
      "Perturbations by direction, " + g.setting() + ", seed " + std::to_string(g.seed),
      "CR: of the whole chain. Tangent share: squared length within the tangent space at the clean image (start, end) "
      "and at the shape nearest to the anchor point (end, anchor's). "
      "A direction without preference has " +
          number_words(mean(chance(g)), 4) +
          ". Mean +- sd over images, 95 % interval of the mean. All perturbations but PGD's are as long as the uniform "
          "one.",
      {{"perturbation"}, {"CR"}, {"tangent share, start"}, {"tangent share, end"}, {"tangent share, end, anchor's"}},
      {}};
  for (const StartWords& start : kStarts)
    t.rows.push_back({word_cell(start.words), mean_cell(g.values(std::string("rate_") + start.name)),
                      mean_cell(shares(g, start.name, false)), mean_cell(shares(g, start.name, true)),
                      mean_cell(g.values(std::string("end_share_") + start.name))});
  s.tables.push_back(t);
}

void latent_table(const RecordGroup& g, Section& s) {
  const Curves rates = curves_of(g, "latent_rates");
  ResultTable t{"CR along single latents, " + g.setting(),
                "Perturbation: derivative of the renderer in this latent, as long as the uniform one. Round shapes "
                "have no rotation.",
                {{"latent"}, {"CR"}},
                {}};
  for (size_t k = 0; k < kLatents.size(); ++k)
    t.rows.push_back({word_cell(kLatents[k]), mean_cell(column_of(rates, k))});
  s.tables.push_back(t);
}

void distance_table(const RecordGroup& g, Section& s) {
  ResultTable t{"Distance to the manifold, " + g.setting(),
                "l2 distance, [0,1] units, to the nearest picture of the image's own class; clean images have 0.",
                {{"image"}, {"to the manifold", "l2"}, {"to the clean image", "l2"}},
                {}};
  const Curves pgd = curves_of(g, "norm_pgd");
  t.rows = {{word_cell("anchor point f(x)"), mean_cell(g.values("anchor_off")), mean_cell(g.values("anchor_distance"))},
            {word_cell("adversarial image x + eta"), mean_cell(g.values("off_pgd")), mean_cell(column_of(pgd, 0))},
            {word_cell("purified adversarial image f(x + eta)"), mean_cell(g.values("off_pgd_end")), word_cell("-")}};
  s.tables.push_back(t);
}

void curve_plot(const RecordGroup& g, bool rate, Section& s) {
  const std::vector<double> place = curves_of(g, "place")[0];
  Plot plot;
  plot.title = rate ? "Compression rate of every step by direction, " + g.setting()
                    : "Share of the perturbation in the tangent space along the chain, " + g.setting();
  plot.note = "Band: 95 % interval of the mean over images.";
  plot.x = {"diffusion steps: forward, then reverse"};
  plot.y = {rate ? "compression rate of a step" : "tangent share (at the clean image)"};
  for (const StartWords& start : kStarts) {
    const Curves c = curves_of(g, std::string(rate ? "norm_" : "share_") + start.name);
    plot.series.push_back(rate ? curve_series(start.words, {place.begin() + 1, place.end()}, ratios(c))
                               : curve_series(start.words, place, c));
  }
  s.plots.push_back(plot);
}

// How many of the paired values are larger in the second list.
int larger(const std::vector<double>& a, const std::vector<double>& b) {
  int count = 0;
  for (size_t n = 0; n < std::min(a.size(), b.size()); ++n) count += b[n] > a[n];
  return count;
}

void rate_findings(const RecordGroup& g, Section& s) {
  const std::vector<double> on = g.values("rate_tangent"), off = g.values("rate_normal"),
                            uniform = g.values("rate_uniform");
  const int sign = difference_sign(off, on);
  s.findings.push_back(
      "Whole chain: a perturbation along the manifold is passed on at " + spread_words(on, 3) + ", one across it at " +
      spread_words(off, 3) + "; difference " + difference_words(off, on, 3) + ", larger along it in " +
      std::to_string(larger(off, on)) + " of " + std::to_string(on.size()) + " images. " +
      (sign > 0   ? "Purification compresses more across the manifold than along it, as the papers suppose."
       : sign < 0 ? "Purification compresses more along the manifold than across it, against what the papers suppose."
                  : "The two are not told apart.") +
      (sign > 0 && mean(on) < 0.5 ? " But what lies along the manifold is not preserved: more than half of it is lost."
       : sign > 0 && mean(on) > 0.8 ? " What lies along it is nearly preserved."
                                    : ""));
  // CR^2 of an isotropic direction = p CR_on^2 + (1 - p) CR_off^2 with p = rank / d, if the two parts of it come out at
  // right angles.
  const std::vector<double> p = chance(g);
  std::vector<double> both, part;
  for (size_t n = 0; n < std::min({off.size(), on.size(), p.size()}); ++n) {
    const double along = p[n] * on[n] * on[n], across = (1 - p[n]) * off[n] * off[n];
    both.push_back(std::sqrt(along + across));
    part.push_back(100 * along / (along + across));
  }
  const int apart = difference_sign(off, uniform);
  s.findings.push_back("The rate of uniform noise, " + spread_words(uniform, 3) +
                       (apart > 0   ? ", is above the rate across the manifold"
                        : apart < 0 ? ", is below the rate across the manifold"
                                    : ", is not told apart from the rate across the manifold") +
                       ", with which eq. 14 and 19 equate it; from both parts, sqrt(p on^2 + (1 - p) off^2) with p = "
                       "rank / d, one expects " +
                       spread_words(both, 3) + ", of whose square the " + number_words(100 * mean(p), 1) +
                       " % of directions along the manifold make " + number_words(mean(part), 0) + " %.");
  // Steps, paired over images.
  const Curves a = ratios(curves_of(g, "norm_tangent")), b = ratios(curves_of(g, "norm_normal"));
  int above = 0, below = 0, steps = 0;
  for (size_t k = 0; k < a[0].size(); ++k) {
    const int step = difference_sign(column_of(b, k), column_of(a, k));
    above += step > 0;
    below += step < 0;
    ++steps;
  }
  s.findings.push_back("Step by step: of " + std::to_string(steps) +
                       " steps the tracked perturbation along the manifold is compressed less in " +
                       std::to_string(above) + ", more in " + std::to_string(below) +
                       ", and alike (interval of the difference holds 0) in the rest; " + g.setting() + ".");
}

// Length of what lies across the manifold at the end over that at the start: rate sqrt((1 - share after) / (1 - share
// before)).
std::vector<double> across_rates(const RecordGroup& g, const std::string& start) {
  const std::vector<double> rate = g.values("rate_" + start), after = g.values("end_share_" + start),
                            before = shares(g, start.c_str(), false);
  std::vector<double> kept;
  for (size_t n = 0; n < std::min({rate.size(), after.size(), before.size()}); ++n)
    kept.push_back(rate[n] * std::sqrt((1 - after[n]) / (1 - before[n])));
  return kept;
}

// Is being off the manifold enough to be compressed? PGD's perturbation against a random one.
void across_findings(const RecordGroup& g, Section& s) {
  const std::vector<double> random = across_rates(g, "normal"), pgd = across_rates(g, "pgd");
  const int sign = difference_sign(random, pgd);
  s.findings.push_back(
      "Of what lies across the manifold PGD's perturbation keeps " + spread_words(pgd, 3) +
      " of the length, a random one " + spread_words(random, 3) + "; difference " + difference_words(random, pgd, 3) +
      (sign > 0
           ? ": being off the manifold does not make a perturbation vanish, and PGD finds directions off it that pass."
       : sign < 0 ? ": what PGD puts off the manifold is compressed even more than chance would have it."
                  : ": off the manifold PGD's directions are compressed like random ones."));
}

void share_findings(const RecordGroup& g, Section& s) {
  const std::vector<double> start = shares(g, "uniform", false), end = g.values("end_share_uniform"),
                            pgd = shares(g, "pgd", false), pgd_end = g.values("end_share_pgd"), none = chance(g);
  const auto times = [&](const std::vector<double>& v) {
    return number_words(mean(v) / mean(none), 1) + " times chance";
  };
  s.findings.push_back("Of a uniform perturbation " + spread_words(start, 3) +
                       " of the squared length lies in the tangent space before purification and " +
                       spread_words(end, 3) + " (" + times(end) + ", tangent space at the anchor) after it: " +
                       (difference_sign(start, end) > 0 ? "what remains is turned towards the manifold"
                                                        : "what remains is not turned towards the manifold") +
                       (mean(end) < 0.5 ? ", yet most of it still lies across." : ", and most of it lies along it."));
  s.findings.push_back("Of PGD's perturbation " + spread_words(pgd, 3) + " (" + times(pgd) +
                       ") lies in the tangent space before purification and " + spread_words(pgd_end, 3) + " (" +
                       times(pgd_end) + ") after it; its rate is " + spread_words(g.values("rate_pgd"), 3) +
                       ", that of uniform noise " + spread_words(g.values("rate_uniform"), 3) + ".");
  across_findings(g, s);
  const std::vector<double> off = g.values("anchor_off"), away = g.values("anchor_distance");
  std::vector<double> part;
  for (size_t n = 0; n < std::min(off.size(), away.size()); ++n)
    part.push_back(100 * off[n] * off[n] / (away[n] * away[n]));
  s.findings.push_back("Anchor points lie " + spread_words(off, 3) + " from the manifold of their class and " +
                       spread_words(away, 3) + " from the clean image (l2): " + spread_words(part, 0) +
                       " % of the squared way is off the manifold.");
}

}  // namespace

std::vector<ExperimentUnit> manifold_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const int t = single_time(o);
  for (int64_t seed : o.run.seeds)
    for (int sampler = 0; sampler < static_cast<int>(o.samplers.size()); ++sampler)
      units.push_back(
          inside_unit(o, "manifold", seed, t, sampler, o.attack_images,
                      gradient_passes(o, sampler, t) * (static_cast<double>(o.run.pgd.steps) * o.run.pgd.restarts) +
                          chain_passes(o, sampler, t) * (6. + static_cast<double>(kLatents.size()))));
  return units;
}

void manifold_judge(const std::vector<JsonObject>& records, Section& s) {
  for (const RecordGroup& g : record_groups(records, "manifold")) {
    rate_findings(g, s);
    share_findings(g, s);
    rate_table(g, s);
    latent_table(g, s);
    distance_table(g, s);
    curve_plot(g, true, s);
    curve_plot(g, false, s);
  }
}

}  // namespace purescope
