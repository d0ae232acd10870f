// The command protocol: one or several attacks, every result judged under every rule of randomness (docs/protocol.md, section 11).
#pragma once
#include <string>

#include "cli/options.h"
#ifdef PURESCOPE_REAL_IS_DOUBLE
#include "core/real.h"  // makes the scalar's namespace inline, before it is opened below
#endif

namespace purescope {

struct ProtocolOptions {
  AttackOptions run;            // purifier, classifier, data, attack, budgets, seeds; its EOT draws are those of the set eot:N
  int64_t test_seed = -1;       // the other seed of transfer; -1: seed + 1
  int tries = 10;               // N of mean, worst and majority
  std::string adv, labels;      // --adv: judge these images instead of attacking
  bool data_given = false;      // --adv: --data holds the clean images, for the control
  bool no_other = false;        // leave out the set crafted under the other seed
};

namespace f32 { int run_protocol(const ProtocolOptions& options); }
namespace f64 { int run_protocol(const ProtocolOptions& options); }

}  // namespace purescope
