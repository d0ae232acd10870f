#include "attack/pgd.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "attack/oracle.h"
#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// What PGD climbs: the loss that the target was given.
LossKind loss_of(const Defended& target) { return target.loss() == AttackLoss::Margin ? LossKind::Margin : LossKind::CrossEntropy; }

// One PGD run over all restarts. Images stay on their device; put_away() and take_up() move them to and from the state.
class Run {
 public:
  Run(const AttackTask& task, const PgdOptions& o, const EotOptions& eot, PgdCheckpoint& state)
      : task_(task), x0_(task.x0), o_(o), draws_(eot.draws), s_(state), oracle_(task, loss_of(task.target), eot, true), step_(x0_.n, 1, 1, 1), eps_(x0_.n, 1, 1, 1),
        gradient_(x0_.n, x0_.c, x0_.h, x0_.w), x_(x0_.n, x0_.c, x0_.h, x0_.w), result_(x0_.n, x0_.c, x0_.h, x0_.w), all_(x0_.n) {
    if (o.best_iterate) best_ = Buffer(x0_.n, x0_.c, x0_.h, x0_.w);
    std::iota(all_.begin(), all_.end(), 0);
    std::vector<real> budget, step;
    for (int n = 0; n < x0_.n; ++n) {
      budget.push_back(static_cast<real>(task.eps[n]));
      step.push_back(static_cast<real>(o.absolute_step > 0 ? o.absolute_step : o.relative_step * task.eps[n]));
    }
    from_host(budget.data(), eps_.view());
    from_host(step.data(), step_.view());
  }

  // A fresh state: nothing done yet.
  void reset() {
    const size_t n = x0_.n;
    s_ = PgdCheckpoint{};
    s_.set = true;
    fill_forward(0, result_.view());
    s_.result_images.resize(n);
    s_.done.assign(n, 0);
  }

  // Random start or x0, and no step taken.
  void begin_restart() {
    const size_t n = x0_.n;
    if (o_.random_start) {
      random_points(o_.norm, x0_, task_.eps, task_.stream, task_.seed, task_.images, stream_number(AttackKind::Pgd, s_.restart), iterate());
    } else {
      copy_forward(x0_, iterate());
    }
    s_.step = 0;
    s_.images.assign(n, {});
    s_.zeros.assign(n, 0);
    s_.best_loss.assign(n, -1);
    if (o_.best_iterate) copy_forward(iterate(), best_.view());
  }

  void one_step() {
    const View x = iterate();
    const Evaluation e = oracle_.gradient(x, rows(s_.step), gradient_.view());
    observe(e);
    guard();
    if (o_.norm == Norm::Linf) linf_step(x0_, gradient_.view(), step_.view(), eps_.view(), x);
    else l2_step(x0_, gradient_.view(), step_.view(), eps_.view(), x);
    ++s_.step;
  }

  // Takes over the iterate of every image that no earlier restart has broken.
  void end_restart() {
    const View x = iterate();
    const size_t size = x.image_size();
    if (o_.best_iterate) remember_best(oracle_.values(x, rows(o_.steps)).loss);   // the last iterate is one of the candidates
    for (int n = 0; n < x.n; ++n) {
      s_.images[n].grad_zero = o_.steps ? static_cast<double>(s_.zeros[n]) / o_.steps / size : 0;
      if (o_.best_iterate && s_.best_loss[n] >= 0) copy_forward(best_.view().images(n, 1), x.images(n, 1));
    }
    Evaluation check;
    if (o_.restarts > 1) check = oracle_.values(x, rows(o_.steps));
    const double checks = (o_.restarts > 1) + o_.best_iterate, restarts = s_.restart + 1;
    for (int n = 0; n < x.n; ++n) {
      s_.images[n].forwards = (o_.steps + checks) * restarts * draws_;
      s_.images[n].backwards = static_cast<double>(o_.steps) * restarts * draws_;
      if (s_.done[n]) {   // every restart runs for every image
        s_.result_images[n].forwards = s_.images[n].forwards;
        s_.result_images[n].backwards = s_.images[n].backwards;
        continue;
      }
      copy_forward(x.images(n, 1), result_.view().images(n, 1));
      s_.images[n].adversarial_on_path = s_.images[n].adversarial_on_path || s_.result_images[n].adversarial_on_path;
      s_.result_images[n] = s_.images[n];
      s_.done[n] = o_.restarts > 1 && check.prediction[n] != task_.labels[n];
    }
    ++s_.restart;
  }

  View iterate() const { return x_.view(); }
  Buffer take_result() { return std::move(result_); }

  void put_away() {
    s_.x = to_host(x_.view());
    s_.best = o_.best_iterate ? to_host(best_.view()) : std::vector<real>();
    s_.result = to_host(result_.view());
  }
  void take_up() {
    from_host(s_.x.data(), x_.view());
    if (o_.best_iterate) from_host(s_.best.data(), best_.view());
    from_host(s_.result.data(), result_.view());
  }

