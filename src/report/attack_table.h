// Records of attack, cr and predict as lines of JSON, and the table made from them. The table depends on the records alone, so a resumed
// or a merged run prints the same bytes as one that ran through.
#pragma once
#include <string>
#include <vector>

#include "analysis/robustness_options.h"
#include "core/statistics.h"

namespace purescope {

// What a line is about; together with (img, seed, t, eps) it identifies the record.
//   attack:RAND       one image attacked
//   cr                compression rate without attack
//   minimum:clean     minimum perturbation of the classifier alone at the clean image (seed and t are 0)
//   minimum:anchor    the same at the anchor point f_xi(x0), clamped to [0, 1]
struct RecordId { std::string kind; int64_t image = 0; int64_t seed = 0; int t = 0; double eps = 0; };
std::string record_id_key(const RecordId& id);   // sorts by (image, seed, t, eps, kind)

struct RunFacts { std::string run, norm, grad; PgdOptions pgd; AttackSettings attack; int64_t test_seed = 0; };

std::string attack_line(const RunFacts& facts, const RecordId& id, const std::string& source, Rand rand, const AttackRecord& r);
std::string cr_line(const RunFacts& facts, const RecordId& id, const std::string& source, double mean, double error, double eta_norm,
                    const std::vector<double>& draws);
std::string minimum_line(const RunFacts& facts, const RecordId& id, const std::string& source, int label, double budget, bool censored,
                         int non_monotone, const std::vector<std::pair<double, bool>>& probes);

// One row per (t, eps, seed).
struct TableRow {
  int t = 0;
  double eps = 0;
  int64_t seed = 0;
  int eot_draws = 0;
  Proportion clean, anchor, fixed, free, transfer, eot, on_path;   // n = 0 where not measured; on_path: broken somewhere on the path, fixed
  std::vector<double> cr;                                     // one expected rate per image
  double cr_mean = 0, cr_sd = 0;
  Proportion predicted_clean, predicted_anchor;               // S(cr_mean) of the survival curve (docs/protocol.md)
  int nan = 0, censored = 0, non_monotone = 0;
};

std::vector<TableRow> attack_table(const std::vector<std::string>& lines);
std::string table_text(const std::vector<TableRow>& rows);
std::string table_json(const std::vector<TableRow>& rows);

// Suite: robust accuracy after each attack of the sequence, in the form of AutoAttack's log; empty for other attacks.
std::string suite_text(const std::vector<std::string>& lines);

}  // namespace purescope
