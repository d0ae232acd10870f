#include "report/protocol_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>

#include "core/check.h"
#include "io/json_text.h"
#include "report/cells.h"
#include "report/experiment_tools.h"
#include "report/papers.h"

namespace purescope {
namespace {

constexpr const char* kOneShot = "one-shot";

// "[3,3,5]" -> 3, 3, 5.
std::vector<int> int_list(const std::string& text) {
  std::vector<int> values;
  for (size_t at = 1; at < text.size() && text[at] != ']'; ++at) {
    size_t used = 0;
    values.push_back(std::stoi(text.substr(at), &used));
    at += used;
    if (at < text.size() && text[at] == ']') break;
  }
  return values;
}

struct Judged {                     // one image of one set
  int label = 0;
  bool nan = false;
  std::map<std::string, bool> right;   // by rule
  double mean = 0, cos_fixed = NAN, grad_transfer = NAN, grad_eot = NAN;
};
using Set = std::map<int64_t, Judged>;   // by image
struct Table {
  int t = 0;
  double eps = 0;
  int64_t seed = 0, test_seed = 0;
  int tries = 0;
  std::map<std::string, Set> sets;
};

const std::vector<std::string> kRules = {"fixed", "transfer", kOneShot, "worst", "majority"};

// none, fixed, other, free, eot:N, adv.
int place(const std::string& set) {
  static const std::vector<std::string> order = {"none", "fixed", "other", "free", "eot", "adv"};
  const auto found = std::find(order.begin(), order.end(), set.substr(0, set.find(':')));
  return static_cast<int>(found - order.begin());
}
std::vector<std::string> set_names(const Table& table) {
  std::vector<std::string> names;
  for (const auto& [name, set] : table.sets) names.push_back(name);
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) { return std::pair(place(a), a) < std::pair(place(b), b); });
  return names;
}

std::vector<Table> tables_of(const std::vector<JsonObject>& records) {
  std::map<std::tuple<int, double, int64_t>, Table> tables;
  for (const JsonObject& o : records) {
    const std::tuple<int, double, int64_t> key{static_cast<int>(o.get_int("t")), o.get_double("eps"), o.get_int("seed")};
    Table& table = tables[key];
    std::tie(table.t, table.eps, table.seed) = key;
    table.test_seed = o.get_int("test_seed");
    Judged j;
    j.label = static_cast<int>(o.get_int("label"));
    j.nan = o.get_string("status") == "nan";
    const std::vector<int> tries = int_list(o.raw("tries"));
    table.tries = static_cast<int>(tries.size());
    const auto right = [&j](int prediction) { return !j.nan && prediction == j.label; };
    j.right["fixed"] = right(static_cast<int>(o.get_int("pred_fixed")));
    j.right["transfer"] = right(static_cast<int>(o.get_int("pred_transfer")));
    j.right[kOneShot] = right(tries.at(0));
    j.right["worst"] = std::all_of(tries.begin(), tries.end(), right);
    j.right["majority"] = right(majority(tries));
    j.mean = static_cast<double>(std::count_if(tries.begin(), tries.end(), right)) / static_cast<double>(tries.size());
    j.cos_fixed = o.get_double("cos_fixed");
    j.grad_transfer = o.get_double("grad_cos_transfer");
    j.grad_eot = o.get_double("grad_cos_eot");
    const std::string kind = o.get_string("kind");
    table.sets[kind.substr(kind.find(':') + 1)][o.get_int("img")] = j;
  }
  std::vector<Table> list;
  for (auto& [key, table] : tables) list.push_back(std::move(table));
  return list;
}

std::vector<Table> tables_of(const std::vector<std::string>& lines) {
  std::vector<JsonObject> records;
  for (const std::string& line : lines) records.push_back(JsonObject::parse(line, "results"));
  return tables_of(records);
}

Proportion share(const Set& set, const std::string& rule) {
  int k = 0;
  for (const auto& [image, j] : set) k += j.right.at(rule);
  return wilson(k, static_cast<int>(set.size()));
}

std::vector<double> collect(const Set& set, double Judged::*value) {
  std::vector<double> list;
  for (const auto& [image, j] : set) if (!std::isnan(j.*value)) list.push_back(j.*value);
  return list;
}

