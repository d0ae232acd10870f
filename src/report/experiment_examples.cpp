// protocol: the randomness matrix as a section. examples: which images stand in the picture, and what was measured at them.
#include <algorithm>
#include <cmath>

#include "report/experiment_list.h"
#include "report/experiment_tools.h"
#include "report/protocol_table.h"

namespace purescope {
namespace {

// By rate, then by position; images without a finite rate are left out.
std::vector<std::pair<double, const JsonObject*>> ordered(const std::vector<JsonObject>& records) {
  std::vector<std::pair<double, const JsonObject*>> list;
  for (const JsonObject& r : records)
    if (r.get_string("kind").starts_with("attack:") && std::isfinite(r.get_double("cr_rand"))) list.push_back({r.get_double("cr_rand"), &r});
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return list;
}

std::vector<const JsonObject*> spread(const std::vector<JsonObject>& records) {
  const auto list = ordered(records);
  const size_t rows = std::min<size_t>(kExampleRows, list.size());
  std::vector<const JsonObject*> chosen;
  for (size_t i = 0; i < rows; ++i) chosen.push_back(list[rows == 1 ? 0 : i * (list.size() - 1) / (rows - 1)].second);
  return chosen;
}

}  // namespace

std::vector<ExperimentUnit> protocol_units(const ExperimentOptions& o) {
  const int eot = o.run.attack.eot.draws;
  struct Set { std::string name; Rand rand; bool crafted; };
  std::vector<Set> sets = {{"none", Rand::Fixed, false}, {"fixed", Rand::Fixed, true}, {"other", Rand::Fixed, true}, {"free", Rand::Free, true}};
  if (eot > 1) sets.push_back({rand_name(Rand::Eot, eot), Rand::Eot, true});
  std::vector<ExperimentUnit> units;
  for (int t : o.run.t)
    for (int64_t seed : o.run.seeds)
      for (const Set& set : sets) {
        // The attack with its last passes, or the gradients at x; and a test under both seeds and every fresh draw.
        const Passes made = set.crafted ? attack_passes(o, 0, t, set.rand) : gradient_passes(o, 0, t) * (2. + eot);
        add_unit(units, "protocol:" + set.name, 0, t, o.run.eps[0], seed, o.attack_images, made + chain_passes(o, 0, t) * (2. + o.tries));
        units.back().rand = set.rand;
      }
  return units;
}

void protocol_judge(const std::vector<JsonObject>& records, Section& s) { protocol_section(records, s); }

std::vector<ExperimentUnit> examples_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  add_attack_unit(units, o, 0, single_time(o), o.run.eps[0], o.run.seeds[0]);
  for (ExperimentUnit& u : units) u.keep_images = true;
  return units;
}

std::vector<int64_t> example_images(const std::vector<JsonObject>& records) {
  std::vector<int64_t> images;
  for (const JsonObject* r : spread(records)) images.push_back(r->get_int("img"));
  return images;
}

void examples_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<const JsonObject*> rows = spread(records);
  if (rows.empty()) return;
  ResultTable table{"The images of the picture", "Classes are numbers of the data's list; adversarial: under the noise of the attack.", {}, {}};
  table.columns = {{"image", ""}, {"CR", ""}, {"CR of the attack", ""}, {"label", "", 0}, {"purified", "", 0}, {"adversarial, purified", "", 0}, {"robust", ""}};
  Plot plot;
  plot.kind = Plot::Images;
  plot.title = "Clean, adversarial, purified, adversarial and purified";
  plot.note = "From the lowest compression rate (top) to the highest.";
  plot.image_file = kExamplesFile;
  plot.column_names = {"clean", "adversarial", "purified", "adversarial, purified"};
  for (const JsonObject* r : rows) {
    const std::string rate = number_words(r->get_double("cr_rand"), 3);
    table.rows.push_back({word_cell(r->get_string("src")), value_cell(r->get_double("cr_rand"), 1), value_cell(r->get_double("cr_adv")), value_cell(static_cast<double>(r->get_int("label"))),
                          value_cell(static_cast<double>(r->get_int("pred_anchor"))), value_cell(static_cast<double>(r->get_int("pred_adv"))), word_cell(is_robust(*r) ? "yes" : "no")});
    plot.row_names.push_back("CR " + rate + (is_robust(*r) ? ", robust" : ", broken"));
  }
  s.tables.push_back(table);
  s.plots.push_back(plot);
  // Whether the order means anything: robust images of the lower and of the upper half.
  const auto all = ordered(records);
  int lower = 0, upper = 0;
  const int half = static_cast<int>(all.size() / 2);
  for (int i = 0; i < half; ++i) {
    lower += is_robust(*all[i].second);
    upper += is_robust(*all[all.size() - 1 - i].second);
  }
  if (half > 0)
    s.findings.push_back("Of the half of the images with the lower rates " + percent_text(wilson(lower, half)) + " are robust, of the other half " + percent_text(wilson(upper, half)) + ".");
}

}  // namespace purescope
