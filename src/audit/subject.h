// What is audited, on which images; and the few operations that every check is made of.
// The target runs on its device; everything that a check looks at or makes lies on the host.
#pragma once
#include <string>
#include <vector>

#include "attack/pgd.h"
#include "audit/audit_options.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// One batch of images under one base seed.
struct Unit {
  View x;  // [n,c,h,w] in [0,1], on the host
  std::vector<int> labels;
  std::vector<int64_t> ids;  // positions in the data source: they key the noise
  int64_t seed = 0;
  int count() const { return x.n; }
};

// On the host: a copy, and memory of that shape.
Buffer copy_of(View v);
Buffer like(View v);

class Subject {
 public:
  // target: a defence and a classifier; bare: the same classifier alone, a net of its own. Both for at least as many
  // images as a unit has.
  Subject(Defended& target, Defended& bare, const AuditOptions& options, const NoiseStream& stream, AuditSink& sink)
      : target(target), bare(bare), options(options), stream(stream), sink(sink) {}

  KeyedNoise noise(const Unit& u, uint64_t draw = 0, int64_t other_seed = 0) const {
    return KeyedNoise(stream, u.seed + other_seed, u.ids, draw, options.t_base);
  }
  // Those of the target, with arrays of the host.
  void forward(View x, NoiseSource* noise) const;
  Buffer logits() const { return copy_of(target.logits()); }
  Buffer purified() const { return copy_of(target.purified()); }
  void backward(const Unit& u, View dx) const;
  void backward_logits(View dlogits, View dx) const;
  // PGD from u.x on the target, or on another; the adversarial images are brought to the host.
  PgdResult attack(const Unit& u, const PgdOptions& o, double eps, const StepNoise& noise, Defended* on = nullptr,
                   PgdCheckpoint* state = nullptr, const std::function<bool()>& stop = {}) const;

  // d(sum of losses)/dx at u.x under this noise, in this mode; the target is left in the audited mode with
  // cross-entropy.
  Buffer gradient(const Unit& u, const Backward& mode, AttackLoss loss, NoiseSource& noise) const;
  // The gradient of the margin under the fixed noise: what the checks of the gradient look at, because it does not
  // saturate.
  Buffer gradient(const Unit& u, const Backward& mode) const;

  Defended& target;
  Defended& bare;
  const AuditOptions& options;
  const NoiseStream& stream;
  AuditSink& sink;
};

// Numbers as a JSON array.
std::string number_list(const std::vector<double>& values);
// Over image n: l2 norm, cosine between two, ||a - b|| / ||b||, equal bits.
double norm_of(View v, int n);
double cosine_of(View a, View b, int n);
double relative_of(View a, View b, int n);
bool same_bits_of(View a, View b, int n);
// A unit vector per image, normal before it is scaled, keyed by (seed, image, index): never one that an attack draws.
Buffer random_directions(const Subject& s, const Unit& u, int index);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
