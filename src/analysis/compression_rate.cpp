#include "analysis/compression_rate.h"

#include "core/statistics.h"
#include "diffusion/noise_source.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

std::vector<double> l2_distances(View a, View b) {
  std::vector<double> result(a.n);
  distances(a, b, result.data(), nullptr);
  return result;
}

std::vector<double> linf_distances(View a, View b) {
  std::vector<double> result(a.n);
  distances(a, b, nullptr, result.data());
  return result;
}

std::vector<CompressionRate> compression_rates(Purifier& purifier, View x0, NoiseSource& noise, double eps, int draws, bool clamp,
                                               const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images, View anchors) {
  Buffer u(x0.n, x0.c, x0.h, x0.w), start(x0.n, x0.c, x0.h, x0.w);
  affine_forward(2, x0, 0, {}, -1, u.view());
  copy_forward(purifier.forward(u.view(), noise), anchors);
  std::vector<CompressionRate> rates(x0.n);
  for (int draw = 0; draw < draws; ++draw) {
    fill_draws(stream, Purpose::CrUniform,
               [&](int n) { return NoiseKey{seed, images[n], static_cast<uint64_t>(draw), Phase::Forward, 0}; }, start.view());
    signed_uniform_forward(eps, start.view(), start.view());
    add_forward(x0, start.view(), start.view());
    if (clamp) clamp_forward(0, 1, start.view(), start.view());
    affine_forward(2, start.view(), 0, {}, -1, start.view());
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
