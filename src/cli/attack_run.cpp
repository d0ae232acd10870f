#include "cli/attack_run.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "cli/config_file.h"
#include "cli/shared_flags.h"
#include "core/check.h"
#include "core/current_device.h"
#include "core/hash.h"
#include "core/math_mode.h"
#include "core/parallel.h"
#include "io/image.h"
#include "io/json_text.h"
#include "io/npy.h"
#include "io/signals.h"

namespace purescope {
namespace {

// When the record before was written, for timing.jsonl: one run per process.
double last_record = 0;

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Everything that names the sampler and has no key of its own.
std::string sampler_text(const PurifyOptions& p) {
  const char* labels = p.labels == Labels::Index ? "" : p.labels == Labels::Continuous ? ", labels continuous" : ", labels torchsde-fp32";
  return sampler_name(p) + labels + (p.respacing.empty() ? "" : ", respacing " + p.respacing) +
         (p.image_size ? ", image size " + std::to_string(p.image_size) : "");
}

std::string list(const std::vector<int>& v) {
  std::vector<std::string> items;
  for (int i : v) items.push_back(std::to_string(i));
  return json_array(items);
}
std::string list(const std::vector<int64_t>& v) {
  std::vector<std::string> items;
  for (int64_t i : v) items.push_back(std::to_string(i));
  return json_array(items);
}
std::string list(const std::vector<double>& v) {
  std::vector<std::string> items;
  for (double d : v) items.push_back(json_number(d));
  return json_array(items);
}

// Everything that defines the results, key by key; the hash of it names the run.
std::vector<ConfigEntry> config(const AttackOptions& o, const Dataset& data, const std::string& purifier_sha, const std::string& classifier_sha,
                                const std::string& scalar) {
  const RobustnessOptions& r = o.run;
  auto text = [](const std::string& v) { return json_quote(v); };
  auto flag = [](bool v) { return std::string(v ? "true" : "false"); };
  std::vector<std::string> rand;
  for (Rand x : r.rand) rand.push_back(json_quote(rand_name(x, r.attack.eot.draws)));
  const std::string forward = r.purify.forward == ForwardKind::Jump ? "jump" : r.purify.forward == ForwardKind::Steps ? "steps" : "none";
  const std::string clip = r.purify.clip == Clip::X0 ? "x0" : r.purify.clip == Clip::None ? "none" : "straight-through";
  std::vector<ConfigEntry> entries =
         {{"command", text(kind_name(o.kind))}, {"real", text(scalar)}, {"math", text(math_name(current_math()))}, {"data", text(o.data), ConfigRole::Free},
          {"first", std::to_string(o.first)}, {"n", std::to_string(data.count())}, {"t", list(r.t)}, {"steps-reverse", std::to_string(r.steps_reverse)},
          {"forward", text(forward)}, {"sampler", text(sampler_text(r.purify))}, {"eta", json_number(r.purify.eta)}, {"clip", text(clip)},
          {"variance", text(variance_name(r.purify))},
          {"scale", text(r.purify.scale == InputScale::None ? "none" : "sqrt_abar")}, {"seed", list(r.seeds)},
          {"noise-rng", text(to_string(o.noise.mode))}, {"seed-hash", text(seed_hash_name(o.noise.mode))}, {"t-base", std::to_string(r.t_base)},
          {"norm", text(r.pgd.norm == Norm::Linf ? "linf" : "l2")}, {"eps", list(r.eps)}, {"steps", std::to_string(r.pgd.steps)},
          {"rel-step", json_number(r.pgd.relative_step)}, {"abs-step", json_number(r.pgd.absolute_step)},
          {"random-start", flag(r.pgd.random_start)}, {"restarts", std::to_string(r.pgd.restarts)}, {"best-iterate", flag(r.pgd.best_iterate)},
          {"backward", text(backward_name(r.backward))}, {"rand", json_array(rand)}, {"test-seed", std::to_string(r.test_seed)},
          {"draws", std::to_string(r.draws)}, {"clamp-cr", flag(r.clamp_cr)}, {"skip-misclassified", flag(r.skip_misclassified)},
          {"predict", flag(r.predict)}, {"predict-steps", std::to_string(r.predict_steps)},
          {"attack", text(attack_name(r.attack.kind))}, {"apgd-steps", std::to_string(r.attack.apgd_steps)}, {"targets", std::to_string(r.attack.targets)},
          {"queries", std::to_string(r.attack.queries)}, {"square-p", json_number(r.attack.square_p)}, {"square-rescale", flag(r.attack.square_rescale)},
          {"samples", std::to_string(r.attack.samples)}, {"sigma", json_number(r.attack.sigma)}, {"learning-rate", json_number(r.attack.learning_rate)},
          {"eot", std::to_string(r.attack.eot.draws)}, {"eot-mode", text(eot_mode_name(r.attack.eot.mode))}, {"eot-average", flag(r.attack.eot.average)},
          {"batch", o.batch == kAutoBatch ? text("auto") : std::to_string(o.batch), ConfigRole::Free}, {"memory", text(o.purify.memory), ConfigRole::Free},
          {"purifier_sha256", text(purifier_sha), ConfigRole::Identity}, {"classifier_sha256", text(classifier_sha), ConfigRole::Identity},
          {"data_sha256", text(data.sha256), ConfigRole::Identity}};
  add_device(entries);
  return entries;
}

// A killed run may leave a half-written file under its temporary name (io/atomic_file); nothing refers to it.
void remove_leftovers(const std::string& folder) {
  std::error_code ignored;
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().filename().string().find(".tmp.") != std::string::npos) found.push_back(entry.path());
  for (const auto& path : found) std::filesystem::remove(path, ignored);
}

// The record without the checksum that the journal adds.
std::string without_crc(const std::string& line) {
  const size_t at = line.rfind(",\"crc\":");
  return at == std::string::npos ? line : line.substr(0, at) + "}";
}

// "000017.s0.t100.e0.031373.fixed": one image under one setting, in names of files.
std::string setting_name(const RecordId& id) {
  char name[128];
  std::string rand = id.kind.substr(id.kind.find(':') + 1);
  std::replace(rand.begin(), rand.end(), ':', '-');
  std::snprintf(name, sizeof name, "%06lld.s%lld.t%d.e%.6f.%s", static_cast<long long>(id.image), static_cast<long long>(id.seed), id.t, id.eps, rand.c_str());
  return name;
}

}  // namespace

