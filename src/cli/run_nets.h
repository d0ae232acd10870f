// The networks that attack and protocol work with, from their options. Compiled twice.
#pragma once
#include <optional>

#include "cli/load.h"
#include "data/dataset.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// --batch, else 8 images, or 1 where the purifier (null: none) takes more than 32 x 32 pixels.
int batch_size(const AttackOptions& options, const LoadedNet* purifier);

struct RunNets {
  // Exit 65 where classifier and data do not fit, or t* is beyond the purifier's range.
  RunNets(const AttackOptions& options, const Dataset& data);

  std::optional<LoadedNet> purifier;   // none with `--purifier none`
  LoadedNet classifier;
  std::optional<Net> purifier_net;
  Net base, behind;                    // two nets of the classifier: alone, and after the purifier
  int batch;
  Net* unet() { return purifier_net ? &*purifier_net : nullptr; }
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
