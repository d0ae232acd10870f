// The tile kernel compiled for several instruction sets, and the choice among them.
#include "ops/tile_kernel.h"

#include <cmath>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

#if defined(__x86_64__)

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
namespace avx512 {
constexpr int kBytes = 64, kRows = 12;
typedef real Vec __attribute__((vector_size(kBytes), may_alias));
#if PURESCOPE_REAL_IS_DOUBLE
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_pd(a, b, c); }
#else
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
#endif
#include "ops/tile_kernel.inc"
}  // namespace avx512
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
namespace avx2 {
constexpr int kBytes = 32, kRows = 6;
typedef real Vec __attribute__((vector_size(kBytes), may_alias));
#if PURESCOPE_REAL_IS_DOUBLE
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_pd(a, b, c); }
#else
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
#endif
#include "ops/tile_kernel.inc"
}  // namespace avx2
#pragma GCC pop_options

#endif

namespace plain {
constexpr int kBytes = 16, kRows = 6;
typedef real Vec __attribute__((vector_size(kBytes), may_alias));
// Fused where the build's own instruction set has it; else a product and a sum.
inline Vec multiply_add(Vec a, Vec b, Vec c) {
#if defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF)
  for (int i = 0; i < static_cast<int>(kBytes / sizeof(real)); ++i) c[i] = std::fma(a[i], b[i], c[i]);
  return c;
#else
  return a * b + c;
#endif
}
#include "ops/tile_kernel.inc"
}  // namespace plain

std::vector<TileKernel> find_kernels() {
  std::vector<TileKernel> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v4")) found.push_back(*avx512::kernel_named("avx512"));
  if (__builtin_cpu_supports("x86-64-v3")) found.push_back(*avx2::kernel_named("avx2"));
#endif
  found.push_back(*plain::kernel_named("plain"));
  return found;
}

}  // namespace

const std::vector<TileKernel>& tile_kernels() {
  static const std::vector<TileKernel> kernels = find_kernels();
  return kernels;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