// One number of the randomness tables: a set under a rule.
struct Headline { std::string name, set, rule; };
std::vector<Headline> headlines(const Table& table) {
  std::vector<Headline> all = {{"clean, fixed", "none", "fixed"}, {"clean, free", "none", kOneShot}, {"robust, fixed", "fixed", "fixed"},
                               {"robust, free", "free", kOneShot}, {"robust, transfer", "fixed", "transfer"}};
  for (const std::string& name : set_names(table)) if (name.starts_with("eot:")) all.push_back({"robust, " + name, name, kOneShot});
  if (table.sets.count("adv")) all.push_back({"given images", "adv", kOneShot});
  std::erase_if(all, [&](const Headline& h) { return !table.sets.count(h.set); });
  return all;
}

// Pairs of headline numbers that are compared image by image.
struct Test { std::string first, second; int only_first = 0, only_second = 0; double p = 1; };
std::vector<Test> tests(const Table& table) {
  const std::vector<Headline> all = headlines(table);
  std::vector<Test> list;
  auto compare = [&](const Headline& a, const Headline& b) {
    Test t{a.name, b.name};
    const Set& second = table.sets.at(b.set);
    for (const auto& [image, j] : table.sets.at(a.set)) {
      const auto found = second.find(image);
      if (found == second.end()) continue;
      t.only_first += j.right.at(a.rule) && !found->second.right.at(b.rule);
      t.only_second += !j.right.at(a.rule) && found->second.right.at(b.rule);
    }
    t.p = mcnemar_exact(t.only_first, t.only_second);
    list.push_back(t);
  };
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t k = i + 1; k < all.size(); ++k) compare(all[i], all[k]);
  return list;
}

struct Correlation { std::string name; std::vector<double> values; };
std::vector<Correlation> correlations(const Table& table) {
  std::vector<Correlation> list;
  for (const std::string& name : set_names(table))
    if (name != "none" && name != "fixed" && name != "adv") list.push_back({"perturbation, " + name + " and fixed", collect(table.sets.at(name), &Judged::cos_fixed)});
  if (const auto none = table.sets.find("none"); none != table.sets.end()) {
    list.push_back({"gradient at x, other and fixed", collect(none->second, &Judged::grad_transfer)});
    list.push_back({"gradient at x, eot and fixed", collect(none->second, &Judged::grad_eot)});
  }
  std::erase_if(list, [](const Correlation& c) { return c.values.empty(); });
  return list;
}

std::string cell(const Proportion& p) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f [%.1f, %.1f]", 100 * p.value, 100 * p.low, 100 * p.high);
  return text;
}
std::string pad(const std::string& text, size_t width) { return text.size() < width ? std::string(width - text.size(), ' ') + text : text; }

std::string text_of(const Table& table) {
  char part[160];
  std::snprintf(part, sizeof part, "t* %d, eps %.5f, seed %lld, other seed %lld, N %d\n", table.t, table.eps, static_cast<long long>(table.seed),
                static_cast<long long>(table.test_seed), table.tries);
  std::string text = part + pad("images from", 14) + pad("n", 6);
  const std::string n = " of " + std::to_string(table.tries);
  for (const std::string& h : {std::string("fixed"), std::string("other seed"), std::string(kOneShot), "mean" + n, "worst" + n, "majority" + n}) text += pad(h, 21);
  text += "\n";
  for (const std::string& name : set_names(table)) {
    const Set& set = table.sets.at(name);
    text += pad(name == "none" ? "no attack" : name, 14) + pad(std::to_string(set.size()), 6);
    for (const char* rule : {"fixed", "transfer", kOneShot}) text += pad(cell(share(set, rule)), 21);
    const std::vector<double> means = collect(set, &Judged::mean);
    std::snprintf(part, sizeof part, "%.1f +- %.1f", 100 * mean(means), 100 * standard_error(means));
    text += pad(part, 21) + pad(cell(share(set, "worst")), 21) + pad(cell(share(set, "majority")), 21) + "\n";
  }
  for (const Headline& h : headlines(table)) text += pad(h.name, 20) + "  " + cell(share(table.sets.at(h.set), h.rule)) + "\n";
  for (const Test& t : tests(table)) {
    std::snprintf(part, sizeof part, "%s / %s: %d / %d images in one only, p = %.3g\n", t.first.c_str(), t.second.c_str(), t.only_first, t.only_second, t.p);
    text += part;
  }
  for (const Correlation& c : correlations(table)) {
    std::snprintf(part, sizeof part, "cosine of %s: %.4f +- %.4f (n %zu)\n", c.name.c_str(), mean(c.values), standard_deviation(c.values), c.values.size());
    text += part;
  }
  return text;
}

