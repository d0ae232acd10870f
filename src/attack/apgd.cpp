#include "attack/apgd.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "attack/oracle.h"
#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr double kMomentum = 0.75, kRising = 0.75;

struct Periods { int first, least, decrease; };
Periods periods(int n) {
  return {std::max(static_cast<int>(0.22 * n), 1), std::max(static_cast<int>(0.06 * n), 1), std::max(static_cast<int>(0.03 * n), 1)};
}

// State of one image in one run.
struct Walker {
  std::vector<real> x, x_old, best, best_adversarial, gradient, best_gradient;
  std::vector<double> loss_steps;
  double step = 0, best_loss = 0, best_loss_last_check = 0;
  bool reduced_last_check = true, broken = false;
};

// Its image-sized parts by name, for checkpoints.
std::vector<std::pair<std::string, std::vector<real>*>> images_in(Walker& w) {
  return {{"x", &w.x}, {"x_old", &w.x_old}, {"best", &w.best}, {"best_adversarial", &w.best_adversarial}, {"gradient", &w.gradient},
          {"best_gradient", &w.best_gradient}};
}

double length(const std::vector<real>& v) {
  accum square = 0;
  for (real x : v) square += static_cast<accum>(x) * x;
  return std::sqrt(square);
}

// Onto the ball around x0 and into [0, 1]. l2: x0 + d / (|d| + 1e-12) min(eps, |d|).
void project(Norm norm, const real* x0, double eps, std::vector<real>& x) {
  const real e = static_cast<real>(eps);
  if (norm == Norm::Linf) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::clamp<real>(std::clamp<real>(x[i], x0[i] - e, x0[i] + e), 0, 1);
    return;
  }
  accum square = 0;
  for (size_t i = 0; i < x.size(); ++i) square += (static_cast<accum>(x[i]) - x0[i]) * (static_cast<accum>(x[i]) - x0[i]);
  const double d = std::sqrt(square), scale = std::min(eps, d) / (d + 1e-12);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::clamp<real>(static_cast<real>(x0[i] + (x[i] - x0[i]) * scale), 0, 1);
}

// l-inf: t uniform in (-1, 1), x = clamp(x0 + eps t / (max |t| + 1e-12)), so that one pixel stands on the face; l2: t normal, eps t / |t|.
void start(const AttackTask& task, int n, Norm norm, int number, std::vector<real>& x) {
  const size_t size = x.size();
  std::vector<float> t(size);
  if (norm == Norm::Linf) task.stream.start_uniform(task.seed, task.images[n], number, t.data(), size);
  else task.stream.start_normal(task.seed, task.images[n], number, t.data(), size);
  double scale = 0;
  for (float& v : t) {
    if (norm == Norm::Linf) v = 2 * v - 1;
    scale = norm == Norm::Linf ? std::max<double>(scale, std::abs(v)) : scale + static_cast<double>(v) * v;
  }
  if (norm == Norm::L2) scale = std::sqrt(scale);
  for (size_t i = 0; i < size; ++i)
    x[i] = std::clamp<real>(static_cast<real>(task.x0.image(n)[i] + task.eps[n] * t[i] / (scale + 1e-12)), 0, 1);
}

// z = P(x + step direction), x <- P(x + a (z - x) + (1 - a) (x - x_old)), a = 1 in the first iteration, else 0.75.
void advance(Norm norm, const real* x0, double eps, bool first, Walker& w) {
  std::vector<real> z(w.x.size());
  const double scale = norm == Norm::L2 ? 1 / (length(w.gradient) + 1e-12) : 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const real g = w.gradient[i];
    const double direction = norm == Norm::L2 ? g * scale : g > 0 ? 1 : g < 0 ? -1 : 0;
    z[i] = static_cast<real>(w.x[i] + w.step * direction);
  }
  project(norm, x0, eps, z);
  const real a = static_cast<real>(first ? 1 : kMomentum);
  for (size_t i = 0; i < z.size(); ++i) {
    const real x = w.x[i], d = x - w.x_old[i];
    w.x_old[i] = x;
    w.x[i] = x + (z[i] - x) * a + d * (1 - a);
  }
  project(norm, x0, eps, w.x);
}

