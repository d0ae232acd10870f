#include "report/attack_table.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "core/hash.h"
#include "io/journal.h"
#include "io/json_text.h"
#include "report/cells.h"

namespace purescope {
namespace {

JsonLine head(const RunFacts& facts, const RecordId& id, const std::string& source) {
  return JsonLine().add("v", 1).add("run", facts.run).add("kind", id.kind).add("img", id.image).add("src", source).add("seed", id.seed).add("t", id.t)
      .add("eps", id.eps);
}

std::string interval(const Proportion& p) {
  char text[64];
  if (p.n == 0) return "-";
  std::snprintf(text, sizeof text, "%.1f [%.1f, %.1f]", 100 * p.value, 100 * p.low, 100 * p.high);
  return text;
}

std::string pad(const std::string& text, size_t width) { return text.size() < width ? std::string(width - text.size(), ' ') + text : text; }

// S(c) = P(minimum perturbation > c), from the images of one survival curve; n = 0 where no rate was measured.
Proportion survival(const std::vector<JsonObject>& minima, double c) {
  if (std::isnan(c)) return wilson(0, 0);
  int alive = 0;
  for (const JsonObject& m : minima) alive += m.get_bool("censored") || m.get_double("budget") > c;
  return wilson(alive, static_cast<int>(minima.size()));
}

// Name of the attack of the suite that broke an image; "clean": none was needed; "none".
const char* broken_by(int place) { return place == -2 ? "clean" : place < 0 ? "none" : attack_name(suite_sequence()[place]); }

}  // namespace

std::string record_id_key(const RecordId& id) { return order_key(id.image, static_cast<uint64_t>(id.seed), id.t, id.eps) + " " + id.kind; }

std::string attack_line(const RunFacts& facts, const RecordId& id, const std::string& source, Rand rand, const AttackRecord& r) {
  JsonLine line = head(facts, id, source);
  AttackSettings settings = facts.attack;
  if (rand != Rand::Eot) settings.eot = {};
  line.add("label", r.label).add("test_seed", rand == Rand::Transfer ? facts.test_seed : id.seed).add("rand", rand_name(rand, settings.eot.draws)).add("norm", facts.norm)
      .add("attack", attack_name(settings.kind)).add("options", describe_attack(facts.pgd, settings)).add("pred_clean", r.pred_clean).add("pred_anchor", r.pred_anchor).add("pred_adv", r.pred_adv).add("robust", r.robust)
      .add("adv_on_path", r.adv_on_path).add("loss0", r.loss_start).add("loss", r.loss_end).add("linf", r.linf).add("l2", r.l2)
      .add("l2_anchor", r.l2_anchor).add("cr_rand", r.cr).add("cr_se", r.cr_error).add("cr_adv", r.cr_adv).add("grad_zero", r.grad_zero)
      .add("grad", facts.grad).add("steps", facts.pgd.steps).add("fwd", r.forwards).add("bwd", r.backwards).add("status", r.status)
      .add("xadv_sha", sha256_hex(r.adversarial.data(), r.adversarial.size() * sizeof(float)).substr(0, 16));
  if (settings.kind == AttackKind::Suite) line.add("broken_by", broken_by(r.broken_by));
  return line.text();
}

std::string cr_line(const RunFacts& facts, const RecordId& id, const std::string& source, double mean, double error, double eta_norm,
                    const std::vector<double>& draws) {
  std::vector<std::string> values;
  for (double d : draws) values.push_back(json_number(d));
  return head(facts, id, source).add("cr_rand", mean).add("cr_se", error).add("eta_l2", eta_norm).raw("draws", json_array(values)).text();
}

std::string minimum_line(const RunFacts& facts, const RecordId& id, const std::string& source, int label, double budget, bool censored,
                         int non_monotone, const std::vector<std::pair<double, bool>>& probes) {
  std::vector<std::string> values;
  for (const auto& [b, broken] : probes) values.push_back("[" + json_number(b) + "," + (broken ? "1" : "0") + "]");
  return head(facts, id, source).add("label", label).add("norm", facts.norm).add("budget", budget).add("censored", censored)
      .add("non_monotone", non_monotone).raw("probes", json_array(values)).text();
}

std::vector<TableRow> attack_table(const std::vector<std::string>& lines) {
  using Key = std::tuple<int, double, int64_t>;
  std::map<Key, std::vector<JsonObject>> records;
  std::map<double, std::vector<JsonObject>> at_clean;
  std::map<Key, std::vector<JsonObject>> at_anchor;
  for (const std::string& line : lines) {
    JsonObject o = JsonObject::parse(line, "results");
    const Key key{static_cast<int>(o.get_int("t")), o.get_double("eps"), o.get_int("seed")};
    const std::string kind = o.get_string("kind");
    if (kind == "minimum:clean") at_clean[std::get<1>(key)].push_back(std::move(o));
    else if (kind == "minimum:anchor") at_anchor[key].push_back(std::move(o));
    else records[key].push_back(std::move(o));
  }
  std::vector<TableRow> rows;
  for (const auto& [key, list] : records) {
    TableRow row;
    std::tie(row.t, row.eps, row.seed) = key;
    struct Count { int k = 0, n = 0; Proportion get() const { return wilson(k, n); } };
    Count clean, anchor, path;
    std::map<std::string, Count> rand;
    std::set<int64_t> judged;             // clean, anchor and cr are the same in every record of an image: counted once
    std::map<int64_t, double> rate;       // summed in the order of the images, whatever the order of the records
    for (const JsonObject& o : list) {
      const int64_t image = o.get_int("img");
      if (const double cr = o.get_double("cr_rand"); !std::isnan(cr)) rate.emplace(image, cr);
      if (o.get_string("kind") == "cr") continue;
      const int64_t label = o.get_int("label");
      const std::string which = o.get_string("rand"), status = o.get_string("status");
      if (status == "nan") ++row.nan;
      if (status == "skipped_misclassified") continue;
      Count& c = rand[which];
      ++c.n;
      c.k += o.get_bool("robust");
      if (judged.insert(image).second) {
        ++clean.n;
        ++anchor.n;
        clean.k += o.get_int("pred_clean") == label;
        anchor.k += o.get_int("pred_anchor") == label;
      }
      if (which == "fixed") { ++path.n; path.k += !o.get_bool("adv_on_path") && o.get_bool("robust"); }
    }
    for (const auto& [image, cr] : rate) row.cr.push_back(cr);
    row.predicted_clean = row.predicted_anchor = wilson(0, 0);
    row.clean = clean.get();
    row.anchor = anchor.get();
    row.fixed = rand["fixed"].get();
    row.free = rand["free"].get();
    row.transfer = rand["transfer"].get();
    for (const auto& [name, count] : rand)
      if (name.starts_with("eot:")) {
        row.eot = count.get();
        row.eot_draws = std::stoi(name.substr(4));
      }
    row.on_path = path.get();
    row.cr_mean = mean(row.cr);
    row.cr_sd = standard_deviation(row.cr);
    if (at_clean.count(row.eps)) {
      row.predicted_clean = survival(at_clean[row.eps], row.cr_mean);
      for (const JsonObject& m : at_clean[row.eps]) {
        row.censored += m.get_bool("censored");
        row.non_monotone += static_cast<int>(m.get_int("non_monotone"));
      }
    }
    if (at_anchor.count(key)) row.predicted_anchor = survival(at_anchor[key], row.cr_mean);
    rows.push_back(row);
  }
  return rows;
}

std::string table_text(const std::vector<TableRow>& rows) {
  if (rows.empty()) return "no records\n";
  auto any = [&](auto member) { return std::any_of(rows.begin(), rows.end(), [&](const TableRow& r) { return (r.*member).n > 0; }); };
  struct Column { std::string title; Proportion TableRow::*value; };
  std::vector<Column> columns;
  for (const Column& c : {Column{"clean", &TableRow::clean}, Column{"anchor", &TableRow::anchor}}) if (any(c.value)) columns.push_back(c);
  const size_t before_cr = columns.size();
  for (const Column& c : {Column{"robust, fixed", &TableRow::fixed}, Column{"robust, free", &TableRow::free}, Column{"robust, transfer", &TableRow::transfer},
                          Column{"robust, eot:" + std::to_string(rows[0].eot_draws), &TableRow::eot},
                          Column{"predicted (clean)", &TableRow::predicted_clean}, Column{"predicted (anchor)", &TableRow::predicted_anchor}})
    if (any(c.value)) columns.push_back(c);
  std::string text = pad("t*", 5) + pad("eps", 9) + pad("seed", 6) + pad("n", 6);
  auto heading = [&](size_t i) { return pad(columns[i].title, 21); };
  for (size_t i = 0; i < before_cr; ++i) text += heading(i);
  text += pad("CR mean +- sd", 17);
  for (size_t i = before_cr; i < columns.size(); ++i) text += heading(i);
  text += "\n";
  for (const TableRow& r : rows) {
    char part[64];
    std::snprintf(part, sizeof part, "%5d%9.5f%6lld%6zu", r.t, r.eps, static_cast<long long>(r.seed), std::max<size_t>(r.cr.size(), r.clean.n));
    text += part;
    for (size_t i = 0; i < before_cr; ++i) text += pad(interval(r.*columns[i].value), 21);
    std::snprintf(part, sizeof part, "%.4f +- %.4f", r.cr_mean, r.cr_sd);
    text += pad(r.cr.empty() ? "-" : part, 17);
    for (size_t i = before_cr; i < columns.size(); ++i) text += pad(interval(r.*columns[i].value), 21);
    text += "\n";
    if (r.nan) text += "      " + std::to_string(r.nan) + " records were not finite; they count as not robust\n";
  }
  text += "accuracies in % with Wilson's 95 % interval; CR: mean and standard deviation over images\n";
  if (any(&TableRow::predicted_clean))
    text += "predicted: share of images whose minimum perturbation (in units of eps, classifier alone) exceeds the mean CR; it equates an l2 ratio with a budget scale\n";
  return text;
}

std::string suite_text(const std::vector<std::string>& lines) {
  struct Tally { int n = 0; double linf = 0; int nan = 0, robust = 0; std::map<std::string, int> broken; };
  std::map<std::string, Tally> tallies;   // by setting
  for (const std::string& line : lines) {
    const JsonObject o = JsonObject::parse(line, "results");
    if (!o.has("broken_by") || o.get_string("status") == "skipped_misclassified") continue;
    Tally& t = tallies["t " + o.raw("t") + ", eps " + o.raw("eps") + ", seed " + o.raw("seed") + ", randomness " + o.get_string("rand")];
    ++t.n;
    ++t.broken[o.get_string("broken_by")];
    t.linf = std::max(t.linf, o.get_double("linf"));
    t.nan += o.get_string("status") == "nan";
    t.robust += o.get_bool("robust");
  }
  std::string text;
  char part[128];
  for (auto& [setting, t] : tallies) {
    int standing = t.n - t.broken["clean"];
    std::snprintf(part, sizeof part, "\ninitial accuracy: %.2f%%\n", 100.0 * standing / t.n);
    text += setting + part;
    for (AttackKind kind : suite_sequence()) {
      standing -= t.broken[attack_name(kind)];
      std::string upper = attack_name(kind);
      for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      std::snprintf(part, sizeof part, "robust accuracy after %s: %.2f%%\n", upper.c_str(), 100.0 * standing / t.n);
      text += part;
    }
    std::snprintf(part, sizeof part, "max Linf perturbation: %.5f, not finite: %d\nrobust accuracy: %.2f%%\n", t.linf, t.nan, 100.0 * t.robust / t.n);
    text += part;
  }
  return text;
}

std::string table_json(const std::vector<TableRow>& rows) {
  std::vector<std::string> items;
  for (const TableRow& r : rows)
    items.push_back(JsonLine().add("t", r.t).add("eps", r.eps).add("seed", r.seed).add("n", r.cr.size()).raw("clean", proportion_json(r.clean))
        .raw("anchor", proportion_json(r.anchor)).add("cr_mean", r.cr_mean).add("cr_sd", r.cr_sd).raw("robust_fixed", proportion_json(r.fixed))
        .raw("robust_free", proportion_json(r.free)).raw("robust_transfer", proportion_json(r.transfer))
        .raw("robust_eot", proportion_json(r.eot)).add("eot", r.eot_draws)
        .raw("robust_fixed_whole_path", proportion_json(r.on_path)).raw("predicted_clean", proportion_json(r.predicted_clean))
        .raw("predicted_anchor", proportion_json(r.predicted_anchor)).add("nan", r.nan).add("censored", r.censored)
        .add("non_monotone", r.non_monotone).text());
  return json_array(items);
}

}  // namespace purescope
