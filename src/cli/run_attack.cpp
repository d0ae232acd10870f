// attack, cr and predict: every image under every (t, seed, eps), one record each, into a run directory that can be resumed.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "analysis/robustness.h"
#include "cli/attack_state.h"
#include "cli/attack_run.h"
#include "cli/commands.h"
#include "cli/run_nets.h"
#include "core/check.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "io/image_grid.h"
#include "io/npy.h"
#include "io/progress.h"
#include "io/signals.h"
#include "ops/ops.h"
#include "report/attack_table.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kGridImages = 8;   // rows of grid.png

// Images of one batch: [n,3,h,w] and what goes with them.
struct Batch {
  Buffer x;
  std::vector<int> labels;
  std::vector<int64_t> ids;
};

class Runner {
 public:
  Runner(const AttackOptions& o, const Dataset& data, Robustness& robustness, const RunFacts& facts, int batch, RunSink& sink)
      : o_(o), data_(data), robustness_(robustness), facts_(facts), batch_(batch), sink_(sink) {}

  // Everything that is missing; false if stopped.
  bool run(int progress_total) {
    Progress progress(std::string(kind_name(o_.kind)), progress_total, sink_.count(), progress_options(o_.common.quiet));
    progress_ = &progress;
    const bool clean_minima = o_.kind == RunKind::Predict || (o_.kind == RunKind::Attack && o_.run.predict);
    bool going = true;
    for (double eps : o_.run.eps) {
      if (going && clean_minima) going = batches({"minimum:clean", 0, 0, 0, eps}, [&](const RecordId& id, const Batch& b) { return minima(id, b, b.x.view()); });
      for (int t : o_.run.t)
        for (int64_t seed : o_.run.seeds) {
          if (going && o_.kind == RunKind::Attack)
            for (Rand rand : o_.run.rand)
              going = going && batches({"attack:" + rand_name(rand, o_.run.attack.eot.draws), 0, seed, t, eps},
                                       [&](const RecordId& id, const Batch& b) { return attack(id, rand, b); });
          if (going && o_.kind != RunKind::Attack)
            going = batches({"cr", 0, seed, t, eps}, [&](const RecordId& id, const Batch& b) { return compression(id, b); });
          if (going && o_.kind == RunKind::Predict)
            going = batches({"minimum:anchor", 0, seed, t, eps}, [&](const RecordId& id, const Batch& b) { return anchor_minima(id, b); });
        }
    }
    progress.finish();
    return going;
  }

 private:
  // Calls work(id, batch) for the images whose record is missing, batch by batch. work answers false when it was stopped.
  template <class Work>
  bool batches(RecordId id, const Work& work) {
    std::vector<int> missing;
    for (int i = 0; i < data_.count(); ++i) {
      id.image = o_.first + i;
      if (sink_.wants(id)) missing.push_back(i);
    }
    parts_ = (missing.size() + batch_ - 1) / batch_;
    for (size_t first = 0; first < missing.size(); first += batch_) {
      part_ = first / batch_ + 1;
      if (stop_requested()) return false;
      const Batch b = make_batch({missing.begin() + first, missing.begin() + std::min(missing.size(), first + batch_)});
      begin_ = std::chrono::steady_clock::now();
      if (!work(id, b)) return false;
    }
    return true;
  }

  Batch make_batch(const std::vector<int>& picks) const {
    Batch b;
    Buffer host(static_cast<int>(picks.size()), data_.channels, data_.height, data_.width, Device::Cpu);
    for (size_t k = 0; k < picks.size(); ++k) {
      std::copy_n(data_.image(picks[k]), data_.image_size(), host.view().image(static_cast<int>(k)));
      b.labels.push_back(data_.labels[picks[k]]);
      b.ids.push_back(o_.first + picks[k]);
    }
    b.x = on_device(std::move(host));
    return b;
  }

  std::string source(int64_t image) const { return data_.sources[image - o_.first]; }

  void put(RecordId id, int64_t image, int count, const std::string& line, std::optional<bool> robust = {}) {
    id.image = image;
    sink_.put(id, line);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count() / count;
    if (robust) progress_->step(seconds, *robust);
    else progress_->step(seconds);
  }

  bool attack(const RecordId& id, Rand rand, const Batch& b) {
    const std::string key = id.kind + " " + std::to_string(id.seed) + " " + std::to_string(id.t) + " " + std::to_string(id.eps);
    AttackCheckpoint checkpoint;
    sink_.load_state(key, b.ids, checkpoint);
    GradientObserver observe;
    if (o_.save_gradients)
      observe = [&](const NoiseSlot& slot, const real* gradient, size_t) {
        RecordId own = id;
        own.image = slot.image;
        sink_.save_gradient(own, slot.step, slot.draw, data_.channels, data_.height, data_.width, gradient);
      };
    const std::vector<AttackRecord> records =
        robustness_.attack({id.t, id.seed, id.eps, rand}, b.x.view(), b.labels, b.ids, &checkpoint, [] { return stop_requested(); }, observe);
    if (records.empty()) {
      sink_.save_state(key, b.ids, checkpoint);
      return false;
    }
    if (o_.run.attack.kind == AttackKind::Suite && !o_.common.quiet) suite_log(records);
    for (const AttackRecord& r : records) {
      if (o_.save_adv || r.image < o_.first + kGridImages) sink_.save_adversarial(id, r, data_.channels, data_.height, data_.width);
      RecordId own = id;
      own.image = r.image;
      put(id, r.image, b.x.view().n, attack_line(facts_, own, source(r.image), rand, r), r.robust);
    }
    return true;
  }

