#include "experiment/directions.h"

#include <cmath>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

using Values = std::vector<double>;

void add(const std::vector<float>& v, double weight, Values& sum) {
  sum.resize(v.size(), 0);
  for (size_t i = 0; i < v.size(); ++i) sum[i] += weight * v[i];
}

// |v - centre|^2
double square_distance(const std::vector<float>& v, const Values& centre) {
  double sum = 0;
  for (size_t i = 0; i < v.size(); ++i) sum += (v[i] - centre[i]) * (v[i] - centre[i]);
  return sum;
}

double square(const Values& v) {
  double sum = 0;
  for (double x : v) sum += x * x;
  return sum;
}

// Mean of <u_a, u_b> over all pairs a != b of n unit vectors with sum `sum`: (|sum|^2 - n) / (n (n - 1)).
double mean_of_pairs(double sum_square, double n) { return (sum_square - n) / (n * (n - 1)); }

}  // namespace

RandomnessNumbers randomness_numbers(const std::vector<float>& x0, const std::vector<std::vector<float>>& inputs,
                                     const std::vector<std::vector<std::vector<float>>>& outputs) {
  const size_t p_count = inputs.size(), s_count = outputs.empty() ? 0 : outputs[0].size(), size = x0.size();
  PURESCOPE_REQUIRE(p_count >= 2 && s_count >= 2 && outputs.size() == p_count && size > 0);
  const double p_share = 1.0 / static_cast<double>(p_count), s_share = 1.0 / static_cast<double>(s_count),
               both = p_share * s_share;
  RandomnessNumbers r;
  Values start(size, 0), all(size, 0);
  std::vector<Values> of_noise(s_count), of_input(p_count);
  for (size_t p = 0; p < p_count; ++p) {
    add(inputs[p], p_share, start);
    for (size_t s = 0; s < s_count; ++s) {
      add(outputs[p][s], p_share, of_noise[s]);
      add(outputs[p][s], s_share, of_input[p]);
      add(outputs[p][s], both, all);
    }
  }
  // Sums of unit directions (f - x0) / |f - x0|, over the noises of an input, over the inputs of a noise, over all.
  std::vector<Values> units_of_noise(s_count, Values(size, 0)), units_of_input(p_count, Values(size, 0));
  Values units(size, 0);
  const Values centre(x0.begin(), x0.end());
  for (size_t p = 0; p < p_count; ++p) {
    r.radius_start += p_share * std::sqrt(square_distance(inputs[p], start));
    for (size_t s = 0; s < s_count; ++s) {
      const std::vector<float>& f = outputs[p][s];
      const double in_noise = square_distance(f, of_noise[s]), in_input = square_distance(f, of_input[p]),
                   in_all = square_distance(f, all);
      r.input += both * in_noise / static_cast<double>(size);
      r.total += both * in_all / static_cast<double>(size);
      r.radius_fixed_noise += both * std::sqrt(in_noise);
      r.radius_fixed_input += both * std::sqrt(in_input);
      r.radius_both += both * std::sqrt(in_all);
      const double length = std::sqrt(square_distance(f, centre));
      for (size_t i = 0; i < size && length > 0; ++i) {
        const double u = (f[i] - centre[i]) / length;
        units_of_noise[s][i] += u;
        units_of_input[p][i] += u;
        units[i] += u;
      }
    }
  }
  for (size_t s = 0; s < s_count; ++s) {
    double sum = 0;
    for (size_t i = 0; i < size; ++i) sum += (of_noise[s][i] - all[i]) * (of_noise[s][i] - all[i]);
    r.internal += s_share * sum / static_cast<double>(size);
  }
  r.snr = r.input / r.internal;
  const double np = static_cast<double>(p_count), ns = static_cast<double>(s_count);
  double noise_squares = 0, input_squares = 0;
  for (const Values& v : units_of_input) noise_squares += square(v);
  for (const Values& v : units_of_noise) input_squares += square(v);
  r.cosine_noise = mean_of_pairs(noise_squares / np, ns);
  r.cosine_input = mean_of_pairs(input_squares / ns, np);
  // Ordered pairs that share neither index: all minus those of one input minus those of one noise plus the vectors
  // themselves.
  r.cosine_both = (square(units) - noise_squares - input_squares + np * ns) / (np * ns * (np - 1) * (ns - 1));
  return r;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
