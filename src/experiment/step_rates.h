// Compression of single reverse steps: the factors of eq. 16 of the paper, the divergence of the noise predictor, and
// fresh perturbations.
#pragma once
#include <vector>

#include "diffusion/purify.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// A reverse step without its clip is y = kappa (x - gamma eps(x)) + what does not depend on x. For ddpm without stride
// kappa = 1/sqrt(alpha) and gamma = (1 - alpha)/sqrt(1 - abar), those of eq. 16. Terms from earlier steps of a
// multistep method are not counted.
struct StepFactors {
  double kappa = 1, gamma = 0;
};
StepFactors step_factors(const Purifier& purifier, int order);

// Expected compression rate of that step from the divergence and the squared Frobenius norm of the Jacobian of eps (d
// values):
//   first order  kappa (1 - gamma divergence / d)                                         (eq. 16)
//   second       kappa sqrt(1 - 2 gamma divergence / d + gamma^2 frobenius / d)            (appendix A.3)
double first_order_rate(const StepFactors& s, double divergence, double d);
double second_order_rate(const StepFactors& s, double divergence, double frobenius, double d);

// The Jacobian of the noise predictor at any state: out = J_eps(x)^T v, for the network index of the order-th step. The
// purifier must have been made with gradient. Variance channels of the network are left out.
class EpsJacobian {
 public:
  explicit EpsJacobian(Purifier& purifier) : purifier_(purifier) {}
  void eps(int order, View x, View out);
  void vjp(int order, View x, View v, View out);

 private:
  void run(int order, View x);
  Purifier& purifier_;
};

// Hutchinson's estimator (Commun. Stat. Simul. 19, 1990) with signs v: E <v, J^T v> = trace J, E |J^T v|^2 = |J|_F^2;
// mean and standard error over `probes` draws.
struct Divergence {
  double trace = 0, trace_error = 0;
  double frobenius = 0, frobenius_error = 0;  // of |J|_F^2
  int probes = 0;
};
// At the states x [n,3,h,w] of step `order`; one per image. Signs come from the stream of the compression rate, draws
// 2^20 and up.
std::vector<Divergence> estimate_divergence(EpsJacobian& jacobian, int order, View x, int probes,
                                            const NoiseStream& stream, int64_t seed,
                                            const std::vector<int64_t>& images);
// The same without an estimate, by one vector-Jacobian product per value, `batch` at a time; x is one image. probes =
// 0.
Divergence exact_divergence(EpsJacobian& jacobian, int order, View x, int batch);

// |step(x + delta) - step(x)| / |delta| per image for a fresh delta, uniform in [-eps, eps] in [-1,1] units (the
// off-manifold value of the papers' figure): the step as it is taken, clip included, noise and history held fixed.
std::vector<double> fresh_rates(EpsJacobian& jacobian, const Purifier& purifier, int order, View x, double eps,
                                int draw, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images);

// Share of values per image that the step's clip holds back at x; 0 for steps that do not clip.
std::vector<double> clipped_share(EpsJacobian& jacobian, const Purifier& purifier, int order, View x);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
