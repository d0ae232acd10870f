// audit: from flags to a run directory with records, arrays and verdicts.
#pragma once
#include <string>
#include <vector>

#include "audit/audit_options.h"
#include "cli/options.h"
#include "data/dataset.h"

namespace purescope {

struct AuditRunOptions {
  CommonOptions common;
  NetworkChoice purifier, classifier;   // purifier: a diffusion network, `none`, or `noise:SIGMA`
  PurifyFlags purify;
  NoiseFlags noise;
  double guidance = 0;
  AuditOptions audit;
  AuditBars bars;
  std::string plant;                    // the name of a planted mask
  std::string data = "shapes";
  int64_t count = -1, first = 0;
  int batch = 0;                        // 0: 8 images, fewer for large networks
  std::string out;
  bool resume = false, t_given = false;
  std::vector<std::string> command_line;
  // A gradient made by another program; empty: audit our own.
  std::string gradient, input, labels;
};

// What the header says about the networks.
struct AuditFacts { std::string purifier_sha, classifier_sha, purifier_arch, classifier_arch; };
// One gradient per (seed, proof image), in the order of measurement.
using AuditGradients = std::vector<std::vector<double>>;

// Diffusion options with guidance, and the whole defence as one line.
PurifyOptions audited_purification(const AuditRunOptions& options);
std::string audited_defence(const AuditRunOptions& options);

// Measures what is missing, judges everything, prints. kOk, or kNegative on a FAIL; kStopped if stopped.
int run_audit(const AuditRunOptions& options);

}  // namespace purescope
