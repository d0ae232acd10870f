// cr: expected compression rates by sampler, t*, magnitude and seed; rates of the attack's own perturbations.
#include <cmath>

#include "core/fits.h"
#include "report/experiment_list.h"
#include "report/experiment_tools.h"
#include "report/papers.h"

namespace purescope {
namespace {

const std::vector<int> kMagnitudes = {2, 4, 8, 16, 32};     // v2 Table 5, in 1/255
const std::vector<int64_t> kSeeds = {0, 123, 295};          // v2 Table 6

int steps_of(const RecordGroup& g) { return static_cast<int>(g.records.begin()->second->get_int("reverse_steps")); }

// The groups that belong to the table by sampler and t*: of the first seed and budget.
std::vector<const RecordGroup*> by_sampler(const std::vector<RecordGroup>& groups, int64_t seed, double eps) {
  std::vector<const RecordGroup*> list;
  for (const RecordGroup& g : groups)
    if (g.seed == seed && g.eps == eps) list.push_back(&g);
  return list;
}

// The budget and seed that all samplers and times share: those with the most groups.
std::pair<double, int64_t> shared_setting(const std::vector<RecordGroup>& groups) {
  std::pair<double, int64_t> best{0, 0};
  size_t most = 0;
  for (const RecordGroup& g : groups)
    if (const size_t count = by_sampler(groups, g.seed, g.eps).size(); count > most) {
      most = count;
      best = {g.eps, g.seed};
    }
  return best;
}

void rates_by_time(const std::vector<RecordGroup>& groups, double eps, int64_t seed, Section& s) {
  ResultTable table{"Expected compression rate by sampler and t*",
                    "CR: mean +- standard deviation over images, 95 % interval of the mean; anchor accuracy: purified, not attacked. Papers: CIFAR-10, their networks.", {}, {}};
  table.columns = {{"sampler", ""}, {"t*", "", 0}, {"reverse steps", "", 0}, {"CR", ""}, {"anchor accuracy", "%", 1}, {"CR, papers", ""}};
  Plot plot;
  plot.title = "Compression rate against t*";
  plot.note = "Band: 95 % interval of the mean over images.";
  plot.x = {"t*"};
  plot.y = {"expected compression rate"};
  plot.y.low = 0;
  for (const std::string& sampler : samplers_of(groups)) {
    Series ours = make_series(Series::Line, sampler_words(sampler)), theirs = make_series(Series::Line, sampler_words(sampler) + ", papers", true);
    theirs.dashed = true;
    for (const RecordGroup* g : by_sampler(groups, seed, eps)) {
      if (g->sampler != sampler) continue;
      const Cell rate = rate_cell(g);
      const double paper = papers_rate(sampler, g->t).value;
      table.rows.push_back({word_cell(sampler_words(sampler)), count_cell(g->t), count_cell(steps_of(*g)), rate, percent_cell(g->share(right_anchor)), papers_cell(paper)});
      add_point(ours, g->t, rate.value, rate.low, rate.high);
      if (!std::isnan(paper)) add_point(theirs, g->t, paper);
    }
    plot.series.push_back(ours);
    if (!theirs.x.empty()) plot.series.push_back(theirs);
  }
  s.tables.push_back(table);
  s.plots.push_back(plot);
}

void rates_by_magnitude(const std::vector<RecordGroup>& groups, const RecordGroup& at, Section& s) {
  ResultTable table{"By magnitude of the perturbation", at.setting() + ", seed " + std::to_string(at.seed), {{"magnitude", "1/255", 1}, {"CR", ""}, {"CR, papers", ""}}, {}};
  std::vector<double> lowest, highest;
  double first = 0, last = 0;
  for (const RecordGroup& g : groups) {
    if (g.sampler != at.sampler || g.t != at.t || g.seed != at.seed) continue;
    const PapersNumber p = papers_rate_by_magnitude(std::lround(g.eps * 255));
    table.rows.push_back({value_cell(g.eps * 255), rate_cell(&g), papers_cell(p.value, p.deviation)});
    if (lowest.empty()) { lowest = g.values("cr_rand"); first = g.eps * 255; }
    highest = g.values("cr_rand");
    last = g.eps * 255;
  }
  if (table.rows.size() < 2) return;
  s.tables.push_back(table);
  if (lowest.size() != highest.size()) return;
  const PairedDifference d = paired_difference(lowest, highest);
  s.findings.push_back("Between magnitudes " + number_words(first, 0) + "/255 and " + number_words(last, 0) + "/255 the rate changes by " + number_words(d.mean, 4) +
                       " [" + number_words(d.low, 4) + ", " + number_words(d.high, 4) + "] (paired over " + std::to_string(d.n) + " images, " + at.setting() + ").");
}

void rates_by_seed(const std::vector<RecordGroup>& groups, const RecordGroup& at, Section& s) {
  ResultTable table{"By seed of the noise", at.setting() + "; +- is over images", {{"seed", "", 0}, {"CR", "", 4}, {"CR, papers", "", 4}}, {}};
  std::vector<double> means;
  int images = 0;
  for (const RecordGroup& g : groups) {
    if (g.sampler != at.sampler || g.t != at.t || g.eps != at.eps) continue;
    const PapersNumber p = papers_rate_by_seed(g.seed);
    table.rows.push_back({count_cell(static_cast<int>(g.seed)), rate_cell(&g), papers_cell(p.value, p.deviation)});
    means.push_back(mean(g.values("cr_rand")));
    images = static_cast<int>(g.records.size());
  }
  if (means.size() < 2) return;
  s.tables.push_back(table);
  s.findings.push_back("The mean rate has standard deviation " + number_words(standard_deviation(means), 4) + " over " + std::to_string(means.size()) + " seeds and " +
                       number_words(standard_deviation(at.values("cr_rand")), 4) + " over images (" + at.setting() + ", " + std::to_string(images) + " images).");
}

// The samplers against the first one, image by image, at one t*.
void rates_between_samplers(const std::vector<RecordGroup>& groups, const RecordGroup& at, Section& s) {
  for (const RecordGroup& g : groups) {
    if (g.sampler == at.sampler || g.t != at.t || g.seed != at.seed || g.eps != at.eps) continue;
    const std::vector<double> first = at.values("cr_rand"), other = g.values("cr_rand");
    if (first.size() != other.size()) continue;
    const PairedDifference d = paired_difference(first, other);
    s.findings.push_back("At t* " + std::to_string(at.t) + " the rate of " + sampler_words(g.sampler) + " differs from that of " + sampler_words(at.sampler) + " by " +
                         number_words(d.mean, 3) + " [" + number_words(d.low, 3) + ", " + number_words(d.high, 3) + "], sign test " + p_words(d.p) + " (paired over " +
                         std::to_string(d.n) + " images).");
  }
}

void adversarial_rates(const std::vector<RecordGroup>& attacks, Section& s) {
  if (attacks.empty()) return;
  ResultTable table{"Rates of the attack's own perturbations", "Under the fixed noise of the attack; broken images include those that are wrong without attack. Papers: v1, section 5.", {}, {}};
  table.columns = {{"sampler", ""}, {"t*", "", 0}, {"robust images", ""}, {"broken images", ""}, {"uniform noise", ""}, {"robust fixed", "%", 1},
                   {"robust images, papers", ""}, {"broken images, papers", ""}, {"uniform noise, papers", ""}};
  for (const RecordGroup& g : attacks) {
    std::vector<double> robust, broken, attacked, uniform;
    for (const auto& [image, r] : g.records) {
      const double adversarial = r->get_double("cr_adv"), random = r->get_double("cr_rand");
      if (!std::isfinite(adversarial) || !std::isfinite(random)) continue;
      (is_robust(*r) ? robust : broken).push_back(adversarial);
      attacked.push_back(adversarial);
      uniform.push_back(random);
    }
    const PapersAdversarialRates p = g.t == 100 ? papers_adversarial_rates(g.sampler) : PapersAdversarialRates{};
    table.rows.push_back({word_cell(sampler_words(g.sampler)), count_cell(g.t), mean_cell(robust), mean_cell(broken), mean_cell(uniform), percent_cell(g.share(is_robust)),
                          papers_cell(p.robust.value, p.robust.deviation), papers_cell(p.broken.value, p.broken.deviation), papers_cell(p.uniform.value, p.uniform.deviation)});
    if (attacked.empty()) continue;
    const PairedDifference d = paired_difference(uniform, attacked);
    s.findings.push_back(g.setting() + ": the attack's perturbations pass at " + number_words(mean(attacked), 3) + ", uniform noise at " + number_words(mean(uniform), 3) +
                         "; difference " + number_words(d.mean, 3) + " [" + number_words(d.low, 3) + ", " + number_words(d.high, 3) + "], sign test " + p_words(d.p) + " (" + std::to_string(d.n) + " images).");
  }
  s.tables.push_back(table);
}

}  // namespace

std::vector<ExperimentUnit> cr_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const int samplers = static_cast<int>(o.samplers.size()), t = single_time(o);
  for (double eps : o.run.eps)
    for (int s = 0; s < samplers; ++s)
      for (int each : o.run.t)
        for (int64_t seed : o.run.seeds) add_rate_unit(units, o, s, each, eps, seed);
  for (int magnitude : kMagnitudes) add_rate_unit(units, o, 0, t, magnitude / 255., o.run.seeds[0]);
  for (int64_t seed : kSeeds) add_rate_unit(units, o, 0, t, o.run.eps[0], seed);
  for (int s = 0; s < samplers; ++s) add_attack_unit(units, o, s, t, o.run.eps[0], o.run.seeds[0]);
  return units;
}

