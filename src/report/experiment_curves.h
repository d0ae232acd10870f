// Records that hold a list per image (a number for every state of a chain): means over images, and words for them.
#pragma once
#include <string>
#include <vector>

#include "report/experiment_tools.h"

namespace purescope {

using Curves = std::vector<std::vector<double>>;  // [image][place]

// An array field of every record, in the order of the images; all equally long (exit 65 otherwise).
Curves curves_of(const RecordGroup& group, const std::string& field);
// The k-th number of every image, those that are finite.
std::vector<double> column_of(const Curves& curves, size_t k);
std::vector<double> last_of(const Curves& curves);
// Per image: f of its curve.
template <class F>
std::vector<double> per_image(const Curves& curves, const F& f) {
  std::vector<double> list;
  for (const auto& c : curves) list.push_back(f(c));
  return list;
}
// c[k + 1] / c[k] of every image.
Curves ratios(const Curves& curves);
// Mean over images at every x, with its 95 % interval as band.
Series curve_series(const std::string& name, const std::vector<double>& x, const Curves& curves,
                    Series::Kind kind = Series::Line);

// The unit KIND:SAMPLER (sampler -1: KIND alone) at this seed and t*, with the first budget.
ExperimentUnit inside_unit(const ExperimentOptions& options, const std::string& kind, int64_t seed, int t, int sampler,
                           int images, const Passes& passes);

// "0.231 +- 0.046 (n 32)": mean and standard deviation over images.
std::string spread_words(const std::vector<double>& values, int decimals);
// "0.103 [0.080, 0.126] (n 32)": mean of the differences second - first, image by image, with its bootstrap interval
// (core/fits.h).
std::string difference_words(const std::vector<double>& first, const std::vector<double>& second, int decimals);
// -1, 0, 1: does that interval lie below, around or above zero? 0 also for fewer than two images.
int difference_sign(const std::vector<double>& first, const std::vector<double>& second);

}  // namespace purescope
