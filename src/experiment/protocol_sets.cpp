#include "experiment/protocol_sets.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/hash.h"
#include "experiment/measure.h"
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

// Everything that one batch of one set is made of.
struct Job {
  const SetPlan& plan;
  const ProtocolImages& images;
  const ProtocolSettings& settings;
  Robustness& robustness;
  RecordSink& sink;
  int64_t own, foreign;               // the seed of the crafting, and the one of transfer
};

// The set's images as they are stored, in `adversarial`; false if stopped.
bool craft(const Job& job, const RecordId& id, View x, Buffer& adversarial, std::vector<ProtocolRecord>& records) {
  const std::string key = id.kind + " " + std::to_string(id.seed) + " " + std::to_string(id.t) + " " + std::to_string(id.eps);
  AttackCheckpoint checkpoint;
  job.sink.load_state(key, job.images.ids, checkpoint);
  const AttackResult result = job.robustness.craft({id.t, job.own, id.eps, job.plan.rand}, x, job.images.labels, job.images.ids, &checkpoint, [] { return stop_requested(); });
  if (result.stopped) {
    job.sink.save_state(key, job.images.ids, checkpoint);
    return false;
  }
  const Mirror crafted(result.adversarial.view());
  for (size_t i = 0; i < adversarial.size(); ++i) adversarial.data()[i] = static_cast<float>(crafted.data()[i]);
  for (size_t n = 0; n < records.size(); ++n) {
    records[n].forwards = static_cast<int64_t>(result.images[n].forwards);
    records[n].backwards = static_cast<int64_t>(result.images[n].backwards);
    if (result.images[n].not_finite) records[n].status = "nan";
  }
  return true;
}

// Predictions under every rule's noise.
void judge(const Job& job, int t, View x, std::vector<ProtocolRecord>& records) {
  const auto predict = [&](int64_t seed, uint64_t draw) { return job.robustness.predict(t, seed, draw, x, job.images.labels, job.images.ids); };
  const std::vector<int> fixed = predict(job.own, 0), transfer = predict(job.foreign, 0);
  std::vector<std::vector<int>> tries;
  for (int m = 0; m < job.settings.tries; ++m) tries.push_back(predict(job.own, test_draw(m)));
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
void gradients(const Job& job, int t, View x, std::vector<ProtocolRecord>& records) {
  const int draws = std::max(job.settings.eot_draws, 1);
  const auto at = [&](int64_t seed, uint64_t draw, int count) {
    return to_host(job.robustness.gradient(t, seed, draw, count, x, job.images.labels, job.images.ids).view());
  };
  const std::vector<real> fixed = at(job.own, 0, 1), other = at(job.foreign, 0, 1), eot = at(job.own, eot_draw(0, draws, 0), draws);
  const size_t size = x.image_size();
  for (size_t n = 0; n < records.size(); ++n) {
    records[n].grad_cos_transfer = cosine(fixed.data() + n * size, other.data() + n * size, size);
    records[n].grad_cos_eot = cosine(fixed.data() + n * size, eot.data() + n * size, size);
  }
}

// Norms, the cosine with the perturbation of the set `fixed`, the image on disk and the record.
void finish(const Job& job, const RecordId& id, View x, View adversarial, const std::string& source, ProtocolRecord& r) {
  const size_t size = x.image_size();
  const std::vector<float> image(adversarial.data, adversarial.data + size);
  r.xadv_sha = sha256_hex(image.data(), size * sizeof(float)).substr(0, 16);
  r.linf = linf_distances(adversarial, x)[0];
  r.l2 = l2_distances(adversarial, x)[0];
  if (job.plan.crafted && job.plan.name != "fixed") {
    RecordId fixed = id;
    fixed.kind = "protocol:fixed";
    const std::vector<float> theirs = job.sink.load_image(fixed);
    if (theirs.size() != size) fail(kBadInput, "the images of the set fixed are gone", job.sink.folder() + "/adv", "start again with another --out");
    std::vector<real> a(size), b(size);
    for (size_t i = 0; i < size; ++i) {
      a[i] = static_cast<real>(adversarial.data[i] - x.data[i]);
      b[i] = static_cast<real>(theirs[i] - x.data[i]);
    }
    r.cos_fixed = cosine(a.data(), b.data(), size);
  }
  if (job.plan.crafted) job.sink.save_image(id, image, x.c, x.h, x.w);
  const std::string line = protocol_line(job.sink.facts(), id, source, r);
  job.sink.put(id, job.settings.fields.text() == "{}" ? line : with_fields(line, job.settings.fields));
}

}  // namespace

std::vector<SetPlan> protocol_sets(int eot_draws, bool with_other) {
  std::vector<SetPlan> plans = {{"none", Rand::Fixed, false, false}, {"fixed", Rand::Fixed, true, false}};
  if (with_other) plans.push_back({"other", Rand::Fixed, true, true});
  plans.push_back({"free", Rand::Free, true, false});
  if (eot_draws > 1) plans.push_back({rand_name(Rand::Eot, eot_draws), Rand::Eot, true, false});
  return plans;
}

bool protocol_batch(const SetPlan& plan, RecordId id, const ProtocolImages& images, const ProtocolSettings& settings, Robustness& robustness, RecordSink& sink) {
  const Job job{plan, images, settings, robustness, sink, plan.other ? settings.other_seed : id.seed, plan.other ? id.seed : settings.other_seed};
  const View x = images.x.view(), clean = images.clean.size() ? images.clean.view() : x;
  Buffer adversarial(x.n, x.c, x.h, x.w, Device::Cpu);
  std::copy_n(x.data, adversarial.size(), adversarial.data());
  const Mirror there(x, current_device());
  std::vector<ProtocolRecord> records(images.ids.size());
  if (plan.crafted && !craft(job, id, there.view(), adversarial, records)) return false;
  judge(job, id.t, Mirror(adversarial.view(), current_device()).view(), records);
  if (plan.name == "none" && settings.gradients) gradients(job, id.t, there.view(), records);
  for (size_t n = 0; n < records.size(); ++n) {
    id.image = images.ids[n];
    records[n].label = images.labels[n];
    records[n].test_seed = settings.other_seed;
    finish(job, id, clean.images(static_cast<int>(n), 1), adversarial.view().images(static_cast<int>(n), 1), images.sources[n], records[n]);
  }
  return true;
}

bool measure_protocol(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const ExperimentOptions& o = w.options;
  const std::vector<SetPlan> plans = protocol_sets(o.run.attack.eot.draws, true);
  const std::string set = u.id.kind.substr(u.id.kind.find(':') + 1);
  const auto plan = std::find_if(plans.begin(), plans.end(), [&](const SetPlan& p) { return p.name == set; });
  PURESCOPE_REQUIRE(plan != plans.end());
  ProtocolImages images;
  const View x = b.x.view();
  images.x = Buffer(x.n, x.c, x.h, x.w, Device::Cpu);
  transfer(x, images.x.view());
  images.labels = b.labels;
  images.ids = b.ids;
  for (int64_t id : b.ids) images.sources.push_back(w.source(id));
  ProtocolSettings s;
  s.other_seed = o.test_seed < 0 ? u.id.seed + 1 : o.test_seed;
  s.tries = o.tries;
  s.eot_draws = o.run.attack.eot.draws;
  s.fields.add("sampler", o.samplers[u.sampler].name).add("reverse_steps", purify_at(o, u.sampler, u.id.t).reverse_count());
  return protocol_batch(*plan, u.id, images, s, w.robustness(u.sampler, u.id.t), w.sink);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
