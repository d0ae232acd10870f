// The networks that attack and protocol work with, from their options. Compiled twice.
#pragma once
#include <optional>

#include "cli/load.h"
#include "data/dataset.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// 8 images per pass, or 1 where images have more than 32 x 32 pixels.
int usual_batch(const ValueInfo& image);
// Images per pass of a run: --batch, the usual, or with `auto` the largest power of two that fits, is of use for `images` images and is at
// most 256. Prints what a pass takes; exit 69 if that does not fit into memory, with the batch that would. t: the values of t* (the chain's
// length). Purifier: null for none.
int batch_for(const AttackOptions& options, const LoadedNet* purifier, const LoadedNet& classifier, const std::vector<int>& t, int images);

struct RunNets {
  // Exit 65 where classifier and data do not fit, or t* is beyond the purifier's range.
  RunNets(const AttackOptions& options, const Dataset& data);

  std::optional<LoadedNet> purifier;   // none with `--purifier none`
  LoadedNet classifier;
  std::optional<Net> purifier_net;
  Net base, behind;                    // two nets of the classifier: alone, and after the purifier
  int batch;                           // batch_for
  Net* unet() { return purifier_net ? &*purifier_net : nullptr; }
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
