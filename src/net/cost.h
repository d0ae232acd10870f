// What a step costs by its shapes alone, for printing and for rates.
#pragma once
#include "net/plan.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Multiply-adds of the matrix products and convolutions of one image, as plain sums; elementwise steps count as 0.
int64_t macs(const Model& m, const Step& s);
// The same of one line of the backward list: a product per wanted gradient; attention computes its probabilities again.
int64_t backward_macs(const Model& m, const BackwardLine& line, Mode mode);

// Reals that a step cannot avoid to read and write, `batch` images: inputs, output, parameters. Backward: the cotangent, what is wanted,
// the parameters where dx needs them and the inputs where the op is not linear in them.
int64_t traffic(const Model& m, const Step& s, int batch);
int64_t backward_traffic(const Model& m, const BackwardLine& line, Mode mode, int batch);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