void cr_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<RecordGroup> groups = record_groups(records, "cr"), attacks = record_groups(records, "attack:fixed");
  if (groups.empty()) return;
  const auto [eps, seed] = shared_setting(groups);
  rates_by_time(groups, eps, seed, s);
  const std::vector<RecordGroup>* single = attacks.empty() ? &groups : &attacks;
  const RecordGroup* at = find_group(groups, groups.front().sampler, single->back().t, seed, eps);
  if (at) {
    rates_by_magnitude(groups, *at, s);
    rates_by_seed(groups, *at, s);
    rates_between_samplers(groups, *at, s);
  }
  const std::vector<const RecordGroup*> shared = by_sampler(groups, seed, eps);
  for (const std::string& sampler : samplers_of(groups)) {
    const RecordGroup *first = nullptr, *last = nullptr;
    for (const RecordGroup* g : shared)
      if (g->sampler == sampler) { if (!first) first = g; last = g; }
    if (!first || first == last) continue;
    const PairedDifference d = paired_difference(first->values("cr_rand"), last->values("cr_rand"));
    s.findings.push_back(sampler_words(sampler) + ": from t* " + std::to_string(first->t) + " to " + std::to_string(last->t) + " the rate changes by " + number_words(d.mean, 3) +
                         " [" + number_words(d.low, 3) + ", " + number_words(d.high, 3) + "] (paired over " + std::to_string(d.n) + " images).");
  }
  adversarial_rates(attacks, s);
}

}  // namespace purescope
