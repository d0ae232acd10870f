#include "analysis/compression_rate.h"

#include <algorithm>
#include <cmath>

#include "core/statistics.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

std::vector<double> l2_distances(View a, View b) {
  std::vector<double> result(a.n);
  for (int n = 0; n < a.n; ++n) {
    accum square = 0;
    for (size_t i = 0; i < a.image_size(); ++i) {
      const accum d = static_cast<accum>(a.image(n)[i]) - b.image(n)[i];
      square += d * d;
    }
    result[n] = std::sqrt(square);
  }
  return result;
}

std::vector<double> linf_distances(View a, View b) {
  std::vector<double> result(a.n, 0);
  for (int n = 0; n < a.n; ++n)
    for (size_t i = 0; i < a.image_size(); ++i)
      result[n] = std::max<double>(result[n], std::abs(static_cast<accum>(a.image(n)[i]) - b.image(n)[i]));
  return result;
}

std::vector<CompressionRate> compression_rates(Purifier& purifier, View x0, NoiseSource& noise, double eps, int draws, bool clamp,
                                               const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images, View anchors) {
  Buffer u(x0.n, x0.c, x0.h, x0.w), start(x0.n, x0.c, x0.h, x0.w);
  affine_forward(2, x0, 0, {}, -1, u.view());
  copy_forward(purifier.forward(u.view(), noise), anchors);
  std::vector<CompressionRate> rates(x0.n);
  std::vector<float> uniform(x0.image_size());
  for (int draw = 0; draw < draws; ++draw) {
    for (int n = 0; n < x0.n; ++n) {
      stream.cr_uniform(seed, images[n], draw, uniform.data(), uniform.size());
      for (size_t i = 0; i < uniform.size(); ++i) {
        real v = x0.image(n)[i] + static_cast<real>((2.0 * uniform[i] - 1) * eps);
        if (clamp) v = std::clamp<real>(v, 0, 1);
        start.view().image(n)[i] = 2 * v - 1;
      }
    }
    const std::vector<double> eta = l2_distances(start.view(), u.view());
    const std::vector<double> moved = l2_distances(purifier.forward(start.view(), noise), anchors);
    for (int n = 0; n < x0.n; ++n) {
      rates[n].draws.push_back(moved[n] / eta[n]);
      rates[n].eta_norm += eta[n] / 2 / draws;  // in [0,1] units
    }
  }
  for (CompressionRate& r : rates) {
    r.mean = mean(r.draws);
    r.standard_error = draws > 1 ? standard_error(r.draws) : 0;
  }
  return rates;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
