#include "audit/audit_options.h"

#include <algorithm>

#include "core/check.h"

namespace purescope {

const char* audit_check_name(int id) {
  switch (id) {
    case kConnected: return "connected";
    case kDifferences: return "differences";
    case kModes: return "modes";
    case kDeterminism: return "determinism";
    case kSaturation: return "saturation";
    case kFlow: return "flow";
    case kSingleStep: return "single-step";
    case kMoreSteps: return "more-steps";
    case kRestarts: return "restarts";
    case kBudget: return "budget";
    case kRandomSearch: return "random-search";
    case kGradientFree: return "gradient-free";
    case kTransfer: return "transfer";
    case kFixedNoise: return "fixed-noise";
    case kEot: return "eot";
    case kInstability: return "instability";
    case kSilent: return "silent-success";
    case kTransferFailure: return "transfer-failure";
    case kLoss: return "loss";
    case kLandscape: return "landscape";
    case kBinarisation: return "binarisation";
    case kControl: return "control";
    case kMinimum: return "minimum";
  }
  return "?";
}

bool AuditOptions::wants(int id) const { return std::find(checks.begin(), checks.end(), id) != checks.end(); }

void set_audit_profile(const std::string& name, AuditOptions& o, int& n) {
  const std::vector<int> quick = {kConnected,  kDifferences, kModes,  kDeterminism, kSaturation, kFlow,
                                  kSingleStep, kInstability, kSilent, kLoss,        kMinimum};
  const std::vector<int> standard = {kMoreSteps,  kBudget, kRandomSearch,    kGradientFree, kTransfer,
                                     kFixedNoise, kEot,    kTransferFailure, kControl};
  o.profile = name;
  o.checks = quick;
  if (name == "quick") {
    n = 8;
    o.pgd.steps = 20;
    o.instability_directions = 20;
    return;
  }
  n = 100;
  o.pgd.steps = 40;
  o.proof_images = 4;
  o.checks.insert(o.checks.end(), standard.begin(), standard.end());
  if (name == "standard") {
    o.budget_images = 20;
  } else if (name == "thorough") {
    o.checks.insert(o.checks.end(), {kRestarts, kLandscape, kBinarisation});
    o.random_samples = 10000;
    o.search_queries = 5000;
  } else {
    fail(kUsage, "unknown profile '" + name + "'", "audit", "choose quick, standard or thorough");
  }
  std::sort(o.checks.begin(), o.checks.end());
}

}  // namespace purescope