std::string json_of(const Table& table) {
  std::vector<std::string> sets, heads, pairs, cosines;
  for (const std::string& name : set_names(table)) {
    const Set& set = table.sets.at(name);
    const std::vector<double> means = collect(set, &Judged::mean);
    int nan = 0;
    for (const auto& [image, j] : set) nan += j.nan;
    JsonLine line = JsonLine().add("set", name);
    for (const std::string& rule : kRules) line.raw(rule, proportion_json(share(set, rule)));
    sets.push_back(line.add("mean", mean(means)).add("mean_se", standard_error(means)).add("nan", nan).text());
  }
  for (const Headline& h : headlines(table)) heads.push_back(JsonLine().add("name", h.name).raw("share", proportion_json(share(table.sets.at(h.set), h.rule))).text());
  for (const Test& t : tests(table))
    pairs.push_back(JsonLine().add("first", t.first).add("second", t.second).add("only_first", t.only_first).add("only_second", t.only_second).add("p", t.p).text());
  for (const Correlation& c : correlations(table))
    cosines.push_back(JsonLine().add("name", c.name).add("mean", mean(c.values)).add("sd", standard_deviation(c.values)).add("n", c.values.size()).text());
  return JsonLine().add("t", table.t).add("eps", table.eps).add("seed", table.seed).add("test_seed", table.test_seed).add("tries", table.tries)
      .raw("sets", json_array(sets)).raw("headlines", json_array(heads)).raw("mcnemar", json_array(pairs)).raw("cosines", json_array(cosines)).text();
}

}  // namespace

int majority(const std::vector<int>& votes) {
  std::map<int, int> count;
  for (int v : votes) ++count[v];
  int best = -1, most = 0;
  for (const auto& [value, n] : count) if (n > most) { best = value; most = n; }
  return best;
}

std::string protocol_line(const RunFacts& facts, const RecordId& id, const std::string& source, const ProtocolRecord& r) {
  std::vector<std::string> tries;
  for (int v : r.tries) tries.push_back(std::to_string(v));
  const std::string set = id.kind.substr(id.kind.find(':') + 1);
  const bool crafted = set != "none" && set != "adv";
  AttackSettings settings = facts.attack;
  if (!set.starts_with("eot:")) settings.eot = {};
  return JsonLine().add("v", 1).add("run", facts.run).add("kind", id.kind).add("img", id.image).add("src", source).add("seed", id.seed).add("t", id.t)
      .add("eps", id.eps).add("label", r.label).add("test_seed", r.test_seed).add("norm", facts.norm).add("attack", crafted ? attack_name(settings.kind) : "none")
      .add("options", crafted ? describe_attack(facts.pgd, settings) : "").add("pred_fixed", r.pred_fixed).add("pred_transfer", r.pred_transfer)
      .raw("tries", json_array(tries)).add("linf", r.linf).add("l2", r.l2).add("cos_fixed", r.cos_fixed).add("grad_cos_transfer", r.grad_cos_transfer)
      .add("grad_cos_eot", r.grad_cos_eot).add("grad", facts.grad).add("fwd", r.forwards).add("bwd", r.backwards).add("status", r.status)
      .add("xadv_sha", r.xadv_sha).text();
}

std::string protocol_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const Table& table : tables_of(lines)) text += text_of(table);
  if (text.empty()) return "no records\n";
  return text + "accuracies in % with Wilson's 95 % interval; mean: +- standard error over images; p: McNemar's exact test, paired by image\n";
}

