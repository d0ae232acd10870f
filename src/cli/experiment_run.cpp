#include "cli/experiment_run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <sstream>

#include "cli/bundled.h"
#include "core/check.h"
#include "io/atomic_file.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/progress.h"
#include "io/signals.h"

namespace purescope {
namespace {

// What --quick takes where nothing is given: a look at every figure in a minute or two on one core.
constexpr int kQuickImages = 16, kQuickAttacked = 8, kQuickSteps = 8, kQuickReverse = 5, kQuickDraws = 3, kQuickEot = 3, kQuickTries = 4;
constexpr double kQuickTogether = 2.5;   // all steps of a quick attack together, in units of eps: few steps must still cross the ball

bool strided(const std::string& sampler) { return sampler == "ddpm" || sampler == "reverse" || sampler == "ddim" || sampler.starts_with("eta:"); }

// The flags of the purification group for one sampler: what has no meaning for it is left out.
PurifyFlags flags_for(const PurifyFlags& all, const std::string& sampler) {
  PurifyFlags f = all;
  f.sampler = sampler;
  f.steps_reverse = 0;
  if (sampler == "reverse") f.forward = "";
  else f.scale = "";
  if (!strided(sampler)) {
    f.clip = "";
    if (f.forward == "steps") f.forward = "jump";
  }
  if (sampler != "ddpm" && sampler != "reverse") f.variance = "";
  if (sampler != "vpsde" && sampler != "vpode") f.labels = "";
  return f;
}

std::vector<int> times(const ExperimentRunOptions& o, const Experiment& e, int t_max) {
  std::vector<int> list = o.run.purify.t;
  if (list.empty())
    for (int t : o.run.purify.preset == "imagenet" ? std::vector<int>{100} : e.t)
      if (t <= t_max || o.run.common.force) list.push_back(t);
  if (list.empty()) list.push_back(t_max);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

void set_samplers(const ExperimentRunOptions& o, const Experiment& e, ExperimentOptions& x) {
  std::vector<std::string> names = split_samplers(o.run.purify.sampler);
  if (names.empty()) names = o.run.purify.preset == "imagenet" && e.samplers.size() > 1 ? std::vector<std::string>{"ddpm", "vpsde", "dpm20"} : e.samplers;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) fail(kUsage, "sampler " + name + " twice", "--sampler", "name each once");
    x.samplers.push_back({name, purify_options(flags_for(o.run.purify, name), x.run.t.back())});
  }
  for (size_t s = 0; s < names.size(); ++s)
    for (int t : x.run.t) reverse_indices(purify_at(x, static_cast<int>(s), t));   // refuses what cannot be
}

// --quick keeps the sketch of the Jacobian small, even where all singular values could be had.
InsideOptions inside_options(const ExperimentRunOptions& o, int attacked) {
  InsideOptions x;
  if (o.quick) {
    x.perturbations = x.noises = 4;
    x.divergence_steps = 5;
    x.probes = 4;
    x.exact_jacobian_size = 0;
    x.rank = 24;
  }
  x.jacobian_images = o.quick ? std::min(attacked, 2) : attacked;
  for (auto [given, value] : {std::pair{o.perturbations, &x.perturbations}, {o.noises, &x.noises}, {o.probes, &x.probes}, {o.rank, &x.rank}})
    if (given) *value = given;
  if (o.rank) x.exact_jacobian_size = 0;
  return x;
}

std::string joined(const std::vector<std::string>& items, const char* between) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : between) + item;
  return text;
}

}  // namespace

ExperimentRunOptions experiment_defaults() {
  ExperimentRunOptions o;
  o.run.purify.t.clear();
  o.run.purify.sampler.clear();
  o.run.run.pgd.steps = 0;
  o.run.run.pgd.relative_step = 0;
  o.run.run.attack.apgd_steps = 0;
  o.run.run.attack.eot.draws = 0;
  o.run.run.draws = 0;
  o.run.run.eps.clear();
  o.run.run.predict = false;
  o.run.run.rand = {Rand::Fixed};
  return o;
}

std::vector<std::string> split_samplers(const std::string& text) {
  std::vector<std::string> names;
  std::stringstream items(text);
  for (std::string item; std::getline(items, item, ',');) {
    const bool setting = item == "taylor" || (item.find('=') != item.npos && item.find(':') == item.npos);
    if (setting && !names.empty()) names.back() += "," + item;
    else names.push_back(item);
  }
  return names;
}

