#include "attack/oracle.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

std::vector<Row> rows_of(const std::vector<int>& images, int64_t step) {
  std::vector<Row> rows;
  for (int i : images) rows.push_back({i, step});
  return rows;
}

void gather(View from, const std::vector<int>& who, View to) {
  for (size_t k = 0; k < who.size(); ++k) transfer(from.images(who[k], 1), to.images(static_cast<int>(k), 1));
}

void scatter(View from, const std::vector<int>& who, View to) {
  for (size_t k = 0; k < who.size(); ++k) transfer(from.images(static_cast<int>(k), 1), to.images(who[k], 1));
}

Oracle::Oracle(const AttackTask& task, LossKind loss, const EotOptions& eot, bool average)
    : task_(task), loss_(loss), eot_(eot), average_(average), capacity_(task.target.batch()), forwards_(task.x0.n, 0.0), backwards_(task.x0.n, 0.0) {
  const View x = task.x0;
  const int classes = task.target.logits().c;
  if (classes < least_classes(loss))
    fail(kUsage, "the classifier has " + std::to_string(classes) + " classes, this loss needs " + std::to_string(least_classes(loss)), "--attack",
         "choose pgd or apgd-ce");
  PURESCOPE_REQUIRE(eot.draws >= 1 && x.n <= capacity_ && static_cast<int>(task.eps.size()) >= x.n && static_cast<int>(task.images.size()) >= x.n);
  input_ = Buffer(capacity_, x.c, x.h, x.w);
  draw_gradient_ = Buffer(capacity_, x.c, x.h, x.w);
  logits_ = Buffer(capacity_, classes, 1, 1, Device::Cpu);
  dlogits_ = Buffer(capacity_, classes, 1, 1, Device::Cpu);
}

// Runs one part of the (row, draw) pairs through the target; its logits go to logits_ and to their places in all_logits_.
void Oracle::forward(View x, const std::vector<Row>& rows, Slots part) {
  slots_.clear();
  for (int k = 0; k < part.count; ++k) {
    const int pair = part.first + k, row = pair / eot_.draws;
    transfer(x.images(row, 1), input_.view().images(k, 1));
    slots_.push_back({task_.images[rows[row].image], rows[row].step, pair % eot_.draws});
    ++forwards_[rows[row].image];
  }
  task_.target.forward(input_.view().images(0, part.count), task_.noise(slots_));
  transfer(task_.target.logits(), logits_.view().images(0, part.count));
  const int classes = logits_.view().c;
  std::copy_n(logits_.data(), static_cast<size_t>(part.count) * classes, all_logits_.data() + static_cast<size_t>(part.first) * classes);
}

// Loss of row n of z; dz (may be null) receives its derivative.
double Oracle::loss_of(const View& z, int n, int image, real* dz) const {
  const int label = task_.labels[image];
  if (loss_ != LossKind::CrossEntropy) return logit_loss(loss_, z.image(n), z.c, label, loss_ == LossKind::TargetedDlr ? targets_[image] : 0, dz);
  real loss = 0;
  cross_entropy_forward(z.images(n, 1), &label, View{&loss, 1, 1});
  if (dz) cross_entropy_backward(z.images(n, 1), &label, 1, View{dz, 1, z.c});
  return loss;
}

// Gradients of one part, whose cotangents of the logits are dz: added to the sums of their rows, or, where every row has one draw and
// nobody looks, left where they are wanted.
void Oracle::backward(const std::vector<Row>& rows, Slots part, View dz, View dx) {
  const View g = draw_gradient_.view().images(0, part.count);
  const Mirror cotangent(dz, g.device);
  task_.target.backward_logits(cotangent.view(), g);
  for (int k = 0; k < part.count; ++k) ++backwards_[rows[(part.first + k) / eot_.draws].image];
  if (direct()) return transfer(g, dx.images(part.first, part.count));
  const size_t size = g.image_size();
  const Mirror host(g);
  for (int k = 0; k < part.count; ++k) {
    if (task_.observe) task_.observe(slots_[k], host.view().image(k), size);
    double* sum = sum_.data() + (part.first + k) / eot_.draws * size;
    const real* from = host.view().image(k);
    for (size_t i = 0; i < size; ++i) sum[i] += from[i];
  }
}

