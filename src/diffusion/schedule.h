// The linear noise schedule of Ho et al. 2020, in double: beta_t from 1e-4 to 2e-2 over T = 1000 steps, index t = 0 .. 999.
#pragma once
#include <vector>

namespace purescope {

constexpr int kDiffusionSteps = 1000;

// abar[t] = product of (1 - beta_k) for k <= t.
struct Schedule {
  std::vector<double> beta, abar;
  double abar_before(int t) const { return t > 0 ? abar[t - 1] : 1; }
};

inline Schedule linear_schedule() {
  Schedule s;
  double product = 1;
  for (int t = 0; t < kDiffusionSteps; ++t) {
    s.beta.push_back(1e-4 + (2e-2 - 1e-4) * t / (kDiffusionSteps - 1));
    s.abar.push_back(product *= 1 - s.beta.back());
  }
  return s;
}

// Respacing (Nichol and Dhariwal 2021): keep the given network indices, derive beta_k = 1 - abar[i_k] / abar[i_{k-1}] again.
inline Schedule respaced(const Schedule& full, const std::vector<int>& indices) {
  Schedule s;
  double last = 1;
  for (int i : indices) {
    s.beta.push_back(1 - full.abar[i] / last);
    s.abar.push_back(last = full.abar[i]);
  }
  return s;
}

}  // namespace purescope