void protocol_section(const std::vector<JsonObject>& records, Section& section) {
  for (const Table& t : tables_of(records)) {
    const std::string at = ", t* " + std::to_string(t.t) + ", seed " + std::to_string(t.seed), of = " of " + std::to_string(t.tries);
    ResultTable matrix{"Accuracy by how images were crafted (rows) and judged (columns)" + at, "The other seed is " + std::to_string(t.test_seed) + "; mean: its +- is over images.", {}, {}};
    matrix.columns = {{"crafted", ""}, {"fixed", "%", 1}, {"other seed", "%", 1}, {"one-shot", "%", 1}, {"mean" + of, "%", 1}, {"worst" + of, "%", 1}, {"majority" + of, "%", 1}};
    for (const std::string& name : set_names(t)) {
      const Set& set = t.sets.at(name);
      std::vector<double> means = collect(set, &Judged::mean);
      for (double& v : means) v *= 100;
      matrix.rows.push_back({word_cell(name == "none" ? "no attack" : name), percent_cell(share(set, "fixed")), percent_cell(share(set, "transfer")),
                             percent_cell(share(set, kOneShot)), spread_cell(means), percent_cell(share(set, "worst")), percent_cell(share(set, "majority"))});
    }
    ResultTable heads{"The numbers of the papers' tables on randomness" + at, "Papers, +- over three seeds, EOT of 15 draws: CIFAR-10 with DDPM, t* 100, PGD at 8/255; ImageNet "
                      "with the guided network, t* 150, BPDA at 4/255.", {{"", ""}, {"accuracy", "%", 1}, {"papers, CIFAR-10", "%", 1}, {"papers, ImageNet", "%", 1}}, {}};
    Plot plot;
    plot.title = "Accuracy by randomness" + at;
    plot.note = "Error bars: Wilson's 95 % interval. Papers: CIFAR-10, DDPM, t* 100.";
    plot.y = {"accuracy in %", false, 0, 100};
    Series ours = make_series(Series::Bars, "measured"), theirs = make_series(Series::Bars, "papers", true);
    for (const Headline& h : headlines(t)) {
      const PapersNumber p = papers_randomness(h.name, false), large = papers_randomness(h.name, true);
      const Cell c = percent_cell(share(t.sets.at(h.set), h.rule));
      add_bar(ours, h.name, c.value, c.low, c.high);
      if (!std::isnan(p.value)) add_bar(theirs, h.name, p.value);
      heads.rows.push_back({word_cell(h.name), percent_cell(share(t.sets.at(h.set), h.rule)), papers_cell(p.value, p.deviation), papers_cell(large.value, large.deviation)});
    }
    plot.series = {ours, theirs};
    section.plots.push_back(plot);
    ResultTable pairs{"Compared image by image" + at, "p: McNemar's exact test.", {{"first", ""}, {"second", ""}, {"only first right", "", 0}, {"only second right", "", 0}, {"p", "", 4}}, {}};
    for (const Test& test : tests(t)) {
      const int n = static_cast<int>(t.sets.begin()->second.size());
      pairs.rows.push_back({word_cell(test.first), word_cell(test.second), value_cell(test.only_first), value_cell(test.only_second), value_cell(test.p, n)});
      if (!test.first.starts_with("robust, fixed")) continue;
      section.findings.push_back("\"" + test.first + "\" against \"" + test.second + "\"" + at + ": " + std::to_string(test.only_first) + " images are right under the former only, " +
                                 std::to_string(test.only_second) + " under the latter only, of " + std::to_string(n) + " (McNemar's " + p_words(test.p) + ").");
    }
    ResultTable cosines{"Cosines" + at, "Mean +- standard deviation over images.", {{"between", ""}, {"cosine", "", 4}, {"papers", "", 4}}, {}};
    for (const Correlation& c : correlations(t)) {
      const std::string prefix = "perturbation, ";
      const PapersNumber p = c.name.starts_with(prefix) ? papers_correlation(c.name.substr(prefix.size(), c.name.find(" and") - prefix.size())) : PapersNumber{};
      cosines.rows.push_back({word_cell(c.name), spread_cell(c.values), papers_cell(p.value, p.deviation)});
    }
    for (ResultTable* table : {&heads, &matrix, &pairs, &cosines}) section.tables.push_back(std::move(*table));
  }
}

std::string protocol_json(const std::vector<std::string>& lines) {
  std::vector<std::string> items;
  for (const Table& table : tables_of(lines)) items.push_back(json_of(table));
  return json_array(items);
}

}  // namespace purescope
