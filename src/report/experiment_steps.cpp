// steps: compression at every diffusion step for one tracked perturbation, beside eq. 15, eq. 16 and fresh
// perturbations.
#include <algorithm>
#include <cmath>

#include "report/experiment_curves.h"
#include "report/experiment_list.h"

namespace purescope {
namespace {

// What the records of one setting say, all as [image][place].
struct Steps {
  RecordGroup group;
  std::vector<double> place, forward_label, order;  // of the first record: the same for all
  Curves norm, rate, eq16, eq16_second, fresh, kappa, trace, trace_error, exact, clipped;
  size_t first_reverse = 0;  // state after the first reverse step
  double values = 0;
  std::vector<double> orders_place() const {
    std::vector<double> p;
    for (double o : order) p.push_back(place[first_reverse + static_cast<size_t>(o)]);
    return p;
  }
  // Rates of the tracked perturbation at the chosen reverse steps.
  Curves tracked() const {
    Curves c;
    for (const auto& r : rate) {
      c.emplace_back();
      for (double o : order) c.back().push_back(r[first_reverse + static_cast<size_t>(o) - 1]);
    }
    return c;
  }
};

Steps steps_of(const RecordGroup& g) {
  Steps s;
  s.group = g;
  const JsonObject& any = *g.records.begin()->second;
  s.first_reverse = static_cast<size_t>(any.get_int("first_reverse"));
  s.values = any.get_double("values");
  s.place = curves_of(g, "place")[0];
  s.forward_label = curves_of(g, "forward_label")[0];
  s.order = curves_of(g, "order")[0];
  s.norm = curves_of(g, "norm");
  s.rate = ratios(s.norm);
  s.kappa = curves_of(g, "kappa");
  s.eq16 = curves_of(g, "eq16");
  s.eq16_second = curves_of(g, "eq16_second");
  s.fresh = curves_of(g, "fresh");
  s.trace = curves_of(g, "trace");
  s.trace_error = curves_of(g, "trace_error");
  s.exact = curves_of(g, "exact_trace");
  s.clipped = curves_of(g, "clipped");
  return s;
}

void rate_plot(const Steps& s, Section& section) {
  Plot plot;
  plot.title = "Compression rate of every step, " + s.group.setting();
  plot.note =
      "One perturbation tracked through the chain, fresh isotropic ones at single states, and eq. 16; band: 95 % "
      "interval of the mean over images.";
  plot.x = {"diffusion steps: forward, then reverse"};
  plot.y = {"compression rate of a step"};
  plot.series.push_back(curve_series("tracked", {s.place.begin() + 1, s.place.end()}, s.rate));
  const std::vector<double> x = s.orders_place();
  plot.series.push_back(curve_series("fresh isotropic (off-manifold value)", x, s.fresh, Series::Points));
  plot.series.push_back(curve_series("eq. 16", x, s.eq16));
  Series kappa = make_series(Series::Line, "kappa (on-manifold value)");
  kappa.dashed = true;
  for (size_t k = 0; k < x.size(); ++k) add_point(kappa, x[k], s.kappa[0][k]);
  plot.series.push_back(kappa);
  section.plots.push_back(plot);
}

void step_table(const Steps& s, Section& section) {
  ResultTable t{"Reverse steps, " + s.group.setting() + ", seed " + std::to_string(s.group.seed),
                "tracked: |d after| / |d before| of one perturbation; fresh: of new isotropic ones at the same state, "
                "clip included; eq. 16 with Hutchinson's estimate of the divergence, which does not know of the clip; "
                "quadratic: with the Frobenius norm. Mean +- sd over images.",
                {{"step", "", 0},
                 {"tracked", "", 4},
                 {"fresh", "", 4},
                 {"eq. 16", "", 4},
                 {"eq. 16, quadratic", "", 4},
                 {"kappa", "", 4},
                 {"divergence / d", "", 4},
                 {"its standard error", "", 4},
                 {"clipped", "%", 1}},
                {}};
  const Curves tracked = s.tracked();
  for (size_t k = 0; k < s.order.size(); ++k) {
    std::vector<double> trace = column_of(s.trace, k), error = column_of(s.trace_error, k),
                        clipped = column_of(s.clipped, k);
    for (double& v : trace) v /= s.values;
    for (double& v : error) v /= s.values;
    for (double& v : clipped) v *= 100;
    t.rows.push_back({value_cell(s.order[k] + 1), mean_cell(column_of(tracked, k)), mean_cell(column_of(s.fresh, k)),
                      mean_cell(column_of(s.eq16, k)), mean_cell(column_of(s.eq16_second, k)),
                      value_cell(s.kappa[0][k]), mean_cell(trace),
                      value_cell(mean(error), static_cast<int>(error.size())), mean_cell(clipped)});
  }
  section.tables.push_back(t);
}

// Hutchinson against the exact trace, where that was computed.
void exact_table(const Steps& s, Section& section) {
  ResultTable t{"Divergence of the noise predictor: estimate and exact, " + s.group.setting(),
                "First image. Exact: one vector-Jacobian product per value. Probes: " +
                    std::to_string(s.group.records.begin()->second->get_int("probes")) + ".",
                {{"step", "", 0},
                 {"estimate", "", 2},
                 {"standard error", "", 2},
                 {"exact", "", 2},
                 {"difference / error", "", 2}},
                {}};
  double worst = 0;
  for (size_t image = 0; image < s.exact.size(); ++image)
    for (size_t k = 0; k < s.order.size(); ++k) {
      if (!std::isfinite(s.exact[image][k])) continue;
      const double off = (s.trace[image][k] - s.exact[image][k]) / s.trace_error[image][k];
      worst = std::max(worst, std::abs(off));
      t.rows.push_back({value_cell(s.order[k] + 1), value_cell(s.trace[image][k]), value_cell(s.trace_error[image][k]),
                        value_cell(s.exact[image][k]), value_cell(off)});
    }
  if (t.rows.empty()) return;
  section.tables.push_back(t);
  section.findings.push_back("Hutchinson's estimate of the divergence is off the exact trace by at most " +
                             number_words(worst, 1) + " of its standard errors (" + std::to_string(t.rows.size()) +
                             " states, " + s.group.setting() + ").");
}

void chain_findings(const Steps& s, Section& section) {
  std::vector<double> noised = column_of(s.norm, s.first_reverse - 1), start = column_of(s.norm, 0),
                      end = last_of(s.norm), ahead, behind;
  for (size_t n = 0; n < start.size(); ++n) {
    ahead.push_back(noised[n] / start[n]);
    behind.push_back(end[n] / noised[n]);
  }
  section.findings.push_back(
      "The forward process compresses by " + number_words(mean(ahead), 4) +
      ", the product of sqrt(alpha) (eq. 15), in every direction alike; the reverse process by " +
      spread_words(behind, 3) + " (" + s.group.setting() + ").");
  // Does the tracked perturbation begin like an isotropic one and end like one on the manifold?
  const Curves tracked = s.tracked();
  const size_t last = s.order.size() - 1;
  const auto nearer = [&](size_t k) {
    std::vector<double> to_fresh, to_kappa;
    for (size_t n = 0; n < tracked.size(); ++n) {
      to_fresh.push_back(std::abs(tracked[n][k] - s.fresh[n][k]));
      to_kappa.push_back(std::abs(tracked[n][k] - s.kappa[n][k]));
    }
    return difference_sign(to_fresh, to_kappa);  // 1: nearer to the fresh value
  };
  const auto words = [](int sign) {
    return std::string(sign > 0   ? "nearer to that of a fresh isotropic perturbation than to kappa"
                       : sign < 0 ? "nearer to kappa than to that of a fresh isotropic perturbation"
                                  : "as near to kappa as to that of a fresh isotropic perturbation");
  };
  section.findings.push_back("At the first reverse step the tracked perturbation's rate, " +
                             spread_words(column_of(tracked, 0), 4) + ", is " + words(nearer(0)) + " (" +
                             spread_words(column_of(s.fresh, 0), 4) + ", kappa " + number_words(s.kappa[0][0], 4) +
                             ").");
  if (last > 0)
    section.findings.push_back("At the last one, " + spread_words(column_of(tracked, last), 4) + ", it is " +
                               words(nearer(last)) + " (" + spread_words(column_of(s.fresh, last), 4) + ", kappa " +
                               number_words(s.kappa[0][last], 4) +
                               "); the papers' account wants the former at the start and kappa at the end.");
  std::vector<double> gap;
  for (size_t k = 0; k < s.order.size(); ++k)
    gap.push_back(std::abs(mean(column_of(s.eq16, k)) - mean(column_of(s.fresh, k))));
  const size_t worst = static_cast<size_t>(std::max_element(gap.begin(), gap.end()) - gap.begin());
  section.findings.push_back("Eq. 16 and the fresh perturbations differ most at reverse step " +
                             number_words(s.order[worst] + 1, 0) + ": " + spread_words(column_of(s.eq16, worst), 4) +
                             " against " + spread_words(column_of(s.fresh, worst), 4) + ", where the clip holds " +
                             number_words(100 * mean(column_of(s.clipped, worst)), 1) + " % of the values.");
}

// Vector-Jacobian products of the network at the chosen steps (a forward and a backward pass each), fresh
// perturbations, two walks; and, for one of all images, the exact trace at three steps.
Passes step_passes(const ExperimentOptions& o, int sampler, int t) {
  const double chosen = std::min<double>(o.inside.divergence_steps, chain_passes(o, sampler, t).unet_forward);
  const double exact = o.values <= o.inside.exact_trace_size && o.images > 0 ? 3. * o.values / o.images : 0;
  return chain_passes(o, sampler, t) * 2 + Passes{1, 1, 0, 0} * exact +
         Passes{1, 1, 0, 0} * (chosen * o.inside.probes) + Passes{1, 0, 0, 0} * (chosen * (2 * o.inside.fresh + 1));
}

}  // namespace

std::vector<ExperimentUnit> steps_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const int t = single_time(o);
  for (int64_t seed : o.run.seeds)
    for (int sampler = 0; sampler < static_cast<int>(o.samplers.size()); ++sampler)
      units.push_back(inside_unit(o, "steps", seed, t, sampler, o.images, step_passes(o, sampler, t)));
  return units;
}

void steps_judge(const std::vector<JsonObject>& records, Section& section) {
  for (const RecordGroup& g : record_groups(records, "steps")) {
    const Steps s = steps_of(g);
    chain_findings(s, section);
    step_table(s, section);
    exact_table(s, section);
    rate_plot(s, section);
  }
}

}  // namespace purescope
