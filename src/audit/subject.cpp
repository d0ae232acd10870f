#include "audit/subject.h"

#include <cmath>
#include <cstring>

#include "io/json_text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

Buffer Subject::gradient(const Unit& u, const Backward& mode, AttackLoss loss, NoiseSource& noise) const {
  Buffer g(u.x.n, u.x.c, u.x.h, u.x.w);
  target.set_mode(mode);
  target.set_loss(loss);
  target.forward(u.x, &noise);
  target.backward(u.labels.data(), g.view());
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
  Buffer v(u.x.n, u.x.c, u.x.h, u.x.w);
  std::vector<float> draw(u.x.image_size());
  for (int n = 0; n < u.x.n; ++n) {
    s.stream.start_normal(u.seed, u.ids[n], kBeyondRestarts + index, draw.data(), draw.size());
    accum square = 0;
    for (float d : draw) square += static_cast<accum>(d) * d;
    for (size_t i = 0; i < draw.size(); ++i) v.view().image(n)[i] = static_cast<real>(draw[i] / std::sqrt(square));
  }
  return v;
}

Buffer copy_of(View v) {
  Buffer b(v.n, v.c, v.h, v.w);
  copy_forward(v, b.view());
  return b;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
