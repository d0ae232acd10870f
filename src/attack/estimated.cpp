// SPSA and NES: sign or Adam steps along a gradient estimated from differences of losses.
#include <cmath>

#include "attack/black_box.h"
#include "attack/search.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kAdamEps = 1e-8;   // Kingma and Ba 2015

class Estimated : public Search {
 public:
  Estimated(const AttackTask& task, AttackKind kind, const PgdOptions& o, const AttackSettings& s)
      : Search(task, kind == AttackKind::Nes ? LossKind::CrossEntropy : LossKind::Margin, s.eot, o.restarts, s.queries / (2 * pairs(s) + 1)),
        kind_(kind), o_(o), pairs_(pairs(s)), sigma_(s.sigma > 0 ? s.sigma : kind == AttackKind::Nes ? 0.001 : 0.01), rate_(s.learning_rate),
        directions_(pairs_ * size_), points_(2 * pairs_, task.x0.c, task.x0.h, task.x0.w, Device::Cpu), x_(task.x0.n, task.x0.c, task.x0.h, task.x0.w, Device::Cpu) {}

 protected:
  // From x0, an optimiser without memory.
  void begin(const std::vector<int>& who) override {
    for (int n : who) {
      seekers_[n].x.assign(task_.x0.image(n), task_.x0.image(n) + size_);
      seekers_[n].memory.assign(kind_ == AttackKind::Spsa ? 2 * size_ : 0, 0.0);
    }
  }

  void iterate(const std::vector<int>& who, int iteration) override {
    for (size_t k = 0; k < who.size(); ++k) {
      const int n = who[k];
      const std::vector<double> g = estimate(n, iteration);
      if (kind_ == AttackKind::Nes) sign_step(n, g);
      else adam_step(n, g, iteration);
      std::copy(seekers_[n].x.begin(), seekers_[n].x.end(), x_.view().image(static_cast<int>(k)));
    }
    step_ += 2 * pairs_;
    const Evaluation e = judge(who, x_.view());
    for (size_t k = 0; k < who.size(); ++k) {
      seekers_[who[k]].loss = e.loss[k];
      if (e.success(static_cast<int>(k), task_.labels[who[k]])) broken(who[k]);
    }
  }

 private:
  static int pairs(const AttackSettings& s) { return std::max(1, s.samples / 2); }

  // g = 1/(2 sigma pairs) sum_j (L(x + sigma v_j) - L(x - sigma v_j)) v_j; v_j of signs (Spsa) or standard normal (Nes). Every point
  // counts as a step of its own for the draws of the defence.
  std::vector<double> estimate(int n, int iteration) {
    const int number = stream_number(kind_, restart_, iteration);
    if (kind_ == AttackKind::Nes) task_.stream.start_normal(task_.seed, task_.images[n], number, directions_.data(), directions_.size());
    else task_.stream.start_uniform(task_.seed, task_.images[n], number, directions_.data(), directions_.size());
    std::vector<Row> rows;
    for (int j = 0; j < pairs_; ++j) {
      float* v = directions_.data() + j * size_;
      for (size_t i = 0; i < size_; ++i) {
        if (kind_ == AttackKind::Spsa) v[i] = v[i] < 0.5f ? -1.0f : 1.0f;
        points_.view().image(2 * j)[i] = static_cast<real>(seekers_[n].x[i] + sigma_ * v[i]);
        points_.view().image(2 * j + 1)[i] = static_cast<real>(seekers_[n].x[i] - sigma_ * v[i]);
      }
      rows.push_back({n, task_.first_step + step_ + 2 * j});
      rows.push_back({n, task_.first_step + step_ + 2 * j + 1});
    }
    const Evaluation e = oracle_.values(points_.view(), rows);
    std::vector<double> g(size_, 0.0);
    for (int j = 0; j < pairs_; ++j) {
      const double slope = (e.loss[2 * j] - e.loss[2 * j + 1]) / (2 * sigma_ * pairs_);
      if (!std::isfinite(slope)) images_[n].not_finite = true;
      else for (size_t i = 0; i < size_; ++i) g[i] += slope * directions_[j * size_ + i];
    }
    return g;
  }

  // Onto the ball, then into [0, 1].
  void move(int n, size_t i, double step) {
    const real x0 = task_.x0.image(n)[i], eps = static_cast<real>(task_.eps[n]);
    real& x = seekers_[n].x[i];
    x = std::clamp<real>(std::clamp<real>(static_cast<real>(x + step), x0 - eps, x0 + eps), 0, 1);
  }

  // x += a sign(g), a the step of PgdOptions.
  void sign_step(int n, const std::vector<double>& g) {
    const double a = o_.absolute_step > 0 ? o_.absolute_step : o_.relative_step * task_.eps[n];
    for (size_t i = 0; i < size_; ++i) move(n, i, g[i] > 0 ? a : g[i] < 0 ? -a : 0);
  }

  // m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, x += rate m' / (sqrt(v') + 1e-8), m', v' corrected for their start at 0.
  void adam_step(int n, const std::vector<double>& g, int iteration) {
    double *m = seekers_[n].memory.data(), *v = m + size_;
    const double c1 = 1 - std::pow(kBeta1, iteration + 1), c2 = 1 - std::pow(kBeta2, iteration + 1);
    for (size_t i = 0; i < size_; ++i) {
      m[i] = kBeta1 * m[i] + (1 - kBeta1) * g[i];
      v[i] = kBeta2 * v[i] + (1 - kBeta2) * g[i] * g[i];
      move(n, i, rate_ * (m[i] / c1) / (std::sqrt(v[i] / c2) + kAdamEps));
    }
  }

  AttackKind kind_;
  const PgdOptions& o_;
  int pairs_;
  double sigma_, rate_;
  std::vector<float> directions_;
  Buffer points_, x_;
};

}  // namespace

AttackResult estimated(const AttackTask& task, AttackKind kind, const PgdOptions& o, const AttackSettings& s) {
  return Estimated(task, kind, o, s).run();
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
