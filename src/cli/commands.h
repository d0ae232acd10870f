// The bodies of the commands that compute, once per scalar: f32::run_train and f64::run_train, and so on. Each returns
// the exit code.
#pragma once
#include "cli/options.h"
#include "cli/selftest.h"
#include "cli/trace.h"
#ifdef PURESCOPE_REAL_IS_DOUBLE
#include "core/real.h"  // makes the scalar's namespace inline, before it is opened below
#endif

#define PURESCOPE_COMMANDS                                \
  int run_train(const TrainOptions& options);             \
  int run_forward(const ForwardOptions& options);         \
  int run_vjp(const ForwardOptions& options);             \
  int run_purify(const PurifyRunOptions& options);        \
  int run_gradient(const PurifyRunOptions& options);      \
  int run_explain(const ExplainOptions& options);         \
  int run_convert(const ConvertOptions& options);         \
  int run_attack(const AttackOptions& options);           \
  Trace trace_for_compare(const CompareOptions& options); \
  std::vector<SelftestNumbers> selftest_numbers();        \
  std::vector<SelftestRow> selftest_checks();

namespace purescope {
namespace f32 {
PURESCOPE_COMMANDS
}
namespace f64 {
PURESCOPE_COMMANDS
}
}  // namespace purescope
