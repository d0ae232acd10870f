#include "audit/gradient_checks.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "io/json_text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr const char* kScalar = sizeof(real) == 8 ? "f64" : "f32";

// One class against another: the derivative of sum(cotangent * logits) is that of a margin whose runner-up stays who it
// is at u.x.
Buffer margin_cotangent(View logits, const std::vector<int>& labels) {
  Buffer c(logits.n, logits.c, 1, 1, Device::Cpu);
  affine_forward(0, logits, 0, {}, 0, c.view());
  for (int n = 0; n < logits.n; ++n) {
    int other = labels[n] == 0 ? 1 : 0;
    for (int k = 0; k < logits.c; ++k)
      if (k != labels[n] && logits.image(n)[k] > logits.image(n)[other]) other = k;
    c.view().image(n)[other] = 1;
    c.view().image(n)[labels[n]] = -1;
  }
  return c;
}

std::vector<double> products(View a, View b) {
  std::vector<double> sums(a.n, 0);
  for (int n = 0; n < a.n; ++n)
    for (size_t i = 0; i < a.image_size(); ++i) sums[n] += static_cast<double>(a.image(n)[i]) * b.image(n)[i];
  return sums;
}

void record_loss(Subject& s, const Unit& u, AttackLoss kind, const char* name) {
  Buffer g = like(u.x);
  KeyedNoise noise = s.noise(u);
  s.target.set_mode(s.options.backward);
  s.target.set_loss(kind);
  s.forward(u.x, &noise);
  const std::vector<double> losses = s.target.losses(u.labels.data());
  const Buffer logits = s.logits();
  const View z = logits.view();
  std::vector<double> largest(u.count(), 0);
  for (int n = 0; n < z.n; ++n)
    for (int k = 0; k < z.c; ++k) largest[n] = std::max(largest[n], std::abs(static_cast<double>(z.image(n)[k])));
  s.backward(u, g.view());
  s.target.set_loss(AttackLoss::CrossEntropy);
  for (int n = 0; n < u.count(); ++n) {
    int64_t zero = 0, nan = 0, infinite = 0;
    for (size_t i = 0; i < g.view().image_size(); ++i) {
      const real v = g.view().image(n)[i];
      zero += v == 0;
      nan += std::isnan(v);
      infinite += std::isinf(v);
    }
    s.sink.put(name, u.ids[n], u.seed,
               JsonLine()
                   .add("loss", losses[n])
                   .add("largest_logit", largest[n])
                   .add("norm", norm_of(g.view(), n))
                   .add("zero", zero)
                   .add("nan", nan)
                   .add("inf", infinite)
                   .add("values", static_cast<int64_t>(g.view().image_size())));
  }
}

// L = sum(cotangent * logits) per image at x + h v.
std::vector<double> moved_value(Subject& s, const Unit& u, View v, double h, View cotangent, View scratch) {
  KeyedNoise noise = s.noise(u);
  affine_forward(1, u.x, h, v, 0, scratch);
  s.forward(scratch, &noise);
  return products(cotangent, s.logits().view());
}

}  // namespace

void measure_connected(Subject& s, const Unit& u) {
  record_loss(s, u, AttackLoss::CrossEntropy, "gradient:ce");
  record_loss(s, u, AttackLoss::Margin, "gradient:margin");
  constexpr double kLarge = 1099511627776.0;  // 2^40: multiplying by it rounds nothing
  KeyedNoise noise = s.noise(u);
  Buffer g = copy_of(u.x), large = copy_of(u.x), poisoned = copy_of(u.x);
  s.target.set_mode(s.options.backward);
  s.forward(u.x, &noise);
  Buffer c = margin_cotangent(s.logits().view(), u.labels);
  s.backward_logits(c.view(), g.view());
  affine_forward(kLarge, c.view(), 0, {}, 0, c.view());
  s.forward(u.x, &noise);
  s.backward_logits(c.view(), large.view());
  affine_forward(1 / kLarge, large.view(), 0, {}, 0, large.view());
  for (size_t i = 0; i < c.size(); ++i) c.data()[i] = std::numeric_limits<real>::quiet_NaN();
  s.forward(u.x, &noise);
  s.backward_logits(c.view(), poisoned.view());
  for (int n = 0; n < u.count(); ++n) {
    int64_t nan = 0;
    for (size_t i = 0; i < poisoned.view().image_size(); ++i) nan += std::isnan(poisoned.view().image(n)[i]);
    s.sink.put("gradient:probe", u.ids[n], u.seed,
               JsonLine().add("nan_out", nan).add("scaled_error", relative_of(large.view(), g.view(), n)));
  }
}