// Halves the step of a walker that oscillates or did not improve, and sends it back to its best point.
void check_step(Walker& w, int i, int k) {
  const bool stuck = !w.reduced_last_check && w.best_loss_last_check >= w.best_loss;
  const bool reduce = apgd_oscillates(w.loss_steps, i, k) || stuck;
  w.reduced_last_check = reduce;
  w.best_loss_last_check = w.best_loss;
  if (!reduce) return;
  w.step /= 2;
  w.x = w.best;
  w.gradient = w.best_gradient;
}

LossKind loss_of(AttackKind kind) {
  return kind == AttackKind::ApgdCe ? LossKind::CrossEntropy : kind == AttackKind::ApgdDlr ? LossKind::Dlr : LossKind::TargetedDlr;
}

class Apgd {
 public:
  Apgd(const AttackTask& task, AttackKind kind, const PgdOptions& o, const AttackSettings& s)
      : task_(task), kind_(kind), o_(o), n_(s.apgd_steps), oracle_(task, loss_of(kind), s.eot, s.eot.average), size_(task.x0.image_size()),
        x_(task.x0.n, task.x0.c, task.x0.h, task.x0.w, Device::Cpu), gradient_(task.x0.n, task.x0.c, task.x0.h, task.x0.w, Device::Cpu), result_(values_of_x0()),
        images_(task.x0.n), standing_(task.x0.n, 1), walkers_(task.x0.n) {
    const int classes = task.target.logits().c;
    targets_ = kind == AttackKind::ApgdT ? std::min(s.targets, classes - 1) : 1;
    runs_ = targets_ * std::max(1, o.restarts);
  }

  AttackResult run() {
    if (task_.checkpoint && task_.checkpoint->set) load();
    else judge_clean();
    while (run_ < runs_) {
      if (iteration_ < 0) {
        if (task_.stop && task_.stop()) return stopped();
        begin(active());
      }
      set_targets();
      while (iteration_ < n_ && !active().empty()) {
        if (task_.stop && task_.stop()) return stopped();
        iterate(active());
      }
      end(active());
    }
    AttackResult r{Buffer(task_.x0.n, task_.x0.c, task_.x0.h, task_.x0.w, Device::Cpu), images_, false};
    std::copy(result_.begin(), result_.end(), r.adversarial.data());
    for (int n = 0; n < task_.x0.n; ++n) {
      r.images[n].forwards = oracle_.forwards()[n];
      r.images[n].backwards = oracle_.backwards()[n];
      r.images[n].grad_zero = r.images[n].backwards > 0 ? zeros_[n] / std::max(1.0, gradients_[n]) / size_ : 0;
    }
    if (task_.checkpoint) task_.checkpoint->set = false;
    return r;
  }

 private:
  std::vector<real> values_of_x0() const { return {task_.x0.data, task_.x0.data + task_.x0.size()}; }

  std::vector<int> active() const {
    std::vector<int> who;
    for (int n = 0; n < task_.x0.n; ++n) if (standing_[n] && !images_[n].not_finite) who.push_back(n);
    return who;
  }

  // One pass at x0: misclassified images are broken as they are; the ranking of the classes gives the targets.
  void judge_clean() {
    zeros_.assign(task_.x0.n, 0);
    gradients_.assign(task_.x0.n, 0);
    std::vector<int> all(task_.x0.n);
    std::iota(all.begin(), all.end(), 0);
    set_targets();   // any, for this pass
    const Evaluation e = oracle_.values(task_.x0, rows_of(all, task_.first_step + step_++));
    for (int n : all) {
      if (e.prediction[n] < 0) images_[n].not_finite = true;
      if (!e.success(n, task_.labels[n])) continue;
      standing_[n] = 0;
      images_[n].adversarial_on_path = true;
    }
    if (kind_ != AttackKind::ApgdT) return;
    for (int n : all) {
      const std::vector<int> ranked = ranked_others(e.logits.data() + static_cast<size_t>(n) * e.classes, e.classes, task_.labels[n]);
      for (int k = 0; k < targets_; ++k) ranks_.push_back(ranked[k]);
    }
  }

