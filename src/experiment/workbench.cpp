#include "experiment/workbench.h"

#include <algorithm>
#include <chrono>

#include "experiment/measure.h"
#include "io/signals.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

Robustness& Workbench::robustness(int sampler, int t) {
  if (sampler == sampler_ && t == t_ && robustness_) return *robustness_;
  robustness_.reset();
  robustness_options_ = options.run;
  if (sampler >= 0) {
    robustness_options_.purify = purify_at(options, sampler, t);
    robustness_options_.steps_reverse = robustness_options_.purify.steps_reverse;
  }
  robustness_ = std::make_unique<Robustness>(sampler >= 0 ? &unet : nullptr, base, behind, robustness_options_, stream, batch, memory_reals_);
  sampler_ = sampler;
  t_ = t;
  return *robustness_;
}

Net& Workbench::free_unet() {
  robustness_.reset();
  return unet;
}

ExperimentBatch Workbench::make_batch(const std::vector<int>& picks) const {
  ExperimentBatch b;
  Buffer host(static_cast<int>(picks.size()), data.channels, data.height, data.width, Device::Cpu);
  for (size_t k = 0; k < picks.size(); ++k) {
    std::copy_n(data.image(picks[k]), data.image_size(), host.view().image(static_cast<int>(k)));
    b.labels.push_back(data.labels[picks[k]]);
    b.ids.push_back(first + picks[k]);
  }
  b.x = on_device(std::move(host));
  return b;
}

void Workbench::put(const ExperimentUnit& unit, int64_t image, const std::string& text) {
  RecordId id = unit.id;
  id.image = image;
  sink.put(id, text);
}

std::string Workbench::state_key(const ExperimentUnit& u) {
  return u.id.kind + " " + std::to_string(u.id.seed) + " " + std::to_string(u.id.t) + " " + std::to_string(u.id.eps);
}

bool run_units(ExperimentKind kind, Workbench& w, const std::vector<ExperimentUnit>& units, Progress& progress) {
  for (const ExperimentUnit& unit : units) {
    std::vector<int> missing;
    RecordId id = unit.id;
    for (int i = 0; i < unit.images; ++i) {
      id.image = w.first + i;
      if (w.sink.wants(id)) missing.push_back(i);
    }
    for (size_t at = 0; at < missing.size(); at += w.batch) {
      if (stop_requested()) return false;
      const auto begin = std::chrono::steady_clock::now();
      const std::vector<int> picks(missing.begin() + at, missing.begin() + std::min(missing.size(), at + w.batch));
      if (!measure(kind, w, unit, w.make_batch(picks))) return false;
      const double each = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / static_cast<double>(picks.size());
      for (size_t k = 0; k < picks.size(); ++k) progress.step(each);
    }
  }
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
