// How a gradient goes back through a defence. The forward pass is the real one in every mode; the mode's name stands in every record.
#pragma once
#include <string>

namespace purescope {

struct Backward {
  enum Kind {
    Full,              // exact vector-Jacobian product of everything that the forward pass did
    FullSte,           // the same, but straight through where the sampler clips: as if it had not clipped
    Bpda,              // identity (Athalye et al. 2018): the gradient with respect to the purified image
    Surrogate,         // exact gradient of a shorter chain of `steps` network calls, at the same image and noise
    ForwardNoiseOnly   // exact through the forward noising, identity through the reverse process: bpda times the noising's scale
  };
  Kind kind = Full;
  int steps = 0;       // Surrogate only
  Backward(Kind kind = Full, int steps = 0) : kind(kind), steps(steps) {}
  bool operator==(const Backward&) const = default;
};

// full | full-ste | bpda | surrogate:STEPS | forward-noise-only; anything else: exit 2. backward_name gives the text back.
Backward parse_backward(const std::string& text, const std::string& flag);
std::string backward_name(const Backward& mode);

}  // namespace purescope
