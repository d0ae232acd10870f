// What every experiment works with: networks, images, noise, options and the sink of its records; and the loop over units and images.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analysis/robustness.h"
#include "data/dataset.h"
#include "experiment/record_sink.h"
#include "io/progress.h"
#include "report/experiment.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Some images of a unit: x [n,3,h,w] in [0,1] on the device; ids are their positions in the source, which key the noise.
struct ExperimentBatch {
  Buffer x;
  std::vector<int> labels;
  std::vector<int64_t> ids;
};

class Workbench {
 public:
  // `base` and `behind` are two nets of the same classifier. The sink and all others must outlive this.
  Workbench(const ExperimentOptions& options, const Dataset& data, int64_t first, Net& unet, Net& base, Net& behind, const NoiseStream& stream,
            int batch, size_t memory_reals, RecordSink& sink)
      : options(options), data(data), first(first), unet(unet), base(base), behind(behind), stream(stream), batch(batch), sink(sink), memory_reals_(memory_reals) {}

  // The chain of this sampler at this t*, with the attacks and measures that belong to it; -1: the classifier alone. Valid until the
  // next call with another one: the networks are planned for one chain at a time.
  Robustness& robustness(int sampler, int t);
  // The same networks for a purifier of one's own: what robustness() gave is no longer valid.
  Net& free_unet();

  // Images `picks` (counted from the first measured one).
  ExperimentBatch make_batch(const std::vector<int>& picks) const;
  std::string source(int64_t image) const { return data.sources[image - first]; }
  // The beginning of a record of this unit; the same with further fields goes to put().
  JsonLine line(const ExperimentUnit& unit, int64_t image) const { return experiment_line(sink.facts(), options, unit, image, source(image)); }
  void put(const ExperimentUnit& unit, int64_t image, const std::string& text);
  // Where a unit's attack may be interrupted: its name in the run directory.
  static std::string state_key(const ExperimentUnit& unit);

  const ExperimentOptions& options;
  const Dataset& data;
  const int64_t first;               // position of data's first image in its source
  Net &unet, &base, &behind;
  const NoiseStream& stream;
  const int batch;                   // images per pass
  RecordSink& sink;

 private:
  size_t memory_reals_;
  int sampler_ = -2, t_ = -1;
  RobustnessOptions robustness_options_;
  std::unique_ptr<Robustness> robustness_;
};

// Measures what the sink still wants of these units, batch by batch, one record per image; false if stopped.
bool run_units(ExperimentKind kind, Workbench& bench, const std::vector<ExperimentUnit>& units, Progress& progress);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
