#include "ops/gemm.h"

#include <cblas.h>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// Our threads call BLAS side by side; BLAS itself must stay on the calling thread, or its blocking would change the bits.
const bool single_threaded = [] { openblas_set_num_threads(1); return true; }();

}  // namespace

void gemm(bool trans_a, bool trans_b, int m, int n, int k, real alpha, const real* a, int lda, const real* b, int ldb, real beta,
          real* c, int ldc) {
  const CBLAS_TRANSPOSE ta = trans_a ? CblasTrans : CblasNoTrans, tb = trans_b ? CblasTrans : CblasNoTrans;
#if PURESCOPE_REAL_IS_DOUBLE
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#else
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#endif
}

std::string blas_name() { return std::string("OpenBLAS ") + openblas_get_corename(); }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