  void set_targets() {
    if (kind_ != AttackKind::ApgdT) return;
    std::vector<int> targets(task_.x0.n);
    const int which = run_ / std::max(1, o_.restarts);
    for (int n = 0; n < task_.x0.n; ++n)
      targets[n] = ranks_.empty() ? (task_.labels[n] == 0 ? 1 : 0) : ranks_[static_cast<size_t>(n) * targets_ + which];
    oracle_.set_targets(targets);
  }

  // Loss, gradient and success at the current points of the walkers.
  Evaluation judge(const std::vector<int>& who) {
    const View x = x_.view(), g = gradient_.view();
    for (size_t k = 0; k < who.size(); ++k) std::copy(walkers_[who[k]].x.begin(), walkers_[who[k]].x.end(), x.image(static_cast<int>(k)));
    const Evaluation e = oracle_.gradient(x, rows_of(who, task_.first_step + step_++), g);
    for (size_t k = 0; k < who.size(); ++k) {
      const int row = static_cast<int>(k), n = who[k];
      Walker& w = walkers_[n];
      w.gradient.assign(g.image(row), g.image(row) + size_);
      zeros_[n] += static_cast<double>(oracle_.zeros(row));
      ++gradients_[n];
      if (oracle_.bad()[row] || !std::isfinite(e.loss[k])) images_[n].not_finite = true;
      images_[n].loss_last = e.loss[k];
      if (e.success(row, task_.labels[n])) {
        w.best_adversarial = w.x;
        w.broken = images_[n].adversarial_on_path = true;
      }
    }
    return e;
  }

  void begin(const std::vector<int>& who) {
    set_targets();
    for (int n : who) {
      Walker& w = walkers_[n] = Walker{};
      w.x.resize(size_);
      start(task_, n, o_.norm, stream_number(kind_, run_), w.x);
      w.x_old = w.best = w.best_adversarial = w.x;
      w.loss_steps.assign(n_, 0.0);
      w.step = 2 * task_.eps[n];
    }
    if (!who.empty()) {
      const Evaluation e = judge(who);
      for (size_t k = 0; k < who.size(); ++k) {
        Walker& w = walkers_[who[k]];
        w.best_loss = w.best_loss_last_check = e.loss[k];
        w.best_gradient = w.gradient;
        if (run_ == 0) images_[who[k]].loss_start = e.loss[k];
      }
    }
    iteration_ = 0;
    period_ = periods(n_).first;
    since_check_ = 0;
  }

  void iterate(const std::vector<int>& who) {
    const Periods p = periods(n_);
    for (int n : who)
      if (!images_[n].not_finite) advance(o_.norm, task_.x0.image(n), task_.eps[n], iteration_ == 0, walkers_[n]);
    const Evaluation e = judge(who);
    const bool check = ++since_check_ == period_;
    for (size_t k = 0; k < who.size(); ++k) {
      Walker& w = walkers_[who[k]];
      w.loss_steps[iteration_] = e.loss[k];
      if (e.loss[k] > w.best_loss) {
        w.best = w.x;
        w.best_gradient = w.gradient;
        w.best_loss = e.loss[k];
      }
      if (check) check_step(w, iteration_, period_);
    }
    if (check) {
      period_ = std::max(period_ - p.decrease, p.least);
      since_check_ = 0;
    }
    ++iteration_;
  }

  void end(const std::vector<int>& who) {
    for (int n : who)
      if (walkers_[n].broken) {
        standing_[n] = 0;
        std::copy(walkers_[n].best_adversarial.begin(), walkers_[n].best_adversarial.end(), result_.begin() + n * size_);
      }
    ++run_;
    iteration_ = -1;
  }

  AttackResult stopped() {
    if (task_.checkpoint) save();
    return {Buffer(), {}, true};
  }

