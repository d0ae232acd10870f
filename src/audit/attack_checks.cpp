#include "audit/attack_checks.h"

#include <algorithm>
#include <cmath>

#include "analysis/compression_rate.h"
#include "io/json_text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// Broken, losses and distances of `adversarial` under the fixed noise; `path` may be null.
void record(Subject& s, const Unit& u, const std::string& name, View adversarial, const std::vector<PgdImage>* path,
            const std::string& grad, int steps) {
  KeyedNoise noise = s.noise(u);
  s.forward(adversarial, &noise);
  const std::vector<int> predictions = s.target.predictions();
  const std::vector<double> loss = s.target.losses(u.labels.data());
  s.target.set_loss(AttackLoss::Margin);
  const std::vector<double> margin = s.target.losses(u.labels.data());
  s.target.set_loss(AttackLoss::CrossEntropy);
  const std::vector<double> linf = linf_distances(adversarial, u.x);
  for (int n = 0; n < u.count(); ++n) {
    JsonLine line;
    line.add("broken", predictions[n] != u.labels[n] && predictions[n] >= 0)
        .add("nan", predictions[n] < 0)
        .add("loss", loss[n])
        .add("margin", margin[n])
        .add("linf", linf[n])
        .add("classes", s.target.logits().c)
        .add("grad", grad)
        .add("steps", steps);
    if (path)
      line.add("path", (*path)[n].adversarial_on_path)
          .add("not_finite", (*path)[n].not_finite)
          .add("grad_zero", (*path)[n].grad_zero);
    s.sink.put("attack:" + name, u.ids[n], u.seed, line);
  }
}

// PGD under the fixed noise in one mode, tested and recorded.
void attack(Subject& s, const Unit& u, const std::string& name, const PgdOptions& o, double eps, const Backward& mode,
            AttackLoss loss = AttackLoss::CrossEntropy) {
  KeyedNoise fixed = s.noise(u);
  s.target.set_mode(mode);
  s.target.set_loss(loss);
  const PgdResult c = s.attack(u, o, eps, [&](int) { return &fixed; });
  s.target.set_loss(AttackLoss::CrossEntropy);
  s.target.set_mode(s.options.backward);
  record(s, u, name, c.adversarial.view(), &c.images, backward_name(mode), o.steps);
}

PgdOptions single_step() {
  PgdOptions o;
  o.steps = 1;
  o.relative_step = 1;
  o.random_start = false;
  return o;
}

}  // namespace

void measure_attacks(Subject& s, const Unit& u) {
  record(s, u, "clean", u.x, nullptr, "none", 0);
  attack(s, u, "fgsm", single_step(), s.options.eps, s.options.backward);
  attack(s, u, "pgd", s.options.pgd, s.options.eps, s.options.backward);
  if (s.options.wants(kSaturation) && s.target.defence() && s.target.defence()->has_mode(Backward::FullSte))
    attack(s, u, "pgd-ste", s.options.pgd, s.options.eps, Backward::FullSte);
  if (s.options.wants(kLoss))
    attack(s, u, "pgd-margin", s.options.pgd, s.options.eps, s.options.backward, AttackLoss::Margin);
}

void measure_more_steps(Subject& s, const Unit& u) {
  PgdOptions o = s.options.pgd;
  o.steps = s.options.pgd.steps * s.options.step_factor;
  KeyedNoise fixed = s.noise(u);
  std::vector<std::pair<int, PgdResult>> prefixes;
  std::vector<std::vector<double>> curve(u.count());
  PgdCheckpoint state;
  // Asked before every step: what stands in the checkpoint then is what an attack of so many steps returns.
  const auto look = [&] {
    for (int n = 0; n < u.count() && state.step > 0; ++n) curve[n].push_back(state.images[n].loss_last);
    if (state.step == s.options.pgd.steps || state.step == 2 * s.options.pgd.steps)
      prefixes.emplace_back(state.step, PgdResult{copy_of({state.x.data(), u.x.n, u.x.c, u.x.h, u.x.w}), state.images, false});
    return false;
  };
  const PgdResult r = s.attack(u, o, s.options.eps, [&](int) { return &fixed; }, nullptr, &state, look);
  for (const auto& [steps, c] : prefixes)
    record(s, u, "steps:" + std::to_string(steps), c.adversarial.view(), &c.images, backward_name(s.options.backward),
           steps);
  record(s, u, "steps:" + std::to_string(o.steps), r.adversarial.view(), &r.images, backward_name(s.options.backward),
         o.steps);
  for (int n = 0; n < u.count(); ++n)
    s.sink.put("loss-curve", u.ids[n], u.seed,
               JsonLine().add("steps", s.options.pgd.steps).raw("loss", number_list(curve[n])));
}

