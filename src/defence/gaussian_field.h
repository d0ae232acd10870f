// A purifier that is known in closed form: descent in the field of a Gaussian score, s(x) = -(x - mu) / sigma_i^2 (eq. 11-13 of the paper),
//   x <- x - h (x - mu) / sigma_i^2,  `steps` times, so  f(x) = mu + A (x - mu),  A = diag(1 - h / sigma_i^2)^steps,
// plus s z per step where `noise` s > 0. Ground truth for attacks and audits: the gradient behind a linear classifier w is A w, the
// compression along direction i is |A_i|.
#pragma once
#include <vector>

#include "defence/defence.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct GaussianField {
  double mean = 0.5;
  std::vector<double> variance;   // one per value of an image (c h w)
  double step = 0.001;            // h
  int steps = 100;
  double noise = 0;               // s, in [0,1] units
};

// d values: the first `inside` of them with variance `large`, the others with `small` (eq. 14, table S1 of the paper).
std::vector<double> two_variances(int values, int inside, double large, double small);

class GaussianFieldDefence : public Defence {
 public:
  // Exit 2 where |1 - h / sigma_i^2| > 1: the field diverges.
  explicit GaussianFieldDefence(const GaussianField& field);
  void forward(View x, NoiseSource* noise, View y) override;
  bool random() const override { return field_.noise > 0; }
  std::string describe() const override;
  const std::vector<double>& factors() const { return factor_; }   // A_i, all steps together
  // Expected compression rate of the chain, exact: sqrt(mean A_i^2).
  double expected_rate() const;

 protected:
  void vjp(View d) override;

 private:
  GaussianField field_;
  std::vector<double> one_step_, factor_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
