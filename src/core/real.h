// The scalar of the engine. Everything that computes on tensors is compiled twice, once into purescope::f32
// and once into purescope::f64, and both are linked into one program; the build sets PURESCOPE_REAL_IS_DOUBLE.
#pragma once

#if !defined(PURESCOPE_REAL_IS_DOUBLE)
#error "this header is compiled once per scalar: the target must define PURESCOPE_REAL_IS_DOUBLE to 0 or 1"
#endif

#if PURESCOPE_REAL_IS_DOUBLE
#define PURESCOPE_REAL_NS f64
#else
#define PURESCOPE_REAL_NS f32
#endif

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

#if PURESCOPE_REAL_IS_DOUBLE
using real = double;
#else
using real = float;
#endif
using accum = double;  // sums and statistics

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
