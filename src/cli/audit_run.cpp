#include "cli/audit_run.h"

#include <cstdio>
#include <filesystem>

#include "cli/attack_run.h"
#include "cli/commands.h"
#include "cli/config_file.h"
#include "cli/shared_flags.h"
#include "core/check.h"
#include "core/current_device.h"
#include "core/math_mode.h"
#include "core/parallel.h"
#include "io/fraction.h"
#include "io/journal.h"
#include "io/json_text.h"
#include "io/npy.h"
#include "io/run_dir.h"
#include "io/signals.h"
#include "report/audit_judge.h"

namespace purescope {
namespace {

// Sorts by kind, image, seed.
std::string audit_key(const std::string& kind, int64_t image, int64_t seed) {
  char text[64];
  std::snprintf(text, sizeof text, " %020lld %020lld", static_cast<long long>(image), static_cast<long long>(seed));
  return kind + text;
}

class RunSinkOfAudit : public AuditSink {
 public:
  RunSinkOfAudit(Journal& journal, const RunDir& dir) : journal_(journal), dir_(dir) {}
  bool has(const std::string& kind, int64_t image, int64_t seed) const override {
    return journal_.contains(audit_key(kind, image, seed));
  }
  void put(const std::string& kind, int64_t image, int64_t seed, const JsonLine& fields) override {
    if (has(kind, image, seed)) return;
    std::string head =
        JsonLine().add("v", 1).add("run", dir_.hash8()).add("kind", kind).add("img", image).add("seed", seed).text();
    head.back() = ',';
    journal_.append(head + fields.text().substr(1));
  }
  void array(const std::string& name, const std::vector<int64_t>& shape, const std::vector<double>& values) override {
    std::filesystem::create_directories(dir_.file("arrays"));
    write_npy(dir_.file("arrays/" + name + ".npy"), shape, values.data());
  }

