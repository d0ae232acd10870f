// The bodies of the commands that compute, once per scalar: f32::run_train and f64::run_train, and so on. Each returns
// the exit code.
#pragma once
#include "cli/audit_run.h"
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
  int run_bench(const BenchOptions& options);             \
  int run_convert(const ConvertOptions& options);         \
  int run_attack(const AttackOptions& options);           \
  AuditFacts audit_facts(const AuditRunOptions& options); \
  AuditGradients audit_proof(const AuditRunOptions& options, const Dataset& data, AuditSink& sink);                     \
  bool audit_measure(const AuditRunOptions& options, const Dataset& data, const AuditGradients& other, AuditSink& sink); \
  int run_judge_gradient(const AuditRunOptions& options); \
  int run_trace(const AuditRunOptions& options);          \
  Trace trace_for_compare(const CompareOptions& options); \
  std::vector<SelftestNumbers> selftest_numbers();        \
  std::vector<SelftestRow> selftest_checks();             \
  std::string blas_name();  /* of ops/gemm.h */

namespace purescope {
namespace f32 {
PURESCOPE_COMMANDS
}
namespace f64 {
PURESCOPE_COMMANDS
}
}  // namespace purescope
