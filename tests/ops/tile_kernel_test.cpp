// Every tile kernel this CPU can run, against the chain of fused multiply-adds it promises.
#include "ops/tile_kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

using namespace purescope;

namespace {

real value(size_t i) { return static_cast<real>((i * 7919 % 1021) / 1021.0 - 0.5); }

struct Problem {
  int rows, width, channels, taps;
  ptrdiff_t row_stride, channel_stride, tap_stride;
};

// c[m, j] = start + one chain of fused multiply-adds from 0.
std::vector<real> expected(const Problem& p, const real* a, const real* b, int panel, ptrdiff_t c_stride, size_t size) {
  std::vector<real> c(size);
  for (size_t i = 0; i < size; ++i) c[i] = value(i + 17);
  for (int m = 0; m < p.rows; ++m)
    for (int j = 0; j < p.width; ++j) {
      real sum = 0;
      for (int i = 0; i < p.channels; ++i)
        for (int t = 0; t < p.taps; ++t)
          sum = std::fma(a[m * p.row_stride + i * p.channel_stride + t * p.tap_stride],
                         b[static_cast<size_t>(i * p.taps + t) * panel + j], sum);
      c[m * c_stride + j] += sum;
    }
  return c;
}

// The number of values that differ by more than `tolerance`, NaN included.
int differences(const TileKernel& kernel, const Problem& p, real tolerance, real disturb) {
  const ptrdiff_t c_stride = kernel.panel + 3;
  std::vector<real> a(4096), c(p.rows * c_stride);
  struct Free { void operator()(real* q) const { std::free(q); } };
  const size_t panels = static_cast<size_t>(p.channels) * p.taps * kernel.panel;
  std::unique_ptr<real, Free> b(static_cast<real*>(std::aligned_alloc(64, (panels * sizeof(real) + 63) / 64 * 64)));
  for (size_t i = 0; i < a.size(); ++i) a[i] = value(i);
  for (size_t i = 0; i < panels; ++i) b.get()[i] = value(3 * i + 1);
  for (size_t i = 0; i < c.size(); ++i) c[i] = value(i + 17);
  const std::vector<real> want = expected(p, a.data(), b.get(), kernel.panel, c_stride, c.size());
  a[0] += disturb;
  TileProduct t{a.data(), p.row_stride, p.channel_stride, p.tap_stride, p.channels, p.taps, b.get(), c.data(), c_stride};
  kernel.multiply(p.rows, p.width, t);
  int bad = 0;
  for (size_t i = 0; i < c.size(); ++i) bad += !(std::abs(c[i] - want[i]) <= tolerance);
  return bad;
}

// "plain" rounds each product on x86; the others must agree to the bit.
real tolerance_of(const TileKernel& kernel) { return std::string(kernel.name) == "plain" ? (sizeof(real) == 4 ? 1e-5 : 1e-13) : 0; }

}  // namespace

TEST(TileKernel, EverySizeOfTile) {
  for (const TileKernel& kernel : tile_kernels())
    for (int rows = 1; rows <= kernel.rows; ++rows)
      for (int width = 1; width <= kernel.panel; ++width)
        EXPECT_EQ(differences(kernel, {rows, width, 3, 9, 61, 9, 1}, tolerance_of(kernel), 0), 0)
            << kernel.name << ", " << rows << " rows, " << width << " columns";
}

TEST(TileKernel, EveryStride) {
  for (const TileKernel& kernel : tile_kernels()) {
    EXPECT_EQ(differences(kernel, {kernel.rows, kernel.panel, 5, 9, 9, 300, 1}, tolerance_of(kernel), 0), 0) << kernel.name;
    EXPECT_EQ(differences(kernel, {kernel.rows, kernel.panel, 7, 13, 101, 29, 2}, tolerance_of(kernel), 0), 0) << kernel.name;
    EXPECT_EQ(differences(kernel, {1, 1, 1, 1, 0, 0, 0}, tolerance_of(kernel), 0), 0) << kernel.name;
  }
}

TEST(TileKernel, WrongFactorIsSeen) {
  for (const TileKernel& kernel : tile_kernels())
    EXPECT_GT(differences(kernel, {2, kernel.panel, 3, 9, 61, 9, 1}, tolerance_of(kernel), real(0.1)), 0) << kernel.name;
}