// Losses and predictions of every row from the logits of all draws.
void Oracle::judge(const std::vector<Row>& rows, Evaluation& e) {
  const int classes = e.classes, draws = eot_.draws;
  const View all = all_logits_.view();
  const bool average = average_ || eot_.mode == EotMode::Logits;
  e.logits.resize(rows.size() * classes);
  for (size_t row = 0; row < rows.size(); ++row) {
    real* z = e.logits.data() + row * classes;
    const int first = static_cast<int>(row) * draws, last = first + draws - 1;
    double loss = 0;
    for (int c = 0; c < classes; ++c) {
      double sum = 0;
      for (int d = first; d <= last; ++d) sum += all.image(d)[c];
      z[c] = average ? static_cast<real>(sum / draws) : all.image(last)[c];
    }
    if (average && eot_.mode == EotMode::Loss) {
      for (int d = first; d <= last; ++d) loss += loss_of(all, d, rows[row].image, nullptr);
      loss /= draws;
    } else {
      loss = loss_of(View{z, 1, classes}, 0, rows[row].image, nullptr);
    }
    e.loss.push_back(loss);
    e.prediction.push_back(prediction(z, classes));
  }
}

// dx = sums / draws; rows with a value that is not finite become 0.
void Oracle::finish(View dx) {
  if (!direct()) {
    std::vector<real> mean(sum_.size());
    for (size_t i = 0; i < mean.size(); ++i) mean[i] = static_cast<real>(sum_[i] / eot_.draws);
    from_host(mean.data(), dx);
  }
  std::vector<size_t> not_finite(dx.n);
  zeros_.assign(dx.n, 0);
  count_values(dx, zeros_.data(), not_finite.data());
  bad_.assign(dx.n, 0);
  for (int n = 0; n < dx.n; ++n) {
    bad_[n] = not_finite[n] > 0;
    if (bad_[n]) fill_forward(0, dx.images(n, 1));
  }
}

Evaluation Oracle::run(View x, const std::vector<Row>& rows, View dx) {
  PURESCOPE_REQUIRE(static_cast<int>(rows.size()) <= x.n);
  const int pairs = static_cast<int>(rows.size()) * eot_.draws, classes = logits_.view().c;
  if (all_logits_.size() < static_cast<size_t>(pairs) * classes) all_logits_ = Buffer(pairs, classes, 1, 1, Device::Cpu);
  Evaluation e;
  e.classes = classes;
  const bool gradient = !dx.empty(), logits_mode = eot_.mode == EotMode::Logits, one_pass = pairs <= capacity_;
  if (gradient && !direct()) sum_.assign(rows.size() * x.image_size(), 0.0);
  for (int first = 0; first < pairs; first += capacity_) {
    const Slots part{first, std::min(capacity_, pairs - first)};
    forward(x, rows, part);
    if (!gradient || logits_mode) continue;
    for (int k = 0; k < part.count; ++k) loss_of(logits_.view(), k, rows[(first + k) / eot_.draws].image, dlogits_.view().image(k));
    backward(rows, part, dlogits_.view().images(0, part.count), dx);
  }
  judge(rows, e);
  if (!gradient) return e;
  if (logits_mode) {   // d loss(mean z) / dz_d = loss'(mean z), its 1 / draws being that of finish(); passes run again unless one held them all
    std::vector<real> dmean(rows.size() * classes);
    for (size_t row = 0; row < rows.size(); ++row)
      loss_of(View{e.logits.data() + row * classes, 1, classes}, 0, rows[row].image, dmean.data() + row * classes);
    for (int first = 0; first < pairs; first += capacity_) {
      const Slots part{first, std::min(capacity_, pairs - first)};
      if (!one_pass) forward(x, rows, part);
      for (int k = 0; k < part.count; ++k)
        std::copy_n(dmean.data() + static_cast<size_t>((first + k) / eot_.draws) * classes, classes, dlogits_.view().image(k));
      backward(rows, part, dlogits_.view().images(0, part.count), dx);
    }
  }
  finish(dx.images(0, static_cast<int>(rows.size())));
  return e;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
