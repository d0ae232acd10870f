#include "report/run_section_robustbench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/check.h"
#include "report/attack_table.h"
#include "report/run_section.h"

namespace purescope {
namespace {

std::string percent(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

double over_seeds(const std::vector<TableRow>& rows, Proportion TableRow::*value) {
  std::vector<double> values;
  for (const TableRow& r : rows)
    if ((r.*value).n > 0) values.push_back(100 * (r.*value).value);
  return mean(values);
}

// Network calls of one prediction: those of the chain, as the header says them in words, and the classifier.
int64_t passes(const RunRecords& run) {
  int64_t calls = 0;
  if (run.header.has("purification"))
    for (const std::string& words : run.header.get_strings("purification"))
      if (const size_t at = words.find(" reverse steps"); at != std::string::npos) {
        size_t begin = at;
        while (begin > 0 && std::isdigit(static_cast<unsigned char>(words[begin - 1]))) --begin;
        calls = std::max<int64_t>(calls, std::stoll("0" + words.substr(begin, at - begin)));
      }
  const JsonObject purifier = JsonObject::parse(run.header.raw("purifier"), run.folder);
  return 1 + (purifier.get_string("file") == "none" ? 0 : calls);
}

std::string network_text(const RunRecords& run, const char* key) {
  const JsonObject o = JsonObject::parse(run.header.raw(key), run.folder);
  return o.get_string("arch");
}

}  // namespace

std::string robustbench_json(const RunRecords& run) {
  const std::string todo = "name one finished run of attack with one t* and one budget";
  if (run.command != "attack")
    fail(kUsage, "a run of '" + run.command + "' has no robust accuracy to enter", "--robustbench with " + run.folder,
         todo);
  if (!run.finished)
    fail(kUsage, "the run is not finished: " + run_partial(run), "--robustbench with " + run.folder, todo);
  const std::vector<TableRow> rows = attack_table(run.records);
  if (rows.empty()) fail(kUsage, "the run holds no records", "--robustbench with " + run.folder, todo);
  for (const TableRow& r : rows)
    if (r.t != rows[0].t || r.eps != rows[0].eps)
      fail(kUsage, "the run has several t* or budgets", "--robustbench with " + run.folder, todo);
  const std::vector<std::pair<std::string, Proportion TableRow::*>> kinds = {{"fixed", &TableRow::fixed},
                                                                             {"free", &TableRow::free},
                                                                             {"transfer", &TableRow::transfer},
                                                                             {"eot", &TableRow::eot}};
  double lowest = kNoNumber;
  std::string which;
  for (const auto& [name, value] : kinds)
    if (const double v = over_seeds(rows, value); v < lowest || (std::isnan(lowest) && !std::isnan(v)))
      lowest = v, which = name;
  std::string attack;
  for (const auto& [name, value] : run_settings(run))
    if (name == "attack") attack = value;
  const JsonObject data = JsonObject::parse(run.header.raw("data"), run.folder);
  const std::string purifier = network_text(run, "purifier");
  const Proportion& one = rows[0].fixed.n ? rows[0].fixed : rows[0].free.n ? rows[0].free : rows[0].eot;
  return JsonLine()
      .add("link", "")
      .add("name", "")
      .add("authors", "")
      .add("additional_data", false)
      .add("number_forward_passes", passes(run))
      .add("dataset", data.get_string("description"))
      .add("venue", "")
      .add("architecture", (purifier == "none" ? "" : purifier + " before ") + network_text(run, "classifier"))
      .add("clean_acc", percent(over_seeds(rows, &TableRow::anchor)))
      .add("reported", percent(lowest))
      .add("eps", budget_text(rows[0].eps))
      .add("footnote", "robust accuracy under " + attack + ", randomness " + which + ", t* " +
                           std::to_string(rows[0].t) + ", n " + std::to_string(one.n) + ", seeds " +
                           std::to_string(rows.size()) + "; computed by purescope, run " + run.run)
      .text();
}

}  // namespace purescope
