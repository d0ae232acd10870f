// The inner loop of convolution: a small tile of a matrix product kept in vector registers,
//   c[m, j] += sum over (channel, tap) in order of a[m * row_stride + channel * channel_stride + tap * tap_stride] * b[k, j],
// k = channel * taps + tap, for `rows` values of m and `width` values of j. The left factor is read where it lies (weights, or a
// padded picture), the right one from a panel. Each sum is one chain of fused multiply-adds that starts at 0 and is then added to c,
// so its bits do not depend on the tile it falls into, nor on the width of the vectors.
#pragma once
#include <cstddef>
#include <vector>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct TileProduct {
  const real* a = nullptr;
  ptrdiff_t row_stride = 0, channel_stride = 0, tap_stride = 1;
  int channels = 1, taps = 0;
  const real* b = nullptr;  // [channels * taps][panel of the kernel], 64-byte aligned
  real* c = nullptr;        // [rows][c_stride]
  ptrdiff_t c_stride = 0;
  bool overwrite = false;   // c = instead of c +=
};

// One compilation of the tile: at most `rows` rows and `panel` columns.
struct TileKernel {
  const char* name;  // instruction set
  int rows, panel;
  void (*const* multiply_rows)(const TileProduct&, int width);  // [rows]: for 1, 2, ... rows

  void multiply(int count, int width, const TileProduct& t) const { multiply_rows[count - 1](t, width); }
};

// The kernels this CPU can run, the fastest first. All but "plain" on x86 (CPUs before 2013, where no fused multiply-add exists)
// give the same bits.
const std::vector<TileKernel>& tile_kernels();

// The one in use.
inline const TileKernel& tile_kernel() { return tile_kernels().front(); }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
