#include "report/experiment_tools.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <tuple>

namespace purescope {
namespace {

int sampler_place(const std::string& s) { return s == "none" ? 0 : s == "ddpm" ? 1 : s == "reverse" ? 2 : s == "ddim" ? 3 : 4; }

}  // namespace

std::string RecordGroup::setting() const { return sampler_words(sampler) + " t* " + std::to_string(t); }

std::vector<double> RecordGroup::values(const std::string& field) const {
  std::vector<double> list;
  for (const auto& [image, record] : records)
    if (const double v = record->get_double(field); std::isfinite(v)) list.push_back(v);
  return list;
}

Proportion RecordGroup::share(const std::function<bool(const JsonObject&)>& holds) const {
  int k = 0;
  for (const auto& [image, record] : records) k += holds(*record);
  return wilson(k, static_cast<int>(records.size()));
}

std::vector<RecordGroup> record_groups(const std::vector<JsonObject>& records, const std::string& kind) {
  using Key = std::tuple<int, std::string, int, double, int64_t>;
  std::map<Key, RecordGroup> found;
  for (const JsonObject& r : records) {
    const std::string all = r.get_string("kind"), sampler = r.get_string("sampler");
    if (all != kind && all != kind + ":" + sampler) continue;
    const int t = static_cast<int>(r.get_int("t"));
    const double eps = r.get_double("eps");
    const int64_t seed = r.get_int("seed");
    RecordGroup& g = found[{sampler_place(sampler), sampler, t, eps, seed}];
    if (g.records.empty()) g = {kind, sampler, t, eps, seed, {}};
    g.records[r.get_int("img")] = &r;
  }
  std::vector<RecordGroup> list;
  for (auto& [key, group] : found) list.push_back(std::move(group));
  return list;
}

const RecordGroup* find_group(const std::vector<RecordGroup>& groups, const std::string& sampler, int t, int64_t seed, double eps) {
  for (const RecordGroup& g : groups)
    if (g.sampler == sampler && g.t == t && g.seed == seed && (eps < 0 || g.eps == eps)) return &g;
  return nullptr;
}

std::vector<std::string> samplers_of(const std::vector<RecordGroup>& groups) {
  std::vector<std::string> names;
  for (const RecordGroup& g : groups)
    if (std::find(names.begin(), names.end(), g.sampler) == names.end()) names.push_back(g.sampler);
  return names;
}

std::vector<int> times_of(const std::vector<RecordGroup>& groups) {
  std::vector<int> list;
  for (const RecordGroup& g : groups) list.push_back(g.t);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

bool right_anchor(const JsonObject& r) { return r.get_int("pred_anchor") == r.get_int("label"); }
bool right_clean(const JsonObject& r) { return r.get_int("pred_clean") == r.get_int("label"); }
bool is_robust(const JsonObject& r) { return r.get_bool("robust"); }

Cell rate_cell(const RecordGroup* group) { return group ? mean_cell(group->values("cr_rand")) : word_cell("-"); }

std::string sampler_words(const std::string& s) {
  return s == "none" ? "classifier alone" : s == "ddpm" ? "DDPM" : s == "reverse" ? "reverse-only" : s == "ddim" ? "DDIM" : s;
}

void add_point(Series& s, double x, double y, double low, double high, const std::string& label) {
  s.x.push_back(x);
  s.y.push_back(y);
  if (!std::isnan(low)) {
    s.low.push_back(low);
    s.high.push_back(high);
  }
  if (!label.empty()) s.labels.push_back(label);
}

void add_bar(Series& s, const std::string& label, double y, double low, double high) {
  s.labels.push_back(label);
  s.y.push_back(y);
  if (std::isnan(low)) return;
  s.low.push_back(low);
  s.high.push_back(high);
}

Series make_series(Series::Kind kind, const std::string& name, bool papers) {
  Series s;
  s.kind = kind;
  s.name = name;
  s.papers = papers;
  return s;
}

}  // namespace purescope
