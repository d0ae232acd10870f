// protocol: adversarial images crafted under every kind of randomness, each judged under every rule, into a run directory that can be
// resumed. The sets of one setting, in this order: no attack, fixed, other (fixed under the other seed), free, eot:N; or the given images.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "analysis/robustness.h"
#include "cli/attack_state.h"
#include "cli/attack_run.h"
#include "cli/load.h"
#include "cli/protocol.h"
#include "core/check.h"
#include "core/hash.h"
#include "io/progress.h"
#include "io/signals.h"
#include "report/protocol_table.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// <a, b> / (|a| |b|); NaN where one is zero.
double cosine(const real* a, const real* b, size_t size) {
  accum ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < size; ++i) {
    ab += static_cast<accum>(a[i]) * b[i];
    aa += static_cast<accum>(a[i]) * a[i];
    bb += static_cast<accum>(b[i]) * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : kNone;
}

struct SetPlan { std::string name; Rand rand; bool crafted, other; };

class ProtocolRunner {
 public:
  // `clean` may be null with --adv: then there is no control.
  ProtocolRunner(const ProtocolOptions& p, const Dataset* clean, const Dataset* given, Robustness& robustness, int batch, RunSink& sink)
      : p_(p), o_(p.run), clean_(clean), given_(given), robustness_(robustness), batch_(batch), sink_(sink) {
    if (clean) plans_.push_back({"none", Rand::Fixed, false, false});
    if (given) { plans_.push_back({"adv", Rand::Fixed, false, false}); return; }
    plans_.push_back({"fixed", Rand::Fixed, true, false});
    if (!p.no_other) plans_.push_back({"other", Rand::Fixed, true, true});
    plans_.push_back({"free", Rand::Free, true, false});
    if (o_.run.attack.eot.draws > 1) plans_.push_back({rand_name(Rand::Eot, o_.run.attack.eot.draws), Rand::Eot, true, false});
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
    for (size_t first = 0; first < missing.size(); first += batch_) {
      if (stop_requested()) return false;
      const auto begin = std::chrono::steady_clock::now();
      const std::vector<int> picks(missing.begin() + first, missing.begin() + std::min(missing.size(), first + batch_));
      if (!one_batch(plan, id, picks)) return false;
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      for (size_t k = 0; k < picks.size(); ++k) progress.step(seconds / static_cast<double>(picks.size()));
    }
    return true;
  }

  bool one_batch(const SetPlan& plan, RecordId id, const std::vector<int>& picks) {
    const Dataset& source = plan.name == "adv" ? *given_ : *clean_;
    Buffer x = images_of(source, picks), adversarial = images_of(source, picks);
    const Mirror there(x.view(), current_device());
    std::vector<int> labels;
    std::vector<int64_t> ids;
    for (int i : picks) {
      labels.push_back(source.labels[i]);
      ids.push_back(o_.first + i);
    }
    const int64_t other = p_.test_seed < 0 ? id.seed + 1 : p_.test_seed, own = plan.other ? other : id.seed, foreign = plan.other ? id.seed : other;
    std::vector<ProtocolRecord> records(picks.size());
    if (plan.crafted) {
      const std::string key = id.kind + " " + std::to_string(id.seed) + " " + std::to_string(id.t) + " " + std::to_string(id.eps);
      AttackCheckpoint checkpoint;
      sink_.load_state(key, ids, checkpoint);
      AttackResult result = robustness_.craft({id.t, own, id.eps, plan.rand}, there.view(), labels, ids, &checkpoint, [] { return stop_requested(); });
      if (result.stopped) {
        sink_.save_state(key, ids, checkpoint);
        return false;
      }
      const Mirror crafted(result.adversarial.view());
      for (size_t i = 0; i < adversarial.size(); ++i) adversarial.data()[i] = static_cast<float>(crafted.data()[i]);   // as stored
      for (size_t n = 0; n < records.size(); ++n) {
        records[n].forwards = static_cast<int64_t>(result.images[n].forwards);
        records[n].backwards = static_cast<int64_t>(result.images[n].backwards);
        if (result.images[n].not_finite) records[n].status = "nan";
      }
    }
    judge(id.t, own, foreign, Mirror(adversarial.view(), current_device()).view(), labels, ids, records);
    if (plan.name == "none" && !given_) gradients(id.t, own, foreign, there.view(), labels, ids, records);
    const Buffer against = plan.name == "adv" && clean_ ? images_of(*clean_, picks) : images_of(source, picks);
    for (size_t n = 0; n < records.size(); ++n) {
      id.image = ids[n];
      records[n].label = labels[n];
      records[n].test_seed = other;
      finish(plan, id, against.view().images(static_cast<int>(n), 1), adversarial.view().images(static_cast<int>(n), 1), source.sources[picks[n]], records[n]);
    }
    return true;
  }

