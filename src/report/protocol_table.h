// Records of the command protocol as JSON lines, and the tables made from them.
#pragma once
#include <string>
#include <vector>

#include "io/json_text.h"
#include "report/attack_table.h"
#include "report/section.h"

namespace purescope {

// One image of one set of adversarial images, judged under every rule.
struct ProtocolRecord {
  int label = 0;
  int64_t test_seed = 0;
  int pred_fixed = -1, pred_transfer = -1;   // under draw 0 of the seed it was crafted under, and of the other one
  std::vector<int> tries;                    // under test draws 0, 1, ...
  double linf = 0, l2 = 0;                   // of the perturbation
  double cos_fixed = 0;                      // between this perturbation and that of the set `fixed`; NaN where there is none
  double grad_cos_transfer = 0, grad_cos_eot = 0;   // set none: between gradients at x, draw 0 of the seed against draw 0 of the other seed, or an EOT mean
  int64_t forwards = 0, backwards = 0;
  std::string status = "ok";                 // ok | nan
  std::string xadv_sha;
};

// The set stands in id.kind: protocol:none (no attack), protocol:fixed, protocol:other, protocol:free, protocol:eot:N, protocol:adv.
std::string protocol_line(const RunFacts& facts, const RecordId& id, const std::string& source, const ProtocolRecord& r);

// Most frequent prediction; the lowest class among equals.
int majority(const std::vector<int>& votes);

std::string protocol_text(const std::vector<std::string>& lines);
std::string protocol_json(const std::vector<std::string>& lines);   // an array, one object per (t, eps, seed)


// The same as tables of a section, beside the papers' values: records of `protocol` as they were parsed.
void protocol_section(const std::vector<JsonObject>& records, Section& section);

}  // namespace purescope
