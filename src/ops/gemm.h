// C = alpha * op(A) op(B) + beta * C, row-major, op = transpose when asked. The only door to BLAS; single-threaded inside.
#pragma once
#include <string>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// A is m x k (k x m if trans_a), B is k x n (n x k if trans_b), C is m x n; ld* are the row strides as stored.
void gemm(bool trans_a, bool trans_b, int m, int n, int k, real alpha, const real* a, int lda, const real* b, int ldb, real beta,
          real* c, int ldc);

// The library and the kernel it chose for this machine, e.g. "OpenBLAS SkylakeX": bits depend on it (OPENBLAS_CORETYPE pins it).
std::string blas_name();

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