  void save() const {
    AttackCheckpoint& c = *task_.checkpoint;
    c.set = true;
    c.values = {{"counters", {static_cast<double>(run_), static_cast<double>(iteration_), static_cast<double>(period_), static_cast<double>(since_check_), static_cast<double>(step_)}},
                {"result", doubles(result_)}, {"images", image_numbers(images_)}, {"standing", doubles(standing_)}, {"ranks", doubles(ranks_)},
                {"zeros", zeros_}, {"gradients", gradients_}, {"forwards", oracle_.forwards()}, {"backwards", oracle_.backwards()}};
    for (size_t n = 0; n < walkers_.size(); ++n) {
      Walker w = walkers_[n];
      const std::string at = "walker" + std::to_string(n) + ".";
      for (const auto& [name, list] : images_in(w)) c.values[at + name] = doubles(*list);
      c.values[at + "loss_steps"] = w.loss_steps;
      c.values[at + "scalars"] = {w.step, w.best_loss, w.best_loss_last_check, w.reduced_last_check ? 1.0 : 0.0, w.broken ? 1.0 : 0.0};
    }
  }

  void load() {
    const auto& v = task_.checkpoint->values;
    const std::vector<double>& counters = v.at("counters");
    run_ = static_cast<int>(counters.at(0));
    iteration_ = static_cast<int>(counters.at(1));
    period_ = static_cast<int>(counters.at(2));
    since_check_ = static_cast<int>(counters.at(3));
    step_ = static_cast<int64_t>(counters.at(4));
    result_ = convert<real>(v.at("result"));
    images_ = images_from(v.at("images"));
    standing_ = convert<char>(v.at("standing"));
    ranks_ = convert<int>(v.at("ranks"));
    zeros_ = v.at("zeros");
    gradients_ = v.at("gradients");
    oracle_.set_counts(v.at("forwards"), v.at("backwards"));
    for (size_t n = 0; n < walkers_.size(); ++n) {
      Walker& w = walkers_[n];
      const std::string at = "walker" + std::to_string(n) + ".";
      for (const auto& [name, list] : images_in(w)) *list = convert<real>(v.at(at + name));
      w.loss_steps = v.at(at + "loss_steps");
      const std::vector<double>& s = v.at(at + "scalars");
      w.step = s.at(0);
      w.best_loss = s.at(1);
      w.best_loss_last_check = s.at(2);
      w.reduced_last_check = s.at(3) != 0;
      w.broken = s.at(4) != 0;
    }
  }

  const AttackTask& task_;
  AttackKind kind_;
  const PgdOptions& o_;
  int n_;
  Oracle oracle_;
  size_t size_;
  Buffer x_, gradient_;
  std::vector<real> result_;
  std::vector<PgdImage> images_;
  std::vector<char> standing_;
  std::vector<Walker> walkers_;
  std::vector<int> ranks_;                 // ApgdT: targets_ classes per image
  std::vector<double> zeros_, gradients_;  // per image
  int targets_ = 1, runs_ = 1, run_ = 0, iteration_ = -1, period_ = 0, since_check_ = 0;
  int64_t step_ = 0;                       // evaluations so far: keys the draws of the defence
};

}  // namespace

std::vector<int> apgd_checkpoints(int iterations) {
  const Periods p = periods(iterations);
  std::vector<int> at;
  for (int k = p.first, i = k; i <= iterations; k = std::max(k - p.decrease, p.least), i += k) at.push_back(i);
  return at;
}

bool apgd_oscillates(const std::vector<double>& loss, int i, int k) {
  const int n = static_cast<int>(loss.size());
  int rising = 0;
  for (int j = 0; j < k; ++j) rising += loss[(i - j + n) % n] > loss[(i - j - 1 + n) % n];
  return rising <= kRising * k;
}

AttackResult apgd(const AttackTask& task, AttackKind kind, const PgdOptions& options, const AttackSettings& settings) {
  check_bounds(task.x0);
  return Apgd(task, kind, options, settings).run();
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