  // What each attack of the suite did to this batch, in the form of AutoAttack's log.
  void suite_log(const std::vector<AttackRecord>& records) const {
    auto broken = [&](int place) { return std::count_if(records.begin(), records.end(), [place](const AttackRecord& r) { return r.broken_by == place; }); };
    int standing = static_cast<int>(records.size() - broken(-2));
    for (size_t i = 0; i < suite_sequence().size(); ++i) {
      const int now = static_cast<int>(broken(static_cast<int>(i)));
      std::fprintf(stderr, "%s - %zu/%zu - %d out of %d successfully perturbed\n", attack_name(suite_sequence()[i]), part_, parts_, now, standing);
      standing -= now;
    }
  }

  bool compression(const RecordId& id, const Batch& b) {
    Buffer anchors(b.x.view().n, data_.channels, data_.height, data_.width);
    const std::vector<CompressionRate> rates = robustness_.compression(id.t, id.seed, id.eps, b.x.view(), b.ids, anchors.view());
    for (size_t n = 0; n < rates.size(); ++n) {
      RecordId own = id;
      own.image = b.ids[n];
      put(id, b.ids[n], b.x.view().n, cr_line(facts_, own, source(b.ids[n]), rates[n].mean, rates[n].standard_error, rates[n].eta_norm, rates[n].draws));
    }
    return true;
  }

  bool minima(const RecordId& id, const Batch& b, View at) {
    const std::vector<MinimumPerturbation> found = robustness_.minima(id.eps, id.seed, at, b.labels, b.ids);
    for (size_t n = 0; n < found.size(); ++n) {
      const MinimumPerturbation& m = found[n];
      std::vector<std::pair<double, bool>> probes;
      for (const Probe& p : m.probes) probes.push_back({p.budget, p.broken});
      RecordId own = id;
      own.image = b.ids[n];
      put(id, b.ids[n], b.x.view().n,
          minimum_line(facts_, own, source(b.ids[n]), b.labels[n], m.budget, m.censored, m.non_monotone, probes));
    }
    return true;
  }

  bool anchor_minima(const RecordId& id, const Batch& b) {
    Buffer anchors = robustness_.purified(id.t, id.seed, b.x.view(), b.ids);
    clamp_forward(0, 1, anchors.view(), anchors.view());
    return minima(id, b, anchors.view());
  }

  const AttackOptions& o_;
  const Dataset& data_;
  Robustness& robustness_;
  const RunFacts& facts_;
  int batch_;
  RunSink& sink_;
  Progress* progress_ = nullptr;
  size_t part_ = 0, parts_ = 0;   // batch in work, of how many
  std::chrono::steady_clock::time_point begin_;
};

// clean | adversarial and purified for every t*, one row per image: what a person would rather look at.
void write_grid(const AttackOptions& o, const Dataset& data, Robustness& robustness, const RunSink& sink) {
  const int rows = std::min(kGridImages, data.count()), stages = 1 + 2 * static_cast<int>(o.run.t.size());
  const std::string kind = "attack:" + rand_name(o.run.rand[0], o.run.attack.eot.draws);
  ImageGrid grid(rows, stages, data.height, data.width, std::max(1, 128 / data.height));
  std::vector<std::string> headings = {"clean"};
  for (int t : o.run.t) {
    headings.push_back("adv t" + std::to_string(t));
    headings.push_back("purified");
  }
  grid.set_headings(headings);
  for (int row = 0; row < rows; ++row) {
    grid.set(row, 0, data.image(row));
    for (size_t k = 0; k < o.run.t.size(); ++k) {
      const RecordId id{kind, o.first + row, o.run.seeds[0], o.run.t[k], o.run.eps[0]};
      const std::vector<float> adv = sink.load_adversarial(id);
      if (adv.size() != data.image_size()) continue;
      Buffer host(1, data.channels, data.height, data.width, Device::Cpu);
      std::copy(adv.begin(), adv.end(), host.data());
      const Buffer x = on_device(std::move(host));
      grid.set(row, 1 + 2 * static_cast<int>(k), adv.data());
      grid.set(row, 2 + 2 * static_cast<int>(k), to_host(robustness.purified(id.t, id.seed, x.view(), {id.image}).view()).data());
    }
  }
  grid.write(sink.folder() + "/grid.png");
}

int64_t record_total(const AttackOptions& o, int images) {
  const int64_t settings = static_cast<int64_t>(o.run.t.size() * o.run.seeds.size() * o.run.eps.size());
  const bool clean = o.kind == RunKind::Predict || (o.kind == RunKind::Attack && o.run.predict);
  const int64_t per = o.kind == RunKind::Attack ? o.run.rand.size() : o.kind == RunKind::Cr ? 1 : 2;
  return images * (settings * per + (clean ? static_cast<int64_t>(o.run.eps.size()) : 0));
}

}  // namespace

int run_attack(const AttackOptions& o) {
  Dataset data = load_run_data(o);
  RunNets nets(o, data);
  const NoiseStream stream(o.noise.mode);
  const size_t keep = apply_memory(o.purify.memory, nets.unet(), nets.base, nets.behind, nets.batch, o.run.t.back());
  Robustness robustness(nets.unet(), nets.base, nets.behind, o.run, stream, nets.batch, keep);

  install_stop_handlers();   // before the run directory exists, so that no run dies half-made
  RunSink sink(o, data, nets.purifier ? nets.purifier->params->sha256() : "none", nets.classifier.params->sha256(),
               nets.purifier ? nets.purifier->model.arch : "none", nets.classifier.model.arch, sizeof(real) == 8 ? "f64" : "f32");
  const RunFacts facts = sink.facts();
  const bool finished = Runner(o, data, robustness, facts, nets.batch, sink).run(static_cast<int>(record_total(o, data.count())));
  if (!finished) return sink.stopped();
  if (o.kind == RunKind::Attack && !sink.verifying()) write_grid(o, data, robustness, sink);
  return sink.finish();
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
