// What the judging parts of experiments share: records by setting, cells with interval and n, series for plots, the words of findings.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/statistics.h"
#include "report/cells.h"
#include "report/experiment.h"

namespace purescope {

// All records of one kind, sampler, t*, eps and seed; by image, in their order.
struct RecordGroup {
  std::string kind, sampler;      // kind without the sampler behind it: "cr", "attack:fixed", "minimum:clean"
  int t = 0;
  double eps = 0;
  int64_t seed = 0;
  std::map<int64_t, const JsonObject*> records;

  std::string setting() const;    // "ddpm t* 50"
  // Field of every record that has a finite one, in the order of the images.
  std::vector<double> values(const std::string& field) const;
  // Share of the images for which this holds, with Wilson's interval.
  Proportion share(const std::function<bool(const JsonObject&)>& holds) const;
};

// In the order of sampler (ddpm, reverse, ddim, then by name), t*, eps, seed. The records must outlive the groups.
std::vector<RecordGroup> record_groups(const std::vector<JsonObject>& records, const std::string& kind);
// The group with this sampler, t*, seed and (unless negative) eps; null if there is none.
const RecordGroup* find_group(const std::vector<RecordGroup>& groups, const std::string& sampler, int t, int64_t seed, double eps = -1);
std::vector<std::string> samplers_of(const std::vector<RecordGroup>& groups);   // each once, in order
std::vector<int> times_of(const std::vector<RecordGroup>& groups);

// The verdicts of records of cr and attack.
bool right_anchor(const JsonObject& record);   // pred_anchor = label
bool right_clean(const JsonObject& record);
bool is_robust(const JsonObject& record);

Cell rate_cell(const RecordGroup* group);              // mean CR +- sd over images; "-" for null

// Field "sampler" in words: DDPM, reverse-only, DDIM, else as it is.
std::string sampler_words(const std::string& sampler);

// Adds a point with (unless NaN) its interval, and grows all lists together.
void add_point(Series& series, double x, double y, double low = kNoNumber, double high = kNoNumber, const std::string& label = "");
// Adds a bar with a name in place of x; where one bar of a series has an interval, all are to have one.
void add_bar(Series& series, const std::string& label, double y, double low = kNoNumber, double high = kNoNumber);
Series make_series(Series::Kind kind, const std::string& name, bool papers = false);

}  // namespace purescope
