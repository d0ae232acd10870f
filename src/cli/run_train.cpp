#include "cli/options.h"
#include "train/trainer.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

int run_train(const TrainOptions& options) { return train(options); }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