 private:
  Journal& journal_;
  const RunDir& dir_;
};

std::vector<ConfigEntry> config(const AuditRunOptions& o, const Dataset& data, const AuditFacts& facts) {
  const AuditOptions& a = o.audit;
  auto list = [](const auto& values) {
    std::vector<std::string> items;
    for (const auto& v : values) items.push_back(json_number(static_cast<double>(v)));
    return json_array(items);
  };
  std::vector<ConfigEntry> entries = {
      {"command", json_quote("audit")},
      {"real", json_quote(o.common.f64 ? "f64" : "f32")},
      {"math", json_quote(math_name(current_math()))},
      {"profile", json_quote(a.profile)},
      {"checks", list(a.checks)},
      {"defence", json_quote(audited_defence(o))},
      {"plant", json_quote(o.plant)},
      {"data", json_quote(o.data), ConfigRole::Free},
      {"first", std::to_string(o.first)},
      {"n", std::to_string(data.count())},
      {"seed", list(o.noise.seeds)},
      {"noise-rng", json_quote(to_string(o.noise.mode))},
      {"seed-hash", json_quote(seed_hash_name(o.noise.mode))},
      {"norm", json_quote(a.pgd.norm == Norm::Linf ? "linf" : "l2")},
      {"eps", json_number(a.eps)},
      {"steps", std::to_string(a.pgd.steps)},
      {"rel-step", json_number(a.pgd.relative_step)},
      {"restarts", std::to_string(a.pgd.restarts)},
      {"best-iterate", a.pgd.best_iterate ? "true" : "false"},
      {"backward", json_quote(backward_name(a.backward))},
      {"eot", std::to_string(a.eot)},
      {"directions", std::to_string(a.directions)},
      {"proof-images", std::to_string(a.proof_images)},
      {"samples", std::to_string(a.random_samples)},
      {"queries", std::to_string(a.search_queries)},
      {"budgets", list(a.budgets)},
      {"batch", std::to_string(o.batch), ConfigRole::Free},
      {"purifier_sha256", json_quote(facts.purifier_sha), ConfigRole::Identity},
      {"classifier_sha256", json_quote(facts.classifier_sha), ConfigRole::Identity},
      {"data_sha256", json_quote(data.sha256), ConfigRole::Identity}};
  add_device(entries);
  return entries;
}

Dataset audit_data(const AuditRunOptions& o, int n) {
  AttackOptions like;
  like.data = o.data;
  like.count = n;
  like.first = o.first;
  return load_run_data(like);
}

// Every threshold, as JSON: a verdict is not complete without them.
std::string bars_json(const AuditBars& b) {
  return JsonLine()
      .add("difference_double", b.difference_double)
      .add("difference_production", b.difference_production)
      .add("recompute_cosine", b.recompute_cosine)
      .add("precision_cosine", b.precision_cosine)
      .add("clipped_last", b.clipped_last)
      .add("zero_gradient", b.zero_gradient)
      .add("straight_through", b.straight_through)
      .add("flow_ratio", b.flow_ratio)
      .add("more_steps", b.more_steps)
      .add("loss_gain", b.loss_gain)
      .add("loss_tail", b.loss_tail)
      .add("restarts", b.restarts)
      .add("random_search", b.random_search)
      .add("gradient_free", b.gradient_free)
      .add("transfer", b.transfer)
      .add("fixed_noise", b.fixed_noise)
      .add("loss", b.loss)
      .add("split_half_cosine", b.split_half_cosine)
      .add("instability", b.instability)
      .add("binary_attack", b.binary_attack)
      .add("binary_random", b.binary_random)
      .text();
}

RunDescription description(const AuditRunOptions& o, const Dataset& data, const AuditFacts& facts) {
  RunDescription d;
  d.program_version = program_version();
  d.numerics = "1";
  d.config = config(o, data, facts);
  std::vector<std::string> words;
  for (const std::string& w : o.command_line) words.push_back(json_quote(w));
  d.sections = {{"command_line", json_array(words)},
                {"purifier", JsonLine().add("file", o.purifier.weights).add("arch", facts.purifier_arch).text()},
                {"classifier", JsonLine().add("file", o.classifier.weights).add("arch", facts.classifier_arch).text()},
                {"data", JsonLine().add("description", data.description).text()},
                {"bars", bars_json(o.bars)},
                {"device", device_json()},
                {"env", environment_json()}};
  return d;
}

}  // namespace

PurifyOptions audited_purification(const AuditRunOptions& o) {
  PurifyOptions p = purify_options(o.purify, o.purify.t[0]);
  if (o.guidance != 0 && p.sampler != SamplerKind::Ddpm)
    fail(kUsage, "--guidance with --sampler " + o.purify.sampler, "--guidance",
         "guidance acts on the noise of ddpm; choose --sampler ddpm");
  p.guidance = o.guidance;
  return p;
}

std::string audited_defence(const AuditRunOptions& o) {
  if (o.purifier.weights == "none" || o.purifier.weights.starts_with("noise:")) return o.purifier.weights;
  return describe(audited_purification(o));
}

int run_audit(const AuditRunOptions& o) {
  if (o.purify.t.size() != 1)
    fail(kUsage, "--t holds " + std::to_string(o.purify.t.size()) + " values", "--t", "audit one t* at a time");
  const Dataset data = audit_data(o, static_cast<int>(o.count));
  const AuditFacts facts = o.common.f64 ? f64::audit_facts(o) : f32::audit_facts(o);
  install_stop_handlers();
  const RunDescription d = description(o, data, facts);
  const std::string folder = o.out.empty() ? "runs/audit-" + config_hash(d.config).substr(0, 8) : o.out;
  RunDir dir(folder, d, RunOptions{o.resume, false, false, 0, 1});
  write_text_atomic(dir.file("config.resolved.toml"), config_text(o.command_line, config_toml(d.config)));
  JournalOptions j = dir.journal_options();
  j.key = [](const JsonObject& r) { return audit_key(r.get_string("kind"), r.get_int("img"), r.get_int("seed")); };
  Journal journal(j);
  if (!o.common.quiet) {
    std::fprintf(stderr, "run %s in %s: %s profile, %d images of %s, %s, %d threads\n", dir.hash8().c_str(), folder.c_str(),
                 o.audit.profile.c_str(), data.count(), data.description.c_str(), device_kind(current_device()), thread_count());
    std::fprintf(stderr, "defence: %s%s\n", audited_defence(o).c_str(),
                 o.plant.empty() ? "" : (", planted mask: " + o.plant).c_str());
    std::fprintf(stderr, "attack: PGD-%d, eps %.9f, backward %s\n", o.audit.pgd.steps, o.audit.eps,
                 backward_name(o.audit.backward).c_str());
  }
  RunSinkOfAudit sink(journal, dir);
  // The other scalar first: its gradient is what the audited one is compared with.
  const AuditGradients reference = o.common.f64 ? f32::audit_proof(o, data, sink) : f64::audit_proof(o, data, sink);
  const bool finished =
      o.common.f64 ? f64::audit_measure(o, data, reference, sink) : f32::audit_measure(o, data, reference, sink);
  if (!finished) {
    std::fprintf(stderr, "stopped; nothing is lost. Go on with the same command and --resume --out %s\n",
                 folder.c_str());
    return kStopped;
  }
  journal.finish();
  const std::vector<AuditCheck> checks = judge_audit(journal.records(), o.audit, o.bars);
  dir.write_summary(audit_json(checks));
  print_out(o.common.json ? audit_json(checks) + "\n" : audit_text(checks, !o.common.quiet));
  if (!o.common.quiet) std::fprintf(stderr, "records: %s, verdicts: %s\n", dir.results_file().c_str(), "summary.json");
  return any_fail(checks) ? kNegative : kOk;
}

}  // namespace purescope
