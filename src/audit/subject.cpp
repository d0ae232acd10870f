#include "audit/subject.h"

#include <cmath>
#include <cstring>

#include "io/json_text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void Subject::forward(View x, NoiseSource* noise) const {
  target.forward(Mirror(x, target.device()).view(), noise);
}

void Subject::backward(const Unit& u, View dx) const {
  const Mirror there(dx, target.device(), Mirror::Load::No);
  target.backward(u.labels.data(), there.view());
  there.store();
}

void Subject::backward_logits(View dlogits, View dx) const {
  const Mirror given(dlogits, target.device()), there(dx, target.device(), Mirror::Load::No);
  target.backward_logits(given.view(), there.view());
  there.store();
}

PgdResult Subject::attack(const Unit& u, const PgdOptions& o, double eps, const StepNoise& noise, Defended* on,
                          PgdCheckpoint* state, const std::function<bool()>& stop) const {
  const Mirror x(u.x, target.device());
  PgdResult r = pgd(on ? *on : target, x.view(), u.labels.data(), std::vector<double>(u.count(), eps), o, stream, u.seed,
                    u.ids, noise, state, stop);
  if (r.adversarial.device() != Device::Cpu) r.adversarial = copy_of(r.adversarial.view());
  return r;
}

Buffer Subject::gradient(const Unit& u, const Backward& mode, AttackLoss loss, NoiseSource& noise) const {
  Buffer g = like(u.x);
  target.set_mode(mode);
  target.set_loss(loss);
  forward(u.x, &noise);
  backward(u, g.view());
  target.set_loss(AttackLoss::CrossEntropy);
  target.set_mode(options.backward);
  return g;
}

Buffer Subject::gradient(const Unit& u, const Backward& mode) const {
  KeyedNoise fixed = noise(u);
  return gradient(u, mode, AttackLoss::Margin, fixed);
}

std::string number_list(const std::vector<double>& values) {
  std::vector<std::string> items;
  for (double v : values) items.push_back(json_number(v));
  return json_array(items);
}

namespace {

double dot_of(View a, View b, int n) {
  accum sum = 0;
  for (size_t i = 0; i < a.image_size(); ++i) sum += static_cast<accum>(a.image(n)[i]) * b.image(n)[i];
  return sum;
}

}  // namespace

double norm_of(View v, int n) { return std::sqrt(dot_of(v, v, n)); }

double cosine_of(View a, View b, int n) { return dot_of(a, b, n) / (norm_of(a, n) * norm_of(b, n)); }

double relative_of(View a, View b, int n) {
  accum sum = 0;
  for (size_t i = 0; i < a.image_size(); ++i) {
    const accum d = static_cast<accum>(a.image(n)[i]) - b.image(n)[i];
    sum += d * d;
  }
  return std::sqrt(sum) / norm_of(b, n);
}

bool same_bits_of(View a, View b, int n) {
  return std::memcmp(a.image(n), b.image(n), a.image_size() * sizeof(real)) == 0;
}

Buffer random_directions(const Subject& s, const Unit& u, int index) {
  constexpr int kBeyondRestarts = 1 << 20;
  Buffer v = like(u.x);
  std::vector<float> draw(u.x.image_size());
  for (int n = 0; n < u.x.n; ++n) {
    s.stream.start_normal(u.seed, u.ids[n], kBeyondRestarts + index, draw.data(), draw.size());
    accum square = 0;
    for (float d : draw) square += static_cast<accum>(d) * d;
    for (size_t i = 0; i < draw.size(); ++i) v.view().image(n)[i] = static_cast<real>(draw[i] / std::sqrt(square));
  }
  return v;
}

Buffer like(View v) { return Buffer(v.n, v.c, v.h, v.w, Device::Cpu); }

Buffer copy_of(View v) {
  Buffer b = like(v);
  transfer(v, b.view());
  return b;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
