// protocol: adversarial images crafted under every kind of randomness, each judged under every rule, into a run directory that can be
// resumed. The sets of one setting (experiment/protocol_sets.h): no attack, fixed, other (fixed under the other seed), free, eot:N; or the
// given images.
#include <algorithm>
#include <chrono>
#include <optional>

#include "analysis/robustness.h"
#include "cli/protocol.h"
#include "cli/run_nets.h"
#include "cli/run_sink.h"
#include "core/check.h"
#include "experiment/protocol_sets.h"
#include "io/progress.h"
#include "io/signals.h"
#include "report/protocol_table.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

class ProtocolRunner {
 public:
  // `clean` may be null with --adv: then there is no control.
  ProtocolRunner(const ProtocolOptions& p, const Dataset* clean, const Dataset* given, Robustness& robustness, int batch, RunSink& sink)
      : p_(p), o_(p.run), clean_(clean), given_(given), robustness_(robustness), batch_(batch), sink_(sink), records_(sink),
        plans_(protocol_sets(p.run.run.attack.eot.draws, !p.no_other)) {
    if (!given) return;
    plans_.clear();
    if (clean) plans_.push_back({"none"});
    plans_.push_back({"adv"});
  }

  // False if stopped.
  bool run() {
    const int settings = static_cast<int>(o_.run.t.size() * o_.run.seeds.size() * o_.run.eps.size() * plans_.size());
    Progress progress("protocol", settings * count(), sink_.count(), progress_options(o_.common.quiet));
    bool going = true;
    for (double eps : o_.run.eps)
      for (int t : o_.run.t)
        for (int64_t seed : o_.run.seeds)
          for (const SetPlan& plan : plans_) going = going && one_set(plan, {"protocol:" + plan.name, 0, seed, t, eps}, progress);
    progress.finish();
    return going;
  }

 private:
  int count() const { return (clean_ ? clean_ : given_)->count(); }

  bool one_set(const SetPlan& plan, RecordId id, Progress& progress) {
    std::vector<int> missing;
    for (int i = 0; i < count(); ++i) {
      id.image = o_.first + i;
      if (sink_.wants(id)) missing.push_back(i);
    }
    ProtocolSettings settings;
    settings.other_seed = p_.test_seed < 0 ? id.seed + 1 : p_.test_seed;
    settings.tries = p_.tries;
    settings.eot_draws = o_.run.attack.eot.draws;
    settings.gradients = !given_;
    for (size_t first = 0; first < missing.size(); first += batch_) {
      if (stop_requested()) return false;
      const auto begin = std::chrono::steady_clock::now();
      const std::vector<int> picks(missing.begin() + first, missing.begin() + std::min(missing.size(), first + batch_));
      if (!protocol_batch(plan, id, images(plan, picks), settings, robustness_, records_)) return false;
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      for (size_t k = 0; k < picks.size(); ++k) progress.step(seconds / static_cast<double>(picks.size()));
    }
    return true;
  }

  ProtocolImages images(const SetPlan& plan, const std::vector<int>& picks) const {
    const Dataset& source = plan.name == "adv" ? *given_ : *clean_;
    ProtocolImages images;
    images.x = images_of(source, picks);
    if (plan.name == "adv" && clean_) images.clean = images_of(*clean_, picks);
    for (int i : picks) {
      images.labels.push_back(source.labels[i]);
      images.ids.push_back(o_.first + i);
      images.sources.push_back(source.sources[i]);
    }
    return images;
  }

  static Buffer images_of(const Dataset& data, const std::vector<int>& picks) {
    Buffer b(static_cast<int>(picks.size()), data.channels, data.height, data.width, Device::Cpu);
    for (size_t k = 0; k < picks.size(); ++k) std::copy_n(data.image(picks[k]), data.image_size(), b.view().image(static_cast<int>(k)));
    return b;
  }

  const ProtocolOptions& p_;
  const AttackOptions& o_;
  const Dataset *clean_, *given_;
  Robustness& robustness_;
  int batch_;
  RunSink& sink_;
  RunRecordSink records_;
  std::vector<SetPlan> plans_;
};

// The clean images and the given ones must be the same images.
void check_pair(const Dataset& clean, const Dataset& given) {
  if (clean.count() != given.count() || clean.labels != given.labels || clean.image_size() != given.image_size())
    fail(kBadInput, "the clean images do not belong to the adversarial ones", "--data and --adv", "give as many images of the same size with the same labels, in the same order");
}

}  // namespace

int run_protocol(const ProtocolOptions& p) {
  const AttackOptions& o = p.run;
  std::optional<Dataset> given, clean;
  if (!p.adv.empty()) given = load_dataset("npy:" + p.adv + "," + p.labels, o.first, o.count);
  if (!given) clean = load_run_data(o);
  else if (p.data_given) clean = load_dataset(o.data, o.first, given->count());
  if (given && clean) check_pair(*clean, *given);
  const Dataset& main = given ? *given : *clean;

  RunNets nets(o, main);
  const NoiseStream stream(o.noise.mode);
  Robustness robustness(nets.unet(), nets.base, nets.behind, o.run, stream, nets.batch, 0);

  install_stop_handlers();
  SinkPlan plan{"protocol",
                {{"other-seed", std::to_string(p.test_seed)}, {"tries", std::to_string(p.tries)}, {"no-other", p.no_other ? "true" : "false"},
                 {"control", given && clean ? "true" : "false"}, {"clean_sha256", json_quote(clean ? clean->sha256 : "none"), ConfigRole::Identity}},
                [](const std::vector<std::string>& records, bool json) { return json ? protocol_json(records) : protocol_text(records); }};
  RunSink sink(o, main, nets.purifier ? nets.purifier->params->sha256() : "none", nets.classifier.params->sha256(),
               nets.purifier ? nets.purifier->model.arch : "none", nets.classifier.model.arch, sizeof(real) == 8 ? "f64" : "f32", std::move(plan));
  if (given && !clean && !o.common.quiet) std::fprintf(stderr, "note: no control; --data with the clean images adds it\n");
  return ProtocolRunner(p, clean ? &*clean : nullptr, given ? &*given : nullptr, robustness, nets.batch, sink).run() ? sink.finish() : sink.stopped();
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