std::string chosen_purifier(const ExperimentRunOptions& o, const Experiment& e) {
  if (!o.run.purifier.weights.empty()) return o.run.purifier.weights;
  const std::vector<int> none, &wanted = !o.run.purify.t.empty() ? o.run.purify.t : e.kind == ExperimentKind::Timesteps ? e.t : none;
  const bool shapes = o.run.data == "shapes" || o.run.data.starts_with("shapes:");
  if (!shapes || wanted.empty() || !o.run.purifier.arch.empty() || !has_bundled(kWidePurifier)) return kDefaultPurifier;
  const bool beyond = *std::max_element(wanted.begin(), wanted.end()) > bundled_range(kDefaultPurifier);
  return beyond && bundled_range(kWidePurifier) > bundled_range(kDefaultPurifier) ? kWidePurifier : kDefaultPurifier;
}

ExperimentOptions resolve_experiment(const ExperimentRunOptions& o, const Experiment& e, int t_max, int images, AttackOptions& run) {
  ExperimentOptions x;
  x.run = o.run.run;
  RobustnessOptions& r = x.run;
  const bool quick = o.quick, l2 = r.pgd.norm == Norm::L2;
  const auto take = [](auto& value, auto otherwise) { if (value == decltype(otherwise){}) value = otherwise; };
  take(r.pgd.steps, quick ? kQuickSteps : 40);
  take(r.attack.apgd_steps, quick ? kQuickSteps : 100);
  if (quick && r.pgd.relative_step == 0) r.pgd.relative_step = kQuickTogether / r.pgd.steps;
  take(r.pgd.relative_step, l2 ? 0.025 : 0.01 / 0.3);
  take(r.attack.eot.draws, quick ? kQuickEot : 15);
  take(r.draws, quick ? kQuickDraws : 10);
  if (r.eps.empty()) r.eps = {(o.run.purify.preset == "imagenet" ? 4.0 : 8.0) / 255};
  r.seeds = o.run.noise.seeds;
  r.t = times(o, e, t_max);
  x.steps_at_most = o.run.purify.steps_reverse ? o.run.purify.steps_reverse : quick ? kQuickReverse : 0;
  x.images = images;
  x.attack_images = std::min(images, o.attack_images ? o.attack_images : quick ? kQuickAttacked : images);
  x.test_seed = o.test_seed;
  x.tries = o.tries ? o.tries : quick ? kQuickTries : 10;
  x.scales = o.scales;
  x.inside = inside_options(o, x.attack_images);
  x.data = o.run.data;
  set_samplers(o, e, x);
  run.run = r;
  run.run.purify = x.samplers[0].purify;
  run.run.steps_reverse = x.steps_at_most;
  return x;
}

std::vector<std::pair<std::string, std::string>> experiment_settings(const ExperimentOptions& x, const AttackOptions& run, const std::string& data,
                                                                     const std::string& purifier, const std::string& classifier, const std::string& scalar) {
  std::vector<std::string> samplers, eps, seeds;
  std::vector<std::string> times;
  for (int t : x.run.t) times.push_back(std::to_string(t));
  for (size_t s = 0; s < x.samplers.size(); ++s) samplers.push_back(x.samplers[s].name + ": " + describe(purify_at(x, static_cast<int>(s), x.run.t.back())));
  char text[64];
  for (double v : x.run.eps) {
    std::snprintf(text, sizeof text, "%.4g/255 (%.6f)", v * 255, v);
    eps.push_back(text);
  }
  for (int64_t s : x.run.seeds) seeds.push_back(std::to_string(s));
  return {{"images", data}, {"measured, attacked", std::to_string(x.images) + ", " + std::to_string(x.attack_images)}, {"purifier", purifier},
          {"classifier", classifier},
          {"t*", joined(times, ", ")}, {"chains, at the largest t*", joined(samplers, "; ")}, {"budget", (x.run.pgd.norm == Norm::Linf ? "linf " : "l2 ") + joined(eps, ", ")},
          {"attack", std::string(attack_name(x.run.attack.kind)) + ", " + describe_attack(x.run.pgd, x.run.attack)}, {"gradient", backward_name(x.run.backward)},
          {"draws per compression rate", std::to_string(x.run.draws)}, {"seeds", joined(seeds, ", ")}, {"noise", to_string(run.noise.mode)}, {"arithmetic", scalar}};
}

