// The Jacobian of the whole purifier f_xi at one image, and its singular values.
#pragma once
#include <cstdint>
#include <vector>

#include "diffusion/purify.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Where the Jacobian is taken: one image x [1,3,h,w] in [0,1] under the noise of draw 0 of (seed, image). The purifier
// must have been made for `batch` images, with gradient.
struct JacobianPoint {
  Purifier& purifier;
  const NoiseStream& stream;
  View x;
  int64_t seed = 0, image = 0;
  int batch = 1, t_base = 0;
};

// Rows v^T J for `rows` (each d values), in their order: exact vector-Jacobian products, `batch` at a time. The unit of
// length is the same on both sides, so rows are those of d f / d x with both in [0,1].
std::vector<std::vector<double>> vector_products(const JacobianPoint& p, const std::vector<std::vector<double>>& rows);
// J, d x d row by row: row i = e_i^T J.
std::vector<double> exact_jacobian(const JacobianPoint& p);
// Columns J q by central differences (f(x + h q) - f(x - h q)) / 2h, h = 0.05 in float and 1e-4 in double, as lengths
// in [0,1] units.
std::vector<std::vector<double>> difference_products(const JacobianPoint& p,
                                                     const std::vector<std::vector<double>>& directions);

struct Spectrum {
  int size = 0;                              // d
  std::vector<double> values;                // descending; all d of them, or the leading ones that were sought
  std::vector<std::vector<double>> inputs;   // leading right singular vectors: the directions that pass most
  std::vector<std::vector<double>> outputs;  // what becomes of them
  double mean_square = 0;                    // |J|_F^2 / d, the squared compression rate of isotropic perturbations
  double disagreement =
      0;  // randomised: largest |<w, J q> - <J^T w, q>| over |J q|, differences against exact products
};
// All singular values from the eigenvalues of J J^T (those below 1e-8 of the largest are not resolved), and `leading`
// pairs of vectors.
Spectrum exact_spectrum(const std::vector<double>& jacobian, int size, int leading);
// The `rank` largest, from below: Q = an orthonormal basis of J^T W, W Gaussian, after `rounds` rounds of Q <- J^T (J
// Q); values of J Q (Halko, Martinsson and Tropp, SIAM Review 53, 2011, algorithms 4.3 and 5.1). mean_square is
// estimated from W.
Spectrum randomised_spectrum(const JacobianPoint& p, int rank, int rounds, int leading);

// Share of the d singular values that satisfy the bound. Where the leading ones alone are known: the others are below
// the smallest of them; `known` is false where the bound lies below that.
struct Share {
  double value = 0;
  bool known = true;
};
Share share_below(const Spectrum& s, double bound);
Share share_above(const Spectrum& s, double bound);

// Mean squared cosine of the principal angles between the spans of two orthonormal systems of m vectors: |A B^T|_F^2 /
// m. 1: the same span; m / d is expected of random ones.
double alignment(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b);

// Orthonormal rows that span the same space; rows that depend on earlier ones (rest below `tolerance` of their length,
// or a length below tolerance of the largest) are dropped. Gram-Schmidt, twice.
std::vector<std::vector<double>> orthonormal(const std::vector<std::vector<double>>& rows, double tolerance = 1e-8);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
