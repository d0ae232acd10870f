// The randomness protocol: images crafted under every kind of randomness, each judged under every rule (docs/protocol.md, section 11).
#pragma once
#include <string>
#include <vector>

#include "analysis/robustness.h"
#include "experiment/record_sink.h"
#include "io/json_text.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// One kind of adversarial images. `other`: crafted under the other seed, with the roles of the two exchanged.
struct SetPlan { std::string name; Rand rand = Rand::Fixed; bool crafted = false, other = false; };

// none, fixed, other (if wanted), free, eot:N (N > 1), in this order.
std::vector<SetPlan> protocol_sets(int eot_draws, bool with_other);

struct ProtocolSettings {
  int64_t other_seed = 1;
  int tries = 10, eot_draws = 15;
  bool gradients = true;              // set none: also the cosines between gradients
  JsonLine fields;                    // added to every record; may be empty
};

// Images on the host: what is attacked or judged, and (where they differ) the clean ones that distances are taken from.
struct ProtocolImages {
  Buffer x, clean;                    // clean: empty where x is clean
  std::vector<int> labels;
  std::vector<int64_t> ids;
  std::vector<std::string> sources;
};

// Crafts and judges one batch of one set; one record per image under id.kind. False if the attack was stopped.
bool protocol_batch(const SetPlan& plan, RecordId id, const ProtocolImages& images, const ProtocolSettings& settings, Robustness& robustness, RecordSink& sink);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
