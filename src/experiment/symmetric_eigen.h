// Eigenvalues and eigenvectors of a symmetric matrix, in double: Householder's reduction to three diagonals, then
// implicit QR steps with Wilkinson's shift (Golub and Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3).
#pragma once
#include <vector>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct Eigen {
  std::vector<double> values;   // descending
  std::vector<double> vectors;  // row k belongs to values[k], unit length; empty where they were not asked for
};

// a: n x n row by row, symmetric. About 3 n^3 operations, 6 n^3 with vectors. Exit 70 where 60 n steps do not suffice.
Eigen symmetric_eigen(std::vector<double> a, int n, bool vectors);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
