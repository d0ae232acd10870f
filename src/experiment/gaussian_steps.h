// The score field of a Gaussian, step by step (paper v2, section 6.1, figure 4a-b, table S1): what the closed form says
// and what a walk does.
#pragma once
#include <string>
#include <vector>

#include "defence/gaussian_field.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct FieldSetting {
  int channels = 3, side = 32;     // d = channels side^2 = 3072
  int inside = 40;                 // directions of large variance: those on the manifold
  double large = 1, small = 0.01;  // variances
  double step = 0.001;             // h
  int steps = 100;
  int size() const { return channels * side * side; }
};
// Table S1 with its 0.01 read as the variance. Read as printed, as a standard deviation, the variance is 1e-4 and the
// factor of a step -9.
FieldSetting table_s1();

// Factors of one step, eq. 13-14: on and off the manifold.
double factor_inside(const FieldSetting& f);
double factor_outside(const FieldSetting& f);
// Expected compression rate at each step for a perturbation that was isotropic before the first: sqrt(sum a_i^{2k+2} /
// sum a_i^{2k}).
std::vector<double> closed_form_rates(const FieldSetting& f);
// Share of its squared length on the manifold before each step and after the last.
std::vector<double> closed_form_shares(const FieldSetting& f);
double closed_form_chain(const FieldSetting& f);  // sqrt(mean a_i^{2 steps})

struct FieldWalk {
  std::vector<double> rates;   // |d_{k+1}| / |d_k|
  std::vector<double> shares;  // on the manifold, of d_0 ... d_steps
  double chain = 0;            // |d_steps| / |d_0|
  bool finite = true;          // every state was
};
enum class FieldStart { Isotropic, Inside, Outside };
// Two walks of the defence's own code, one step at a time, from x and x + eta (|eta| = `length`); x is normal with the
// field's variances.
FieldWalk walk_field(const FieldSetting& f, FieldStart start, double length, const NoiseStream& stream, int64_t seed,
                     int64_t index);

// x <- x - h Sigma^-1 (x - mu) whatever the factors are, in double: the length of an isotropic unit perturbation after
// each step. For readings that diverge, which GaussianFieldDefence refuses.
std::vector<double> plain_growth(const FieldSetting& f, int steps, const NoiseStream& stream, int64_t seed,
                                 int64_t index);
// What GaussianFieldDefence says of a setting: empty if it takes it, else its message.
std::string field_refusal(const FieldSetting& f);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