const char* kind_name(RunKind kind) {
  switch (kind) {
    case RunKind::Attack: return "attack";
    case RunKind::Cr: return "cr";
    case RunKind::Predict: return "predict";
  }
  return "?";
}

std::string device_json() {
  return JsonLine().add("kind", device_kind(current_device())).add("name", device_name(current_device())).add("threads", thread_count()).text();
}

void add_device(std::vector<ConfigEntry>& config) {
  if (current_device() != Device::Cpu) config.push_back({"device", json_quote(device_kind(current_device()))});
}

Dataset load_run_data(const AttackOptions& o) {
  if (o.count >= 0) return load_dataset(o.data, o.first, o.count);
  // Not asked for: 100, or all if there are fewer.
  try {
    return load_dataset(o.data, o.first, 100);
  } catch (const Error& e) {
    if (e.code != kBadInput) throw;
    return load_dataset(o.data, o.first, -1);
  }
}

void check_run(const AttackOptions& o, const Dataset& data, const ClassifierShape& shape) {
  if (data.height != shape.height || data.width != shape.width)
    fail(kBadInput, "the images are " + std::to_string(data.height) + " x " + std::to_string(data.width) + ", the classifier takes " +
         std::to_string(shape.height) + " x " + std::to_string(shape.width), "--data " + o.data, "choose data and networks of one size");
  if (data.classes > shape.classes || (data.ranked && data.classes < shape.classes))
    fail(kBadInput, "the data has " + std::to_string(data.classes) + " classes, the classifier " + std::to_string(shape.classes), "--data " + o.data,
         data.ranked ? "a class number is the rank of its folder's name: have a folder for every class of the classifier, or give class numbers with "
                       "folder:DIR,LIST" : "choose a classifier for this data");
}

