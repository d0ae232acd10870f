// Square attack, and the search among random points of the ball.
#include <cmath>

#include "attack/black_box.h"
#include "attack/search.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

class SquareSearch : public Search {
 public:
  SquareSearch(const AttackTask& task, const PgdOptions& o, const AttackSettings& s)
      : Search(task, LossKind::Margin, s.eot, o.restarts, s.queries), s_(s), x_(task.x0.n, task.x0.c, task.x0.h, task.x0.w, Device::Cpu) {}

 protected:
  // Vertical stripes: x = clamp(x0 + eps s), one sign per channel and column.
  void begin(const std::vector<int>& who) override {
    const View x0 = task_.x0;
    for (size_t k = 0; k < who.size(); ++k) {
      const int n = who[k];
      std::vector<float> u(static_cast<size_t>(x0.c) * x0.w);
      task_.stream.start_uniform(task_.seed, task_.images[n], stream_number(AttackKind::Square, restart_), u.data(), u.size());
      const real eps = static_cast<real>(task_.eps[n]);
      for (int c = 0; c < x0.c; ++c)
        for (int i = 0; i < x0.h * x0.w; ++i) {
          const real v = x0.plane(n, c)[i] + (u[static_cast<size_t>(c) * x0.w + i % x0.w] < 0.5f ? -eps : eps);
          x_.view().plane(static_cast<int>(k), c)[i] = std::clamp<real>(v, 0, 1);
        }
    }
    take(who, true);
  }

  // x_new = clamp(clip(x + 2 eps s inside the square, x0 +- eps)).
  void iterate(const std::vector<int>& who, int iteration) override {
    const View x0 = task_.x0;
    const int side = square_side(square_share(iteration, s_), x0.h, x0.w);
    for (size_t k = 0; k < who.size(); ++k) {
      const int n = who[k];
      std::vector<float> u(2 + x0.c);
      task_.stream.start_uniform(task_.seed, task_.images[n], stream_number(AttackKind::Square, restart_, iteration + 1), u.data(), u.size());
      const int row = static_cast<int>(u[0] * (x0.h - side)), column = static_cast<int>(u[1] * (x0.w - side));
      const real eps = static_cast<real>(task_.eps[n]);
      const View x = x_.view().images(static_cast<int>(k), 1);
      std::copy(seekers_[n].x.begin(), seekers_[n].x.end(), x.data);
      for (int c = 0; c < x0.c; ++c) {
        const real delta = u[2 + c] < 0.5f ? -2 * eps : 2 * eps;
        for (int h = row; h < row + side; ++h)
          for (int w = column; w < column + side; ++w) {
            const int i = h * x0.w + w;
            const real base = x0.plane(n, c)[i];
            x.plane(0, c)[i] = std::clamp<real>(std::clamp<real>(x.plane(0, c)[i] + delta, base - eps, base + eps), 0, 1);
          }
      }
    }
    take(who, false);
  }

 private:
  // Moves every image whose margin grew (all of them after a start).
  void take(const std::vector<int>& who, bool start) {
    const Evaluation e = judge(who, x_.view());
    for (size_t k = 0; k < who.size(); ++k) {
      Seeker& s = seekers_[who[k]];
      const bool success = e.loss[k] >= 0 && e.success(static_cast<int>(k), task_.labels[who[k]]);
      if (!(start || e.loss[k] > s.loss || success)) continue;
      s.loss = e.loss[k];
      s.x.assign(x_.view().image(static_cast<int>(k)), x_.view().image(static_cast<int>(k)) + size_);
      if (success) broken(who[k]);
    }
  }

  const AttackSettings& s_;
  Buffer x_;
};

class RandomSearch : public Search {
 public:
  RandomSearch(const AttackTask& task, const PgdOptions& o, const AttackSettings& s)
      : Search(task, LossKind::Margin, s.eot, o.restarts, s.queries), norm_(o.norm), x_(task.x0.n, task.x0.c, task.x0.h, task.x0.w, Device::Cpu) {}

 protected:
  void begin(const std::vector<int>&) override {}
  void iterate(const std::vector<int>& who, int iteration) override {
    for (size_t k = 0; k < who.size(); ++k) {
      const int n = who[k];
      const View to = x_.view().images(static_cast<int>(k), 1);
      random_points(norm_, task_.x0.images(n, 1), {task_.eps[n]}, task_.stream, task_.seed, {task_.images[n]},
                    stream_number(AttackKind::Random, restart_, iteration), to);
      real* x = to.data;
      const real* x0 = task_.x0.image(n);
      const real eps = static_cast<real>(task_.eps[n]);
      if (norm_ == Norm::Linf && iteration % 2)   // the corner of the ball that lies beyond this point
        for (size_t i = 0; i < size_; ++i) x[i] = std::clamp<real>(x0[i] + (x[i] < x0[i] ? -eps : eps), 0, 1);
    }
    const Evaluation e = judge(who, x_.view());
    for (size_t k = 0; k < who.size(); ++k) {
      Seeker& s = seekers_[who[k]];
      const bool success = e.success(static_cast<int>(k), task_.labels[who[k]]);
      if (!success && !(e.loss[k] > s.loss)) continue;
      s.loss = e.loss[k];
      s.x.assign(x_.view().image(static_cast<int>(k)), x_.view().image(static_cast<int>(k)) + size_);
      if (success) broken(who[k]);
    }
  }

 private:
  Norm norm_;
  Buffer x_;
};

}  // namespace

double square_share(int it, const AttackSettings& s) {
  if (s.square_rescale) it = static_cast<int>(static_cast<double>(it) / s.queries * 10000);
  double p = s.square_p;
  for (int edge : {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000}) {
    if (it <= edge) break;
    p /= 2;
  }
  return p;
}

int square_side(double share, int height, int width) {
  const int side = std::max(static_cast<int>(std::nearbyint(std::sqrt(share * height * width))), 1);
  return std::min({side, height, width});
}

AttackResult square(const AttackTask& task, const PgdOptions& o, const AttackSettings& s) { return SquareSearch(task, o, s).run(); }
AttackResult random_search(const AttackTask& task, const PgdOptions& o, const AttackSettings& s) { return RandomSearch(task, o, s).run(); }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