  // Predictions under every rule's noise.
  void judge(int t, int64_t own, int64_t foreign, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids, std::vector<ProtocolRecord>& records) {
    const std::vector<int> fixed = robustness_.predict(t, own, 0, x, labels, ids), transfer = robustness_.predict(t, foreign, 0, x, labels, ids);
    std::vector<std::vector<int>> tries;
    for (int m = 0; m < p_.tries; ++m) tries.push_back(robustness_.predict(t, own, test_draw(m), x, labels, ids));
    for (size_t n = 0; n < records.size(); ++n) {
      ProtocolRecord& r = records[n];
      r.pred_fixed = fixed[n];
      r.pred_transfer = transfer[n];
      for (const std::vector<int>& one : tries) r.tries.push_back(one[n]);
      r.cos_fixed = r.grad_cos_transfer = r.grad_cos_eot = kNone;
      if (fixed[n] < 0 || transfer[n] < 0 || std::count_if(r.tries.begin(), r.tries.end(), [](int v) { return v < 0; })) r.status = "nan";
    }
  }

  // Cosines between the gradients at x: fixed noise against that of the other seed, and against the mean over fresh draws.
  void gradients(int t, int64_t own, int64_t foreign, View x, const std::vector<int>& labels, const std::vector<int64_t>& ids, std::vector<ProtocolRecord>& records) {
    const int draws = std::max(o_.run.attack.eot.draws, 1);
    const auto at = [&](int64_t seed, uint64_t draw, int count) { return to_host(robustness_.gradient(t, seed, draw, count, x, labels, ids).view()); };
    const std::vector<real> fixed = at(own, 0, 1), other = at(foreign, 0, 1), eot = at(own, eot_draw(0, draws, 0), draws);
    const size_t size = x.image_size();
    for (size_t n = 0; n < records.size(); ++n) {
      records[n].grad_cos_transfer = cosine(fixed.data() + n * size, other.data() + n * size, size);
      records[n].grad_cos_eot = cosine(fixed.data() + n * size, eot.data() + n * size, size);
    }
  }

  // Norms, the cosine with the perturbation of the set `fixed`, the image on disk and the record.
  void finish(const SetPlan& plan, const RecordId& id, View x, View adversarial, const std::string& source, ProtocolRecord& r) {
    const size_t size = x.image_size();
    AttackRecord image;
    image.image = id.image;
    image.adversarial.assign(adversarial.data, adversarial.data + size);
    r.xadv_sha = sha256_hex(image.adversarial.data(), size * sizeof(float)).substr(0, 16);
    r.linf = linf_distances(adversarial, x)[0];
    r.l2 = l2_distances(adversarial, x)[0];
    if (plan.crafted && plan.name != "fixed") {
      RecordId fixed = id;
      fixed.kind = "protocol:fixed";
      const std::vector<float> theirs = sink_.load_adversarial(fixed);
      if (theirs.size() != size) fail(kBadInput, "the images of the set fixed are gone", sink_.folder() + "/adv", "start again with another --out");
      std::vector<real> a(size), b(size);
      for (size_t i = 0; i < size; ++i) {
        a[i] = static_cast<real>(adversarial.data[i] - x.data[i]);
        b[i] = static_cast<real>(theirs[i] - x.data[i]);
      }
      r.cos_fixed = cosine(a.data(), b.data(), size);
    }
    if (plan.crafted) sink_.save_adversarial(id, image, x.c, x.h, x.w);
    sink_.put(id, protocol_line(sink_.facts(), id, source, r));
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

  std::optional<LoadedNet> purifier;
  if (o.purifier.weights != "none") purifier = load_purifier(o.purifier, o.common);
  const LoadedNet classifier = load_classifier(o.classifier, o.common);
  check_run(o, main, {classifier.image().h, classifier.image().w, classifier.outputs()});
  if (purifier)
    for (int t : o.run.t) check_t_max(*purifier, t, o.common.force);
  std::optional<Net> unet;
  if (purifier) unet.emplace(purifier->make_net());
  Net base = classifier.make_net(), behind = classifier.make_net();
  const int batch = o.batch ? o.batch : purifier && purifier->image().h * purifier->image().w > 32 * 32 ? 1 : 8;
  const NoiseStream stream(o.noise.mode);
  Robustness robustness(unet ? &*unet : nullptr, base, behind, o.run, stream, batch, 0);

  install_stop_handlers();
  SinkPlan plan{"protocol",
                {{"other-seed", std::to_string(p.test_seed)}, {"tries", std::to_string(p.tries)}, {"no-other", p.no_other ? "true" : "false"},
                 {"control", given && clean ? "true" : "false"}, {"clean_sha256", json_quote(clean ? clean->sha256 : "none"), ConfigRole::Identity}},
                [](const std::vector<std::string>& records, bool json) { return json ? protocol_json(records) : protocol_text(records); }};
  RunSink sink(o, main, purifier ? purifier->params->sha256() : "none", classifier.params->sha256(), purifier ? purifier->model.arch : "none",
               classifier.model.arch, sizeof(real) == 8 ? "f64" : "f32", std::move(plan));
  if (given && !clean && !o.common.quiet) std::fprintf(stderr, "note: no control; --data with the clean images adds it\n");
  return ProtocolRunner(p, clean ? &*clean : nullptr, given ? &*given : nullptr, robustness, batch, sink).run() ? sink.finish() : sink.stopped();
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
