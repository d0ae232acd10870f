#include "defence/gaussian_field.h"

#include <cmath>
#include <cstdio>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

std::vector<double> two_variances(int values, int inside, double large, double small) {
  std::vector<double> v(values, small);
  std::fill_n(v.begin(), inside, large);
  return v;
}

GaussianFieldDefence::GaussianFieldDefence(const GaussianField& field) : field_(field) {
  for (double variance : field_.variance) {
    const double one = 1 - field_.step / variance;
    if (!(std::abs(one) <= 1))
      fail(kUsage, "the Gaussian field diverges: 1 - h / sigma^2 = " + std::to_string(one), "h " + std::to_string(field_.step),
           "choose h below twice the smallest variance");
    one_step_.push_back(one);
    factor_.push_back(std::pow(one, field_.steps));
  }
}

// Step by step, as a sampler would.
void GaussianFieldDefence::forward(View x, NoiseSource* noise, View y) {
  PURESCOPE_REQUIRE(x.image_size() == one_step_.size() && (noise || !random()));
  copy_forward(x, y);
  Buffer z(x.n, x.c, x.h, x.w);
  const real mean = static_cast<real>(field_.mean);
  for (int k = 0; k < field_.steps; ++k) {
    const Mirror host(y);
    for (int n = 0; n < y.n; ++n)
      for (size_t i = 0; i < one_step_.size(); ++i)
        host.view().image(n)[i] = static_cast<real>(mean + one_step_[i] * (host.view().image(n)[i] - mean));
    host.store();
    if (!random()) continue;
    noise->reverse(k, k, z.view());
    affine_forward(1, y, field_.noise, z.view(), 0, y);
  }
}

void GaussianFieldDefence::vjp(View d) {
  if (mode().kind == Backward::ForwardNoiseOnly) return;
  const Mirror host(d);
  for (int k = 0; k < field_.steps; ++k)
    for (int n = 0; n < d.n; ++n)
      for (size_t i = 0; i < one_step_.size(); ++i)
        host.view().image(n)[i] = static_cast<real>(one_step_[i] * host.view().image(n)[i]);
  host.store();
}

double GaussianFieldDefence::expected_rate() const {
  double sum = 0;
  for (double a : factor_) sum += a * a;
  return std::sqrt(sum / factor_.size());
}

std::string GaussianFieldDefence::describe() const {
  char text[128];
  std::snprintf(text, sizeof text, "Gaussian field, h %.6g, %d steps, noise %.6g, expected rate %.6f", field_.step, field_.steps, field_.noise,
                expected_rate());
  return text;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
