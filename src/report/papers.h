// Numbers printed in the two papers, for comparison: CIFAR-10 (first 1000 test images, l-inf 8/255, t* = 100 unless given) with the
// papers' own purifier and classifier, a DDPM and a WRN-28-10. Accuracies in %, +- as printed. NaN where the papers have no number.
#pragma once
#include <string>
#include <vector>

#include "report/section.h"

namespace purescope {

struct PapersNumber { double value = kNoNumber, deviation = kNoNumber; };

// Expected compression rate and accuracy under PGD with fixed noise, by sampler (ddpm, reverse, ddim) and t* (v2 Table 2; 200 and 300: v1,
// section 5).
PapersNumber papers_rate(const std::string& sampler, int t);
PapersNumber papers_pgd_fixed(const std::string& sampler, int t);
std::vector<int> papers_times(const std::string& sampler);

// t* = 100: CIFAR-10 for ddpm, reverse, ddim (v2 Table 3); ImageNet for ddpm, vpsde, dpm20 (v2 Table 4).
struct PapersPrediction { PapersNumber clean, rate, predicted_clean, predicted_anchor, pgd_fixed; };
PapersPrediction papers_prediction(const std::string& sampler, bool imagenet);

// Rate of DDPM by magnitude of the perturbation in 1/255 (v2 Table 5: 2, 4, 8, 16, 32) and by seed (v2 Table 6: 0, 123, 295).
PapersNumber papers_rate_by_magnitude(int of255);
PapersNumber papers_rate_by_seed(int64_t seed);

// Rates of PGD's own perturbations, at images that stay robust and at broken ones, and of uniform noise (v1 section 5).
struct PapersAdversarialRates { PapersNumber robust, broken, uniform; };
PapersAdversarialRates papers_adversarial_rates(const std::string& sampler);

// v2 Tables S2 to S4: clean fixed, clean free, attack fixed, free, with EOT-15, transfer. CIFAR-10: DDPM and PGD; ImageNet: guided, t* 150,
// 4/255 and BPDA. By the names that `protocol` prints: "clean, fixed", "robust, eot:15", ...
PapersNumber papers_randomness(const std::string& headline, bool imagenet);
// v2 Table S5: cosine of perturbations, fixed noise against that of another seed ("other"), and EOT against fixed ("eot").
PapersNumber papers_correlation(const std::string& set);

}  // namespace purescope
