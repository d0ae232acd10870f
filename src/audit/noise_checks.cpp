#include "audit/noise_checks.h"

#include <algorithm>
#include <cmath>

#include "io/json_text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

bool random(const Subject& s) { return s.target.defence() && s.target.defence()->random(); }

// Running mean of gradients, and the sum of squared distances to it.
struct Moments {
  explicit Moments(size_t size) : mean(size, 0) {}
  void add(const real* g) {
    ++count;
    for (size_t i = 0; i < mean.size(); ++i) {
      const double d = g[i] - mean[i];
      mean[i] += d / count;
      scatter += d * (g[i] - mean[i]);
    }
  }
  std::vector<double> mean;
  double scatter = 0;
  int count = 0;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

// Even draws make one half, odd draws the other, so every prefix has two halves.
void measure_eot(Subject& s, const Unit& u) {
  if (!random(s)) return;
  std::vector<std::vector<Moments>> half(u.count(), {Moments(u.x.image_size()), Moments(u.x.image_size())});
  std::vector<Moments> whole(u.count(), Moments(u.x.image_size()));
  std::vector<double> counts;
  std::vector<std::vector<double>> cosine(u.count()), ratio(u.count());
  for (int k = 1; k <= s.options.eot_draws; ++k) {
    KeyedNoise noise = s.noise(u, eot_draw(0, s.options.eot_draws, k - 1));
    const Buffer g = s.gradient(u, s.options.backward, AttackLoss::CrossEntropy, noise);
    for (int n = 0; n < u.count(); ++n) {
      half[n][k % 2].add(g.view().image(n));
      whole[n].add(g.view().image(n));
    }
    if (k < 2 || (k & (k - 1))) continue;
    counts.push_back(k);
    for (int n = 0; n < u.count(); ++n) {
      const std::vector<double>&a = half[n][0].mean, &b = half[n][1].mean;
      cosine[n].push_back(dot(a, b) / std::sqrt(dot(a, a) * dot(b, b)));
      ratio[n].push_back(dot(whole[n].mean, whole[n].mean) / (whole[n].scatter / (k - 1) / k));
    }
  }
  for (int n = 0; n < u.count(); ++n)
    s.sink.put("eot", u.ids[n], u.seed,
               JsonLine()
                   .raw("draws", number_list(counts))
                   .raw("cosine", number_list(cosine[n]))
                   .raw("snr", number_list(ratio[n])));
}

void measure_instability(Subject& s, const Unit& u) {
  KeyedNoise noise = s.noise(u);
  s.forward(u.x, &noise);
  const std::vector<double> base = s.target.losses(u.labels.data());
  std::vector<double> sum(u.count(), 0);
  Buffer moved = like(u.x);
  for (int k = 0; k < s.options.instability_directions; ++k) {
    const Buffer v = random_directions(s, u, 2000 + k);
    for (size_t i = 0; i < moved.size(); ++i)
      moved.data()[i] = static_cast<real>(std::clamp(u.x.data[i] + std::copysign(8.0 / 255, v.data()[i]), 0.0, 1.0));
    s.forward(moved.view(), &noise);
    const std::vector<double> loss = s.target.losses(u.labels.data());
    for (int n = 0; n < u.count(); ++n) {
      const double change = std::abs(loss[n] - base[n]);
      sum[n] += base[n] == 0 ? change > 0 : std::min(1.0, change / std::abs(base[n]));
    }
  }
  for (int n = 0; n < u.count(); ++n)
    s.sink.put("instability", u.ids[n], u.seed,
               JsonLine().add("value", sum[n] / s.options.instability_directions).add("loss", base[n]));
}

void measure_control(Subject& s, const Unit& u) {
  if (!random(s)) return;
  KeyedNoise noise = s.noise(u);
  const PgdResult attacked = s.attack(u, s.options.pgd, s.options.eps, [&](int step) {
    noise.set_draw(eot_draw(step, 1, 0));
    return &noise;
  });
  Buffer noisy = copy_of(u.x);
  const Buffer v = random_directions(s, u, 3000);
  for (size_t i = 0; i < noisy.size(); ++i)
    noisy.data()[i] = static_cast<real>(std::clamp(u.x.data[i] + std::copysign(s.options.eps, v.data()[i]), 0.0, 1.0));
  std::vector<std::vector<int64_t>> wrong(3, std::vector<int64_t>(u.count(), 0));
  const View kinds[] = {u.x, noisy.view(), attacked.adversarial.view()};
  for (int m = 0; m < s.options.control_draws; ++m)
    for (int k = 0; k < 3; ++k) {
      noise.set_draw(test_draw(m));
      s.forward(kinds[k], &noise);
      const std::vector<int> predictions = s.target.predictions();
      for (int n = 0; n < u.count(); ++n) wrong[k][n] += predictions[n] != u.labels[n];
    }
  for (int n = 0; n < u.count(); ++n)
    s.sink.put("control", u.ids[n], u.seed,
               JsonLine()
                   .add("draws", s.options.control_draws)
                   .add("clean", wrong[0][n])
                   .add("noise", wrong[1][n])
                   .add("adversarial", wrong[2][n]));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
