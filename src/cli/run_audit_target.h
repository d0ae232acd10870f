// The networks and the defence of an audit, in the scalar of this build.
#pragma once
#include <memory>
#include <optional>

#include "audit/subject.h"
#include "cli/audit_run.h"
#include "cli/load.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class AuditTarget {
 public:
  explicit AuditTarget(const AuditRunOptions& options);
  int batch() const { return batch_; }
  Defended& target() { return *target_; }
  Defended& bare() { return *bare_; }
  const NoiseStream& stream() const { return stream_; }
  AuditFacts facts() const;
  ValueInfo image() const { return classifier_.image(); }
  int classes() const { return classifier_.outputs(); }

 private:
  std::unique_ptr<Defence> honest(const AuditRunOptions& options);
  std::optional<LoadedNet> purifier_;
  LoadedNet classifier_;
  std::optional<Net> unet_;
  Net behind_, alone_;
  NoiseStream stream_;
  int batch_;
  std::unique_ptr<Defended> target_, bare_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
