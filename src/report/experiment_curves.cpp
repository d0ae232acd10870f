#include "report/experiment_curves.h"

#include <cmath>

#include "core/check.h"
#include "core/fits.h"
#include "report/audit_records.h"

namespace purescope {
Curves curves_of(const RecordGroup& group, const std::string& field) {
  Curves curves;
  for (const auto& [image, record] : group.records) {
    curves.push_back(json_numbers(record->raw(field)));
    if (curves.back().size() != curves.front().size())
      fail(kBadInput, "records of one setting have lists of different lengths",
           field + " of image " + std::to_string(image), "measure again into a new run directory");
  }
  return curves;
}

std::vector<double> column_of(const Curves& curves, size_t k) {
  std::vector<double> list;
  for (const auto& c : curves)
    if (k < c.size() && std::isfinite(c[k])) list.push_back(c[k]);
  return list;
}

std::vector<double> last_of(const Curves& curves) {
  return curves.empty() ? std::vector<double>() : column_of(curves, curves[0].size() - 1);
}

Curves ratios(const Curves& curves) {
  Curves result;
  for (const auto& c : curves) {
    result.emplace_back();
    for (size_t k = 0; k + 1 < c.size(); ++k) result.back().push_back(c[k + 1] / c[k]);
  }
  return result;
}

Series curve_series(const std::string& name, const std::vector<double>& x, const Curves& curves, Series::Kind kind) {
  Series s = make_series(kind, name);
  bool band = curves.size() > 1;  // of all points or of none
  for (size_t k = 0; k < x.size(); ++k) {
    const std::vector<double> values = column_of(curves, k);
    band = band && (values.empty() || values.size() > 1);
  }
  for (size_t k = 0; k < x.size(); ++k) {
    const Cell c = mean_cell(column_of(curves, k));
    if (std::isfinite(c.value)) add_point(s, x[k], c.value, band ? c.low : kNoNumber, band ? c.high : kNoNumber);
  }
  return s;
}

ExperimentUnit inside_unit(const ExperimentOptions& o, const std::string& kind, int64_t seed, int t, int sampler,
                           int images, const Passes& passes) {
  ExperimentUnit u;
  u.id.kind = sampler < 0 ? kind : kind + ":" + o.samplers[sampler].name;
  u.id.seed = seed;
  u.id.t = t;
  u.id.eps = o.run.eps[0];
  u.sampler = sampler;
  u.images = images;
  u.passes = passes;
  return u;
}

std::string spread_words(const std::vector<double>& values, int decimals) {
  if (values.empty()) return "- (n 0)";
  const std::string spread = values.size() > 1 ? " +- " + number_words(standard_deviation(values), decimals) : "";
  return number_words(mean(values), decimals) + spread + " (n " + std::to_string(values.size()) + ")";
}

std::string difference_words(const std::vector<double>& first, const std::vector<double>& second, int decimals) {
  if (first.size() != second.size() || first.empty()) return "- (not the same images)";
  const PairedDifference d = paired_difference(first, second);
  return number_words(d.mean, decimals) + " [" + number_words(d.low, decimals) + ", " + number_words(d.high, decimals) +
         "] (n " + std::to_string(d.n) + ")";
}

int difference_sign(const std::vector<double>& first, const std::vector<double>& second) {
  if (first.size() != second.size() || first.size() < 2) return 0;
  const PairedDifference d = paired_difference(first, second);
  return d.low > 0 ? 1 : d.high < 0 ? -1 : 0;
}

}  // namespace purescope