void measure_differences(Subject& s, const Unit& u) {
  // Small steps show the derivative; in float the smallest drown in rounding.
  const std::vector<double> steps = sizeof(real) == 8 ? std::vector<double>{1e-2, 1e-3, 1e-4, 1e-5, 1e-6}
                                                      : std::vector<double>{1e-1, 3e-2, 1e-2, 3e-3, 1e-3};
  KeyedNoise noise = s.noise(u);
  s.target.set_mode(s.options.backward);
  s.forward(u.x, &noise);
  const Buffer c = margin_cotangent(s.logits().view(), u.labels);
  Buffer g = like(u.x), scratch = like(u.x);
  s.backward_logits(c.view(), g.view());
  for (int k = 0; k <= s.options.directions; ++k) {
    Buffer v = random_directions(s, u, k);
    for (int n = 0; k == 0 && n < u.count(); ++n) {
      const double length = norm_of(g.view(), n);
      if (!(length > 0 && std::isfinite(length))) continue;  // the random direction stays
      for (size_t i = 0; i < v.view().image_size(); ++i)
        v.view().image(n)[i] = static_cast<real>(g.view().image(n)[i] / length);
    }
    const std::vector<double> slope = products(g.view(), v.view());
    std::vector<std::vector<double>> estimate(u.count());
    for (double h : steps) {
      const std::vector<double> up = moved_value(s, u, v.view(), h, c.view(), scratch.view()),
                                down = moved_value(s, u, v.view(), -h, c.view(), scratch.view());
      for (int n = 0; n < u.count(); ++n) estimate[n].push_back((up[n] - down[n]) / (2 * h));
    }
    char name[32];
    std::snprintf(name, sizeof name, "difference:%s:%02d", kScalar, k);
    for (int n = 0; n < u.count(); ++n)
      s.sink.put(name, u.ids[n], u.seed,
                 JsonLine()
                     .add("slope", slope[n])
                     .add("norm", norm_of(g.view(), n))
                     .raw("h", number_list(steps))
                     .raw("estimate", number_list(estimate[n])));
  }
}

void measure_precision(Subject& s, const Unit& u, const std::vector<std::vector<double>>& reference) {
  const Buffer g = s.gradient(u, s.options.backward);
  for (int n = 0; n < u.count(); ++n) {
    double ab = 0, aa = 0, bb = 0, dd = 0;
    for (size_t i = 0; i < g.view().image_size(); ++i) {
      const double a = g.view().image(n)[i], b = reference[n][i];
      ab += a * b, aa += a * a, bb += b * b, dd += (a - b) * (a - b);
    }
    s.sink.put("precision", u.ids[n], u.seed,
               JsonLine().add("cosine", ab / std::sqrt(aa * bb)).add("relative", std::sqrt(dd / bb)));
  }
}

void measure_modes(Subject& s, const Unit& u) {
  const Buffer full = s.gradient(u, Backward::Full);
  auto compare = [&](const std::string& name, View g) {
    for (int n = 0; n < u.count(); ++n)
      s.sink.put("mode:" + name, u.ids[n], u.seed,
                 JsonLine()
                     .add("cosine", cosine_of(g, full.view(), n))
                     .add("relative", relative_of(g, full.view(), n))
                     .add("same_bits", same_bits_of(g, full.view(), n)));
  };
  Defence* defence = s.target.defence();
  if (defence && defence->keep_everything(true)) {
    const Buffer stored = s.gradient(u, Backward::Full);
    defence->keep_everything(false);
    compare("stored", stored.view());
  }
  std::vector<Backward> modes = {Backward::FullSte, Backward::Bpda, Backward::ForwardNoiseOnly};
  if (Purifier* p = s.target.purifier())
    for (int part : {2, 5}) {
      const int steps = static_cast<int>(p->steps().size()) / part;
      if (steps > 0) modes.push_back({Backward::Surrogate, steps});
    }
  for (const Backward& mode : modes)
    if (defence && defence->has_mode(mode)) compare(backward_name(mode), s.gradient(u, mode).view());
}