std::vector<std::pair<std::string, std::string>> settings_that_matter(std::vector<std::pair<std::string, std::string>> settings, ExperimentKind kind) {
  std::set<std::string> idle;
  switch (kind) {
    case ExperimentKind::Gaussian: idle = {"images", "measured, attacked", "purifier", "classifier", "t*", "chains, at the largest t*", "budget", "attack", "gradient", "draws per compression rate"}; break;
    case ExperimentKind::Jacobian: idle = {"classifier", "budget", "attack", "gradient", "draws per compression rate"}; break;
    case ExperimentKind::Randomness:
    case ExperimentKind::Steps: idle = {"classifier", "attack", "gradient", "draws per compression rate"}; break;
    case ExperimentKind::Timesteps: idle = {"attack", "gradient"}; break;
    case ExperimentKind::Survival: idle = {"gradient", "draws per compression rate"}; break;
    case ExperimentKind::Protocol:
    case ExperimentKind::Distances:
    case ExperimentKind::Manifold: idle = {"draws per compression rate"}; break;
    case ExperimentKind::Cr:
    case ExperimentKind::Law:
    case ExperimentKind::Predict:
    case ExperimentKind::Budget:
    case ExperimentKind::Examples: break;
  }
  std::erase_if(settings, [&](const auto& s) { return idle.count(s.first) > 0; });
  return settings;
}

Passes total_passes(const std::vector<ExperimentUnit>& units) {
  Passes sum;
  for (const ExperimentUnit& u : units) sum = sum + u.passes * u.images;
  return sum;
}

std::string cost_text(const Passes& p, const PassSeconds& each) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3g network passes, about ", p.unet_forward + p.unet_backward + p.classifier_forward + p.classifier_backward);
  return text + format_duration(seconds(p, each));
}

int list_experiments(const ExperimentRunOptions& o, const ExperimentCost& cost) {
  // Which records the run in --out has.
  std::string name;
  std::set<std::string> there;
  const std::string records = o.run.out + "/results.0000of0001.jsonl";
  if (!o.run.out.empty() && std::filesystem::exists(records)) {
    std::stringstream lines(read_text_file(records));
    for (std::string line; std::getline(lines, line);) {
      const JsonObject r = JsonObject::parse(line, records);
      there.insert(record_id_key({r.get_string("kind"), r.get_int("img"), r.get_int("seed"), static_cast<int>(r.get_int("t")), r.get_double("eps")}));
    }
    const std::string where = o.run.out + "/header.json";
    const JsonObject header = JsonObject::parse(read_text_file(where), where);
    const JsonObject config = JsonObject::parse(header.raw("config"), where);
    if (config.has("experiment")) name = config.get_string("experiment");
  }
  std::string text;
  std::vector<std::string> items;
  for (const Experiment& e : experiments()) {
    AttackOptions run = o.run;
    const std::string purifier = chosen_purifier(o, e);
    const int t_max = purifier == kWidePurifier && o.run.purifier.weights.empty() ? bundled_range(purifier) : cost.t_max;
    ExperimentOptions x = resolve_experiment(o, e, t_max, cost.images, run);
    x.values = cost.values;
    const std::vector<ExperimentUnit> units = e.units(x);
    const Passes all = total_passes(units);
    Passes left;
    for (const ExperimentUnit& u : units)
      for (int i = 0; i < u.images; ++i) {
        RecordId id = u.id;
        id.image = o.run.first + i;
        if (name != e.name || !there.count(record_id_key(id))) left = left + u.passes;
      }
    text += std::string(e.name) + ": " + e.title + "\n    " + e.caption + "\n    " + e.source + "; " + cost_text(all, cost.each) + " with these settings";
    if (o.run.purifier.weights.empty() && purifier != kDefaultPurifier) text += " and " + purifier;
    if (name == e.name) text += "; left in " + o.run.out + ": " + format_duration(seconds(left, cost.each));
    text += "\n";
    items.push_back(JsonLine().add("name", e.name).add("title", e.title).add("caption", e.caption).add("source", e.source)
                        .add("seconds", seconds(all, cost.each)).add("seconds_left", seconds(left, cost.each)).text());
  }
  for (const auto& [missing, why] : experiments_not_built()) text += missing + ": " + why + "\n";
  if (o.run.common.json) for (const std::string& item : items) print_out(item + "\n");
  else print_out(text);
  return kOk;
}

}  // namespace purescope
