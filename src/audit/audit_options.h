// What an audit measures and against which bars it is judged (docs/audit.md). No reals: flags, measurements and judge share it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "attack/attack_options.h"
#include "defence/backward_options.h"

namespace purescope {

class JsonLine;

// Check numbers as in docs/audit.md.
enum AuditCheckId : int {
  kConnected = 1, kDifferences = 2, kModes = 3, kDeterminism = 4, kSaturation = 5, kFlow = 6, kSingleStep = 7, kMoreSteps = 8, kRestarts = 9,
  kBudget = 10, kRandomSearch = 11, kGradientFree = 12, kTransfer = 13, kFixedNoise = 14, kEot = 15, kInstability = 16, kSilent = 17,
  kTransferFailure = 18, kLoss = 19, kLandscape = 20, kBinarisation = 21, kControl = 23, kMinimum = 24
};
const char* audit_check_name(int id);

struct AuditOptions {
  std::string profile = "quick";
  std::vector<int> checks;               // which of them to measure
  PgdOptions pgd;                        // the audited attack
  double eps = 8.0 / 255;
  Backward backward;                     // how the audited attack differentiates; it claims to be exact unless named otherwise
  int eot = 0;                           // noise draws per gradient that the audited protocol uses under free noise; 0: it fixes the noise
  int t_base = 0;
  int proof_images = 2, directions = 10; // check 2: random directions, besides the one along the gradient
  int step_factor = 5;                   // check 8: steps N, 2N, ..., step_factor N
  int restarts = 10;                     // check 9
  std::vector<double> budgets = {2.0 / 255, 4.0 / 255, 8.0 / 255, 16.0 / 255, 0.25, 1};   // check 10
  int budget_images = 50;
  int random_samples = 200, search_queries = 200, search_images = 20;   // checks 11, 12
  int eot_draws = 32;                    // check 15: up to this many
  int instability_directions = 100;      // check 16
  int inner_points = 200;                // check 21
  int control_draws = 20;                // check 23
  bool wants(int id) const;
};

// quick | standard | thorough: sets `profile`, `checks` and the counts. Exit 2 otherwise. `n` is the profile's number of images.
void set_audit_profile(const std::string& name, AuditOptions& options, int& n);

// Every threshold of the verdicts. Accuracies in percentage points.
struct AuditBars {
  double difference_double = 1e-4, difference_production = 1e-2;   // check 2: median relative error
  double recompute_cosine = 1 - 1e-6;       // check 3
  double precision_cosine = .99;            // check 2: production precision against double
  double clipped_last = .05, zero_gradient = .01, straight_through = 1;   // check 5
  double flow_ratio = 1e6;                  // check 6
  double more_steps = 1, loss_gain = .01, loss_tail = .05;   // check 8
  double restarts = 1, random_search = 1, gradient_free = .2, transfer = 0, fixed_noise = 0, loss = 1;
  double split_half_cosine = .9;            // check 15
  double instability = .1;                  // check 16
  double binary_attack = .95, binary_random = .05;   // check 21: success of the attack, at least; of random points, at most
};

// Where measurements go: one line per image, seed and kind.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual bool has(const std::string& kind, int64_t image, int64_t seed) const = 0;
  virtual void put(const std::string& kind, int64_t image, int64_t seed, const JsonLine& fields) = 0;
  // An array that a record refers to, by name.
  virtual void array(const std::string& name, const std::vector<int64_t>& shape, const std::vector<double>& values) = 0;
};

}  // namespace purescope
