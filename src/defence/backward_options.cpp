#include "defence/backward_options.h"

#include "core/check.h"
#include "io/fraction.h"
#include "io/text.h"

namespace purescope {

Backward parse_backward(const std::string& text, const std::string& flag) {
  for (Backward::Kind kind : {Backward::Full, Backward::FullSte, Backward::Bpda, Backward::ForwardNoiseOnly})
    if (text == backward_name(kind)) return kind;
  if (text.starts_with("surrogate:")) return {Backward::Surrogate, static_cast<int>(parse_int(text.substr(10), flag, 1, 1000))};
  fail(kUsage, "unknown backward mode '" + printable(text) + "'", flag, "choose full, full-ste, bpda, surrogate:STEPS or forward-noise-only");
}

std::string backward_name(const Backward& mode) {
  switch (mode.kind) {
    case Backward::Full: return "full";
    case Backward::FullSte: return "full-ste";
    case Backward::Bpda: return "bpda";
    case Backward::Surrogate: return "surrogate:" + std::to_string(mode.steps);
    case Backward::ForwardNoiseOnly: return "forward-noise-only";
  }
  return "?";
}

}  // namespace purescope