void measure_restarts(Subject& s, const Unit& u) {
  PgdOptions o = s.options.pgd;
  o.restarts = s.options.restarts;
  KeyedNoise fixed = s.noise(u);
  PgdCheckpoint state;
  std::vector<std::pair<int, Buffer>> prefixes;
  const auto look = [&] {
    if (state.step == 0 && (state.restart == 1 || state.restart == 2 || state.restart == 5))
      prefixes.emplace_back(state.restart, copy_of({state.result.data(), u.x.n, u.x.c, u.x.h, u.x.w}));
    return false;
  };
  const PgdResult r = s.attack(u, o, s.options.eps, [&](int) { return &fixed; }, nullptr, &state, look);
  for (const auto& [restarts, x] : prefixes)
    record(s, u, "restarts:" + std::to_string(restarts), x.view(), nullptr, backward_name(s.options.backward), o.steps);
  record(s, u, "restarts:" + std::to_string(o.restarts), r.adversarial.view(), nullptr,
         backward_name(s.options.backward), o.steps);
}

void measure_budgets(Subject& s, const Unit& u) {
  for (double eps : s.options.budgets)
    attack(s, u, "budget:" + json_number(eps), s.options.pgd, eps, s.options.backward);
}

void measure_transfer(Subject& s, const Unit& u) {
  const PgdResult alone = s.attack(u, s.options.pgd, s.options.eps, [](int) { return nullptr; }, &s.bare);
  record(s, u, "transfer:classifier", alone.adversarial.view(), nullptr, "classifier alone", s.options.pgd.steps);
  Defence* defence = s.target.defence();
  if (!defence) return;
  KeyedNoise other = s.noise(u, 0, 1);
  if (defence->random()) {
    const PgdResult seed = s.attack(u, s.options.pgd, s.options.eps, [&](int) { return &other; });
    record(s, u, "transfer:seed", seed.adversarial.view(), nullptr, backward_name(s.options.backward),
           s.options.pgd.steps);
  }
  attack(s, u, "transfer:bpda", s.options.pgd, s.options.eps, Backward::Bpda);
  if (Purifier* p = s.target.purifier()) {
    const int steps = static_cast<int>(p->steps().size());
    const Backward shorter{Backward::Surrogate, std::max(1, steps / 5)};
    if (defence->has_mode(shorter)) attack(s, u, "transfer:surrogate", s.options.pgd, s.options.eps, shorter);
  }
}

void measure_fixed_noise(Subject& s, const Unit& u) {
  if (!s.target.defence() || !s.target.defence()->random()) return;
  KeyedNoise fresh = s.noise(u);
  const PgdResult c = s.attack(u, s.options.pgd, s.options.eps, [&](int step) {
    fresh.set_draw(eot_draw(step, 1, 0));
    return &fresh;
  });
  record(s, u, "free", c.adversarial.view(), &c.images, backward_name(s.options.backward), s.options.pgd.steps);
}

void measure_landscape(Subject& s, const Unit& u) {
  constexpr int kHalf = 10;
  const Buffer g = s.gradient(u, s.options.backward), v = random_directions(s, u, 1000);
  KeyedNoise noise = s.noise(u);
  Buffer moved = like(u.x);
  // Loss at x + (i a sgn(g) + j a sgn(v)) with a = eps / 10.
  std::vector<std::vector<double>> grid(u.count());
  for (int i = -kHalf; i <= kHalf; ++i)
    for (int j = -kHalf; j <= kHalf; ++j) {
      for (size_t k = 0; k < moved.size(); ++k) {
        const double a = std::copysign(1.0, g.data()[k]) * i + std::copysign(1.0, v.data()[k]) * j;
        moved.data()[k] = static_cast<real>(std::clamp(u.x.data[k] + s.options.eps / kHalf * a, 0.0, 1.0));
      }
      s.forward(moved.view(), &noise);
      const std::vector<double> loss = s.target.losses(u.labels.data());
      for (int n = 0; n < u.count(); ++n) grid[n].push_back(loss[n]);
    }
  for (int n = 0; n < u.count(); ++n) {
    double along = 0, across = 0;
    auto at = [&](int i, int j) { return grid[n][(i + kHalf) * (2 * kHalf + 1) + j + kHalf]; };
    for (int i = 1 - kHalf; i < kHalf; ++i) {
      along = std::max(along, std::abs(at(i + 1, 0) - 2 * at(i, 0) + at(i - 1, 0)));
      across = std::max(across, std::abs(at(0, i + 1) - 2 * at(0, i) + at(0, i - 1)));
    }
    s.sink.put("landscape", u.ids[n], u.seed,
               JsonLine().add("along", along).add("across", across).raw("loss", number_list(grid[n])));
  }
}

