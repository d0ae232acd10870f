// The passes that most experiments are made of: compression rates, attacks, minimum perturbations.
#include <algorithm>

#include "core/check.h"
#include "experiment/measure.h"
#include "io/signals.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// What experiment_line() adds to the lines of attack, cr and predict.
JsonLine chain_fields(const Workbench& w, const ExperimentUnit& u) {
  const bool none = u.sampler < 0;
  return JsonLine().add("sampler", none ? "none" : w.options.samplers[u.sampler].name)
      .add("reverse_steps", none ? 0 : purify_at(w.options, u.sampler, u.id.t).reverse_count());
}

RecordId id_of(const ExperimentUnit& u, int64_t image) {
  RecordId id = u.id;
  id.image = image;
  return id;
}

bool rates(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  Robustness& r = w.robustness(u.sampler, u.id.t);
  const View x = b.x.view();
  Buffer anchors(x.n, x.c, x.h, x.w);
  const std::vector<CompressionRate> found = r.compression(u.id.t, u.id.seed, u.id.eps, x, b.ids, anchors.view());
  const std::vector<int> clean = r.classify(x), anchor = r.predict(u.id.t, u.id.seed, 0, x, b.labels, b.ids);
  affine_forward(0.5, anchors.view(), 0, {}, 0.5, anchors.view());
  const std::vector<double> away = l2_distances(anchors.view(), x);
  for (size_t n = 0; n < found.size(); ++n) {
    const std::string line = cr_line(w.sink.facts(), id_of(u, b.ids[n]), w.source(b.ids[n]), found[n].mean, found[n].standard_error, found[n].eta_norm, found[n].draws);
    w.put(u, b.ids[n], with_fields(with_fields(line, chain_fields(w, u)),
                                   JsonLine().add("label", b.labels[n]).add("pred_clean", clean[n]).add("pred_anchor", anchor[n]).add("l2_anchor", away[n])));
  }
  return true;
}

bool attacks(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  AttackCheckpoint checkpoint;
  w.sink.load_state(Workbench::state_key(u), b.ids, checkpoint);
  const std::vector<AttackRecord> records = w.robustness(u.sampler, u.id.t).attack({u.id.t, u.id.seed, u.id.eps, u.rand}, b.x.view(), b.labels, b.ids, &checkpoint,
                                                                                   [] { return stop_requested(); });
  if (records.empty()) {
    w.sink.save_state(Workbench::state_key(u), b.ids, checkpoint);
    return false;
  }
  const View x = b.x.view();
  for (const AttackRecord& r : records) {
    const RecordId id = id_of(u, r.image);
    if (u.keep_images) w.sink.save_image(id, r.adversarial, x.c, x.h, x.w);
    w.put(u, r.image, with_fields(attack_line(w.sink.facts(), id, w.source(r.image), u.rand, r), chain_fields(w, u)));
  }
  return true;
}

bool minima(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b, View at) {
  const std::vector<MinimumPerturbation> found = w.robustness(u.sampler, u.id.t).minima(u.id.eps, u.id.seed, at, b.labels, b.ids);
  for (size_t n = 0; n < found.size(); ++n) {
    const MinimumPerturbation& m = found[n];
    std::vector<std::pair<double, bool>> probes;
    for (const Probe& p : m.probes) probes.push_back({p.budget, p.broken});
    const std::string line = minimum_line(w.sink.facts(), id_of(u, b.ids[n]), w.source(b.ids[n]), b.labels[n], m.budget, m.censored, m.non_monotone, probes);
    w.put(u, b.ids[n], with_fields(line, chain_fields(w, u)));
  }
  return true;
}

bool anchor_minima(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  Buffer anchors = w.robustness(u.sampler, u.id.t).purified(u.id.t, u.id.seed, b.x.view(), b.ids);
  clamp_forward(0, 1, anchors.view(), anchors.view());
  return minima(w, u, b, anchors.view());
}

}  // namespace

bool measure_passes(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const std::string& kind = u.id.kind;
  if (kind.starts_with("cr:")) return rates(w, u, b);
  if (kind.starts_with("attack:")) return attacks(w, u, b);
  if (kind.starts_with("minimum:anchor:")) return anchor_minima(w, u, b);
  PURESCOPE_REQUIRE(kind == "minimum:clean");
  return minima(w, u, b, b.x.view());
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
