// Runs of protocol as a section: the matrix of sets and rules, paired tests, cosines.
#include <cmath>

#include "report/protocol_table.h"
#include "report/run_section.h"
#include "report/section_json.h"
#include "report/section_text.h"

namespace purescope {
namespace {

const std::vector<std::pair<const char*, const char*>> kRules = {{"fixed", "fixed"},
                                                                 {"transfer", "other seed"},
                                                                 {"one-shot", "one-shot"},
                                                                 {"worst", "worst"},
                                                                 {"majority", "majority"}};

Proportion read_share(const std::string& json, const std::string& where) {
  const JsonObject o = JsonObject::parse(json, where);
  Proportion p;
  p.k = static_cast<int>(o.get_int("k")), p.n = static_cast<int>(o.get_int("n"));
  p.value = o.get_double("value"), p.low = o.get_double("low"), p.high = o.get_double("high");
  return p;
}

std::string set_name(const std::string& set) { return set == "none" ? "no attack" : set; }

// Table and heat map of one setting.
void add_matrix(const JsonObject& o, const std::string& setting, const std::string& where, Section& s) {
  ResultTable t{"Accuracy of every set under every rule, " + setting,
                "Wilson's 95 % interval; mean: over the tries of an image, +- standard error over images",
                {{"images from", "", 0}},
                {}};
  Plot heat;
  heat.kind = Plot::HeatMap;
  heat.title = "Accuracy in %, " + setting;
  heat.x.title = "judged by";
  heat.y.title = "crafted under";
  for (const auto& [key, name] : kRules) {
    t.columns.push_back({name, "%", 1});
    heat.column_names.push_back(name);
  }
  t.columns.push_back({"mean", "%", 1});
  for (const std::string& item : json_elements(o.raw("sets"), where)) {
    const JsonObject set = JsonObject::parse(item, where);
    std::vector<Cell> row = {word_cell(set_name(set.get_string("set")))};
    heat.row_names.push_back(set_name(set.get_string("set")));
    heat.cells.emplace_back();
    for (const auto& [key, name] : kRules) {
      row.push_back(percent_cell(read_share(set.raw(key), where)));
      heat.cells.back().push_back(row.back().value);
    }
    Cell mean = value_cell(100 * set.get_double("mean"));
    mean.deviation = 100 * set.get_double("mean_se");
    row.push_back(mean);
    t.rows.push_back(row);
  }
  s.tables.push_back(t);
  s.plots.push_back(heat);
}

// The headline shares as bars; the paired tests and the cosines as tables.
void add_comparisons(const JsonObject& o, const std::string& setting, const std::string& where, Section& s) {
  Plot p;
  p.title = "Headline accuracies, " + setting;
  p.y = {"accuracy in %", false, 0, 100};
  p.note = "95 % intervals (Wilson)";
  Series bars;
  bars.kind = Series::Bars;
  std::string headlines;
  for (const std::string& item : json_elements(o.raw("headlines"), where)) {
    const JsonObject h = JsonObject::parse(item, where);
    const Proportion share = read_share(h.raw("share"), where);
    const Cell c = percent_cell(share);
    bars.labels.push_back(h.get_string("name"));
    bars.y.push_back(c.value), bars.low.push_back(c.low), bars.high.push_back(c.high);
    headlines += (headlines.empty() ? " of " + std::to_string(share.n) + " images are right: " : "; ") +
                 h.get_string("name") + " " + share_text(share);
  }
  s.findings.push_back("At " + setting + headlines + ".");
  p.series = {bars};
  s.plots.push_back(p);
  ResultTable pairs{"The same images under two rules, " + setting,
                    "images that are right in one of the two only; p: McNemar's exact test",
                    {{"first", "", 0},
                     {"second", "", 0},
                     {"right in the first only", "", 0},
                     {"right in the second only", "", 0},
                     {"p", "", 3}},
                    {}};
  for (const std::string& item : json_elements(o.raw("mcnemar"), where)) {
    const JsonObject m = JsonObject::parse(item, where);
    pairs.rows.push_back({word_cell(m.get_string("first")), word_cell(m.get_string("second")),
                          count_cell(m.get_int("only_first")), count_cell(m.get_int("only_second")),
                          value_cell(m.get_double("p"))});
    if (m.get_string("first") == "robust, fixed" && m.get_string("second") == "robust, free")
      s.findings.push_back("Under free randomness " + m.raw("only_second") +
                           " images are robust that are not under fixed randomness, and " + m.raw("only_first") +
                           " the other way (McNemar's exact test: p = " + number_text(m.get_double("p"), 3) + ").");
  }
  s.tables.push_back(pairs);
  ResultTable cosines{
      "Cosines, " + setting, "mean and standard deviation over images", {{"between", "", 0}, {"cosine", "", 4}}, {}};
  for (const std::string& item : json_elements(o.raw("cosines"), where)) {
    const JsonObject c = JsonObject::parse(item, where);
    Cell value = value_cell(c.get_double("mean"));
    value.deviation = c.get_double("sd"), value.n = static_cast<int>(c.get_int("n"));
    cosines.rows.push_back({word_cell(c.get_string("name")), value});
  }
  if (!cosines.rows.empty()) s.tables.push_back(cosines);
}

}  // namespace

Section protocol_section(const RunRecords& run) {
  Section s;
  s.name = "protocol";
  s.title = "What randomness is worth";
  s.caption =
      "Adversarial images crafted under every kind of randomness, each judged under every rule, beside no attack.";
  s.settings = run_settings(run);
  for (const std::string& item : json_elements(protocol_json(run.records), run.folder)) {
    const JsonObject o = JsonObject::parse(item, run.folder);
    const std::string setting =
        "t* " + o.raw("t") + ", budget " + budget_text(o.get_double("eps")) + ", seed " + o.raw("seed");
    add_matrix(o, setting, run.folder, s);
    add_comparisons(o, setting, run.folder, s);
  }
  if (s.tables.empty()) s.findings = {"No record is there yet."};
  return s;
}

}  // namespace purescope
