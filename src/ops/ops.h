// Every op of the engine: declared once in signatures.inc, present as ops for the caller, cpu::, cuda:: (where
// there is a toolkit) and emulated::.
// The caller's version picks the twin by the device of its first view (dispatch.cpp).
#pragma once
#include "core/view.h"
#include "ops/specs.h"
#include "rng/native.h"
#include "rng/torch_cuda.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

#include "ops/signatures.inc"
namespace cpu {
#include "ops/signatures.inc"
}
namespace cuda {
#include "ops/signatures.inc"
}
namespace emulated {
#include "ops/signatures.inc"
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