void measure_determinism(Subject& s, const Unit& u) {
  KeyedNoise fixed = s.noise(u), other = s.noise(u, 1);
  auto pass = [&](const Unit& on, NoiseSource& noise, Buffer& logits) {
    const Buffer g = s.gradient(on, s.options.backward, AttackLoss::Margin, noise);
    s.forward(on.x, &noise);
    logits = s.logits();
    return copy_of(g.view());
  };
  Buffer z, z_other, z_again, z_alone;
  const Buffer g = pass(u, fixed, z);
  pass(u, other, z_other);
  const Buffer again = pass(u, fixed, z_again);
  for (int n = 0; n < u.count(); ++n) {
    const Unit one{u.x.images(n, 1), {u.labels[n]}, {u.ids[n]}, u.seed};
    KeyedNoise noise = s.noise(one);
    const Buffer alone = pass(one, noise, z_alone);
    const bool forward_alone = std::equal(z_alone.data(), z_alone.data() + z_alone.size(), z.view().image(n)),
               gradient_alone = std::equal(alone.data(), alone.data() + alone.size(), g.view().image(n));
    s.sink.put("determinism", u.ids[n], u.seed,
               JsonLine()
                   .add("forward_again", same_bits_of(z.view(), z_again.view(), n))
                   .add("gradient_again", same_bits_of(g.view(), again.view(), n))
                   .add("forward_alone", forward_alone)
                   .add("gradient_alone", gradient_alone));
  }
}

void measure_saturation(Subject& s, const Unit& u) {
  Defence* defence = s.target.defence();
  ClipCensus census;
  if (defence) {
    KeyedNoise noise = s.noise(u);
    defence->count_clips(true);
    s.forward(u.x, &noise);
    census = defence->clips();
    defence->count_clips(false);
  }
  const Buffer purified = s.purified(), g = s.gradient(u, Backward::Full);
  for (int n = 0; n < u.count(); ++n) {
    std::vector<double> stages;
    for (const auto& stage : census.fraction) stages.push_back(stage[n]);
    double zero = 0, outside = 0;
    for (size_t i = 0; i < g.view().image_size(); ++i) {
      zero += g.view().image(n)[i] == 0;
      outside += !(purified.view().image(n)[i] >= 0 && purified.view().image(n)[i] <= 1);
    }
    s.sink.put("clip", u.ids[n], u.seed,
               JsonLine()
                   .add("last", stages.empty() ? 0.0 : stages.back())
                   .raw("stages", number_list(stages))
                   .add("zero", zero / g.view().image_size())
                   .add("outside", outside / g.view().image_size()));
  }
}

void measure_flow(Subject& s, const Unit& u) {
  Purifier* purifier = s.target.purifier();
  if (!purifier) return;
  std::vector<std::vector<double>> norms(u.count());
  std::vector<int64_t> denormal(u.count(), 0), bad(u.count(), 0);
  purifier->on_cotangent = [&](int, View there) {
    const Mirror host(there);
    const View d = host.view();
    for (int n = 0; n < d.n; ++n) {
      norms[n].push_back(norm_of(d, n));
      for (size_t i = 0; i < d.image_size(); ++i) {
        denormal[n] += std::fpclassify(d.image(n)[i]) == FP_SUBNORMAL;
        bad[n] += !std::isfinite(d.image(n)[i]);
      }
    }
  };
  s.gradient(u, Backward::Full);
  purifier->on_cotangent = nullptr;
  for (int n = 0; n < u.count(); ++n)
    s.sink.put("flow", u.ids[n], u.seed,
               JsonLine().raw("norms", number_list(norms[n])).add("denormal", denormal[n]).add("not_finite", bad[n]));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