RunSink::RunSink(const AttackOptions& o, const Dataset& data, const std::string& purifier_sha, const std::string& classifier_sha,
                 const std::string& purifier_arch, const std::string& classifier_arch, const std::string& scalar, SinkPlan plan)
    : options_(o), plan_(std::move(plan)) {
  RunDescription d;
  d.program_version = program_version();
  d.numerics = "1";
  d.config = config(o, data, purifier_sha, classifier_sha, scalar);
  d.config.front().value = json_quote(name());
  for (const ConfigEntry& extra : plan_.extra) {
    std::erase_if(d.config, [&](const ConfigEntry& e) { return e.key == extra.key; });
    d.config.push_back(extra);
  }
  const std::string hash = config_hash(d.config);
  facts_ = {hash.substr(0, 8), o.run.pgd.norm == Norm::Linf ? "linf" : "l2", backward_name(o.run.backward), o.run.pgd, o.run.attack, o.run.test_seed};
  if (verifying()) {
    folder_ = o.verify_run;
    JournalOptions j;
    j.folder = folder_;
    j.run = facts_.run;
    j.resume = true;
    j.key = [](const JsonObject& r) { return record_id_key({r.get_string("kind"), r.get_int("img"), r.get_int("seed"), static_cast<int>(r.get_int("t")), r.get_double("eps")}); };
    journal_ = std::make_unique<Journal>(j);
    for (const std::string& line : journal_->records()) old_lines_.insert(without_crc(line));
    const int total = data.count(), k = std::min(o.sample, total);
    for (int i = 0; i < k; ++i) sample_.push_back(o.first + static_cast<int64_t>(i) * total / k);
    return;
  }
  std::vector<std::string> purification;
  for (const std::string& text : plan_.purification) purification.push_back(json_quote(text));
  for (int t : plan_.purification.empty() && o.purifier.weights != "none" ? o.run.t : std::vector<int>{}) {
    PurifyOptions p = o.run.purify;
    p.t = t;
    p.steps_reverse = o.run.steps_reverse;
    purification.push_back(json_quote(describe(p)));
  }
  std::vector<std::string> words;
  for (const std::string& w : o.command_line) words.push_back(json_quote(w));
  d.sections = {{"command_line", json_array(words)}, {"purifier", JsonLine().add("file", o.purifier.weights).add("arch", purifier_arch).text()},
                {"classifier", JsonLine().add("file", o.classifier.weights).add("arch", classifier_arch).text()},
                {"data", JsonLine().add("description", data.description).add("decoders", image_decoder_names()).text()},
                {"purification", json_array(purification)}, {"device", device_json()},
                {"env", environment_json()}};
  folder_ = o.out.empty() ? "runs/" + name() + "-" + facts_.run : o.out;
  dir_ = std::make_unique<RunDir>(folder_, d, RunOptions{o.resume, o.repair, o.force_mixed, 0, 1});
  write_text_atomic(dir_->file("config.resolved.toml"), config_text(o.command_line, config_toml(d.config)));
  remove_leftovers(folder_ + "/adv");
  remove_leftovers(folder_ + "/state");
  JournalOptions j = dir_->journal_options();
  j.key = [](const JsonObject& r) { return record_id_key({r.get_string("kind"), r.get_int("img"), r.get_int("seed"), static_cast<int>(r.get_int("t")), r.get_double("eps")}); };
  j.report = [this](const std::string& text) {
    std::fprintf(stderr, "note: %s\n", text.c_str());
    dir_->log(text);
  };
  journal_ = std::make_unique<Journal>(j);
  dir_->log(std::string(dir_->resumed() ? "resumed" : "started") + " with " + std::to_string(count()) + " records, pid " + std::to_string(getpid()));
  last_record = seconds_now();
  if (!o.common.quiet) {
    std::fprintf(stderr, "run %s in %s: %s on %s, %d threads, %s, noise %s\n", facts_.run.c_str(), folder_.c_str(), scalar.c_str(),
                 device_name(current_device()).c_str(), thread_count(), data.description.c_str(), to_string(o.noise.mode).c_str());
    std::fprintf(stderr, "purifier %s, classifier %s\n", purifier_arch.c_str(), classifier_arch.c_str());
    for (const std::string& p : purification) std::fprintf(stderr, "purify: %s\n", p.substr(1, p.size() - 2).c_str());
    std::fprintf(stderr, "budget: %s", facts_.norm.c_str());
    for (double e : o.run.eps) std::fprintf(stderr, " eps %.9f (%.4g/255)", e, e * 255);
    std::fprintf(stderr, ", %s: %s\n", attack_name(o.run.attack.kind), describe_attack(o.run.pgd, o.run.attack).c_str());
  }
}