 private:
  // One row per image, in the step counted through all restarts.
  std::vector<Row> rows(int step) const { return rows_of(all_, task_.first_step + static_cast<int64_t>(s_.restart) * (o_.steps + 1) + step); }

  // Losses and predictions at the current iterate, which the forward pass has computed anyway.
  void observe(const Evaluation& e) {
    if (o_.best_iterate) remember_best(e.loss);
    for (int n = 0; n < x0_.n; ++n) {
      PgdImage& image = s_.images[n];
      if (s_.step == 0) image.loss_start = e.loss[n];
      image.loss_last = e.loss[n];
      if (!std::isfinite(e.loss[n])) image.not_finite = true;
      if (e.success(n, task_.labels[n])) image.adversarial_on_path = true;
    }
  }

  // Keeps the current iterate of every image whose loss is the highest so far.
  void remember_best(const std::vector<double>& loss) {
    for (int n = 0; n < x0_.n; ++n)
      if (loss[n] > s_.best_loss[n]) {
        s_.best_loss[n] = loss[n];
        copy_forward(x_.view().images(n, 1), best_.view().images(n, 1));
      }
  }

  // Counts zero gradient values; an image with a gradient that is not finite does not move any more.
  void guard() {
    for (int n = 0; n < x0_.n; ++n) {
      if (oracle_.bad()[n]) s_.images[n].not_finite = true;
      s_.zeros[n] += oracle_.zeros(n);
      if (s_.images[n].not_finite) fill_forward(0, gradient_.view().images(n, 1));
    }
  }

  const AttackTask& task_;
  View x0_;
  const PgdOptions& o_;
  int draws_;
  PgdCheckpoint& s_;
  Oracle oracle_;
  Buffer step_, eps_, gradient_, x_, result_, best_;
  std::vector<int> all_;   // 0 ... n - 1
};

}  // namespace

AttackCheckpoint pack(const PgdCheckpoint& c) {
  return {c.set, {{"x", doubles(c.x)}, {"best", doubles(c.best)}, {"result", doubles(c.result)}, {"best_loss", c.best_loss}, {"images", image_numbers(c.images)},
                  {"result_images", image_numbers(c.result_images)}, {"zeros", doubles(c.zeros)}, {"done", doubles(c.done)},
                  {"counters", {static_cast<double>(c.restart), static_cast<double>(c.step)}}}};
}

PgdCheckpoint unpack_pgd(const AttackCheckpoint& state) {
  PgdCheckpoint c;
  if (!state.set) return c;
  const auto& v = state.values;
  c.set = true;
  c.x = convert<real>(v.at("x"));
  c.best = convert<real>(v.at("best"));
  c.result = convert<real>(v.at("result"));
  c.best_loss = v.at("best_loss");
  c.images = images_from(v.at("images"));
  c.result_images = images_from(v.at("result_images"));
  c.zeros = convert<size_t>(v.at("zeros"));
  c.done = convert<char>(v.at("done"));
  c.restart = static_cast<int>(v.at("counters").at(0));
  c.step = static_cast<int>(v.at("counters").at(1));
  return c;
}

PgdOptions fgsm_options(const PgdOptions& options) {
  PgdOptions o;
  o.norm = options.norm;
  o.steps = 1;
  o.relative_step = 1;
  o.random_start = false;
  return o;
}

AttackResult pgd(const AttackTask& task, const PgdOptions& o, const EotOptions& eot, PgdCheckpoint* checkpoint) {
  check_bounds(task.x0);
  PgdCheckpoint own;
  PgdCheckpoint& state = checkpoint ? *checkpoint : own;
  Run run(task, o, eot, state);
  bool inside = state.set;  // taken up in the middle of a restart
  if (inside) run.take_up();
  else run.reset();
  while (state.restart < std::max(1, o.restarts)) {
    if (!inside) run.begin_restart();
    inside = false;
    while (state.step < o.steps) {
      if (task.stop) {
        run.put_away();   // whoever is asked may look
        if (task.stop()) return {Buffer(), {}, true};
      }
      run.one_step();
    }
    run.end_restart();
  }
  state.set = false;
  return {run.take_result(), state.result_images, false};
}

PgdResult pgd(Defended& target, View x0, const int* labels, const std::vector<double>& eps, const PgdOptions& o, const NoiseStream& stream,
              int64_t seed, const std::vector<int64_t>& images, const StepNoise& noise, PgdCheckpoint* checkpoint,
              const std::function<bool()>& stop) {
  const SlotNoise slots = [&noise](const std::vector<NoiseSlot>& s) { return noise(static_cast<int>(s[0].step)); };
  return pgd(AttackTask{target, x0, labels, eps, stream, seed, images, slots, stop}, o, {}, checkpoint);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