// ---- without gradients

namespace {

// Keeps, per image, the candidate of largest margin. Returns true once all images are broken.
class Best {
 public:
  Best(Subject& s, const Unit& u) : s_(s), u_(u), noise_(s.noise(u)), x(copy_of(u.x)), margin_(u.count(), -INFINITY) {}
  bool offer(View candidate) {
    s_.forward(candidate, &noise_);
    s_.target.set_loss(AttackLoss::Margin);
    const std::vector<double> margin = s_.target.losses(u_.labels.data());
    s_.target.set_loss(AttackLoss::CrossEntropy);
    bool all = true;
    for (int n = 0; n < u_.count(); ++n) {
      if (margin[n] > margin_[n] && !(margin_[n] > 0)) {
        margin_[n] = margin[n];
        std::copy_n(candidate.image(n), candidate.image_size(), x.view().image(n));
      }
      all = all && margin_[n] > 0;
    }
    return all;
  }

 private:
  Subject& s_;
  const Unit& u_;
  KeyedNoise noise_;

 public:
  Buffer x;

 private:
  std::vector<double> margin_;
};

constexpr int kRandomDraws = 1 << 21, kSearchDraws = 1 << 22;  // beyond the restarts that an attack can have

}  // namespace

void measure_random_search(Subject& s, const Unit& u) {
  Best best(s, u);
  Buffer candidate = like(u.x);
  std::vector<float> draw(u.x.image_size());
  for (int k = 0; k < s.options.random_samples; ++k) {
    for (int n = 0; n < u.count(); ++n) {
      s.stream.start_uniform(u.seed, u.ids[n], kRandomDraws + k, draw.data(), draw.size());
      for (size_t i = 0; i < draw.size(); ++i) {
        const double offset =
            k % 2 ? (draw[i] < 0.5f ? -1 : 1) : 2 * draw[i] - 1;  // corners and uniform points take turns
        candidate.view().image(n)[i] =
            static_cast<real>(std::clamp(u.x.image(n)[i] + s.options.eps * offset, 0.0, 1.0));
      }
    }
    if (best.offer(candidate.view())) break;
  }
  record(s, u, "random", best.x.view(), nullptr, "none", s.options.random_samples);
}

// Starts from vertical stripes at +-eps; then, query by query, sets one square of all channels to +-eps and keeps what
// raises the margin. The sides of the squares shrink as in Square (Andriushchenko et al. 2020); position and signs are
// drawn per image.
void measure_gradient_free(Subject& s, const Unit& u) {
  Best best(s, u);
  Buffer candidate = copy_of(u.x);
  const int h = u.x.h, w = u.x.w, c = u.x.c, queries = s.options.search_queries;
  std::vector<float> draw(std::max<size_t>(8, c * w));
  auto set = [&](int n, int channel, int row, int column, bool up) {
    const size_t i = (static_cast<size_t>(channel) * h + row) * w + column;
    candidate.view().image(n)[i] =
        static_cast<real>(std::clamp(u.x.image(n)[i] + (up ? s.options.eps : -s.options.eps), 0.0, 1.0));
  };
  for (int q = 0; q < queries; ++q) {
    copy_forward(best.x.view(), candidate.view());
    double share = 0.8;
    for (int edge : {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000})
      if (static_cast<int64_t>(q) * 10000 / queries > edge) share /= 2;
    const int side = std::clamp(static_cast<int>(std::lround(std::sqrt(share * h * w))), 1, std::min(h, w));
    for (int n = 0; n < u.count(); ++n) {
      s.stream.start_uniform(u.seed, u.ids[n], kSearchDraws + q, draw.data(), draw.size());
      const int top = q ? static_cast<int>(draw[6] * (h - side + 1)) : 0,
                left = q ? static_cast<int>(draw[7] * (w - side + 1)) : 0;
      for (int k = 0; k < c; ++k)
        for (int y = 0; y < (q ? side : h); ++y)
          for (int x = 0; x < (q ? side : w); ++x)
            set(n, k, std::min(top + y, h - 1), std::min(left + x, w - 1), draw[q ? k % 6 : k * w + x] < 0.5f);
    }
    if (best.offer(candidate.view())) break;
  }
  record(s, u, "search", best.x.view(), nullptr, "none", queries);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