const std::vector<std::string>& RunSink::records() const { return journal_->records(); }

int RunSink::count() const { return verifying() ? 0 : static_cast<int>(journal_->records().size()); }

bool RunSink::wants(const RecordId& id) const {
  if (!verifying()) return !journal_->contains(record_id_key(id));
  return std::find(sample_.begin(), sample_.end(), id.image) != sample_.end();
}

void RunSink::put(const RecordId& id, const std::string& line) {
  if (!verifying()) {
    journal_->append(line);
    const double now = seconds_now();
    dir_->append_timing(JsonLine().add("img", id.image).add("kind", id.kind).add("seed", id.seed).add("t", id.t).add("eps", id.eps)
                            .add("seconds", now - last_record).text());
    last_record = now;
    return;
  }
  ++compared_;
  if (old_lines_.count(line)) return;
  const bool there = journal_->contains(record_id_key(id));
  differences_.push_back(std::string(there ? "" : "no record of ") + "image " + std::to_string(id.image) + ", " + id.kind + ", t " + std::to_string(id.t) + ", seed " + std::to_string(id.seed));
}

std::string RunSink::adversarial_path(const RecordId& id) const {
  return folder_ + "/adv/" + setting_name(id) + ".npy";
}

std::string RunSink::gradient_path(const RecordId& id, int64_t step, int draw) const {
  std::filesystem::create_directories(folder_ + "/gradients");
  char name[64];
  std::snprintf(name, sizeof name, ".step%05lld.draw%02d.npy", static_cast<long long>(step), draw);
  return folder_ + "/gradients/" + setting_name(id) + name;
}

void RunSink::save_adversarial(const RecordId& setting, const AttackRecord& r, int channels, int height, int width) const {
  if (verifying()) return;
  std::filesystem::create_directories(folder_ + "/adv");
  RecordId id = setting;
  id.image = r.image;
  write_npy(adversarial_path(id), {channels, height, width}, r.adversarial.data());
}

std::vector<float> RunSink::load_adversarial(const RecordId& id) const {
  const std::string path = adversarial_path(id);
  return access(path.c_str(), F_OK) == 0 ? read_npy(path).as_float() : std::vector<float>();
}

std::string RunSink::state_key(const std::string& key, const std::vector<int64_t>& ids) const { return facts_.run + " " + key + " " + list(ids); }

void RunSink::make_state_folder() const { std::filesystem::create_directories(folder_ + "/state"); }

int RunSink::finish() {
  if (verifying()) {
    for (const std::string& d : differences_) print_out("differs: " + d + "\n");
    print_out("verify " + folder_ + ": " + std::to_string(compared_) + " of " + std::to_string(journal_->records().size()) + " records computed again (" +
              std::to_string(sample_.size()) + " images), " + std::to_string(differences_.size()) + " differ; the checksums of all are right\n");
    return differences_.empty() && compared_ > 0 ? kOk : kNegative;
  }
  journal_->finish();
  const bool json = options_.common.json;
  const std::vector<std::string>& records = journal_->records();
  const std::string rows = plan_.table ? plan_.table(records, true) : table_json(attack_table(records));
  dir_->write_summary(JsonLine().add("run", facts_.run).raw("rows", rows).add("mixed", dir_->mixed()).text());
  std::filesystem::remove(state_path());
  dir_->log("finished with " + std::to_string(count()) + " records");
  if (json) print_out(JsonLine().add("run", facts_.run).add("folder", folder_).raw("rows", rows).text() + "\n");
  else print_out(plan_.table ? plan_.table(records, false) : table_text(attack_table(records)) + suite_text(records));
  if (!options_.common.quiet)
    std::fprintf(stderr, "records: %s/results.0000of0001.jsonl%s\n", folder_.c_str(),
                 options_.kind == RunKind::Attack && plan_.command.empty() ? (", pictures: " + folder_ + "/grid.png").c_str() : "");
  return kOk;
}

int RunSink::stopped() {
  if (dir_) dir_->log("stopped with " + std::to_string(count()) + " records");
  std::fprintf(stderr, "stopped; nothing is lost. Go on with the same command and --resume --out %s\n", folder_.c_str());
  return kStopped;
}

}  // namespace purescope
