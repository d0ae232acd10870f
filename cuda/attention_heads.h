// Where the arrays of attention lie: matrix z = image * heads + head, channels of a head contiguous, T positions each.
#pragma once
#include "cuda/gemm.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {

// Where the matrices of a run lie: matrix z begins at data + z * next.
struct Part { real* data; size_t next; };

// One run of matrices [first, first + count): sizes, and where the parts of an array begin.
struct Heads {
  int count, size, positions;
  size_t first;
  real scale;
  size_t matrix() const { return static_cast<size_t>(size) * positions; }
  size_t square() const { return static_cast<size_t>(positions) * positions; }
  // An array that holds one matrix per head, or the `third` of three.
  Part part(View v) const { return {v.data + first * matrix(), matrix()}; }
  Part part(View z, int third) const { return {z.data + (3 * first + third) * matrix(), 3 * matrix()}; }
  // As loaders: line = channel and depth = position, or the other way round.
  Rows by_channel(Part v) const { return {v.data, v.next, static_cast<size_t>(positions), 1}; }
  Columns by_position(Part v) const { return {v.data, v.next, 1, static_cast<size_t>(positions)}; }
  Rows by_row(const real* s) const { return {s, square(), static_cast<size_t>(positions), 1}; }
  Columns by_column(const real* s) const { return {s, square(), 1, static_cast<size_t>(positions)}; }
  Store store(Part v, real alpha) const { return {v.data, v.next, static_cast<size_t>(positions), 1, alpha}; }
  Store store_square(real* s, real alpha) const { return {s, square(), static_cast<size_t>(positions), 1, alpha}; }
};

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
