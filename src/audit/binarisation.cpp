#include "audit/binarisation.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "io/json_text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kPointDraws = 1 << 23, kSampleDraws = kPointDraws + (1 << 22);  // beyond those of the other checks
constexpr double kInnerRadius = 0.9, kCloseness = 0.99;

// Solves M y = b for a symmetric positive definite M [n][n] by Cholesky's factorisation, in place: b becomes y.
void solve(std::vector<double>& m, std::vector<double>& b) {
  const size_t n = b.size();
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j <= i; ++j) {
      double sum = m[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= m[i * n + k] * m[j * n + k];
      m[i * n + j] = i == j ? std::sqrt(sum) : sum / m[j * n + j];
    }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= m[i * n + k] * b[k];
    b[i] /= m[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= m[k * n + i] * b[k];
    b[i] /= m[i * n + i];
  }
}

double dot(const double* a, const double* b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// logit 1 - logit 0 = <w, features> - threshold.
struct Readout {
  std::vector<double> w;
  double threshold = 0;
};

// 0 at the threshold, which lies kCloseness of the way from the outermost inner point to `point`, and 1 - kCloseness at
// `point`. The weakest ridge wins only where stronger ones do not separate. Empty if none does.
std::optional<Readout> fit(const std::vector<double>& inner, const std::vector<double>& point) {
  const size_t k = point.size();
  for (double ridge : {1e-2, 1e-4, 1e-6}) {
    Readout r{readout_direction(inner, point, ridge), 0};
    const double there = dot(r.w.data(), point.data(), k);
    double nearest = -INFINITY;
    for (size_t i = 0; i < inner.size(); i += k) nearest = std::max(nearest, dot(r.w.data(), &inner[i], k));
    const double gap = there - nearest;
    if (!(gap > 0)) continue;
    for (double& v : r.w) v /= gap;
    r.threshold = (nearest + kCloseness * gap) / gap;
    return r;
  }
  return {};
}

// The model with two classes.
Model two_classes(Model m) {
  Step& head = m.steps.back();
  head.linear.out = 2;
  m.values[m.output].c = 2;
  for (int k : {0, 1}) m.params[head.param[k]].shape[0] = 2;
  return m;
}

// The classifier with a last layer of its own, of two classes; all other parameters are copies.
class Binary {
 public:
  Binary(Net& from, int batch) : model_(two_classes(from.model())), params_(std::make_shared<Params>(model_)), net(model_, params_) {
    for (int i = 0; i < params_->count(); ++i)
      if (i != weight() && i != bias()) copy_forward(from.params().view(i), params_->view(i));
    net.plan(batch, Mode::InputGrad);
  }
  void set(const Readout& r) {
    std::vector<real> w(2 * r.w.size(), 0);
    std::copy(r.w.begin(), r.w.end(), w.begin() + r.w.size());
    const real b[2] = {0, static_cast<real>(-r.threshold)};
    from_host(w.data(), params_->view(weight()));
    from_host(b, params_->view(bias()));
  }
  // Of the last forward pass, image n.
  std::vector<double> features(int n) const {
    const std::vector<real> f = to_host(net.value(model_.steps.back().in[0]).images(n, 1));
    return {f.begin(), f.end()};
  }

 private:
  int weight() const { return model_.steps.back().param[0]; }
  int bias() const { return model_.steps.back().param[1]; }
  Model model_;
  std::shared_ptr<Params> params_;

 public:
  Net net;
};

// Uniform points of the ball of `radius` around one image, clamped to [0, 1]; `number` names the first of them.
void uniform_points(const Subject& s, const Unit& one, double radius, int number, View out) {
  std::vector<float> draw(one.x.image_size());
  for (int n = 0; n < out.n; ++n) {
    s.stream.start_uniform(one.seed, one.ids[0], number + n, draw.data(), draw.size());
    for (size_t i = 0; i < draw.size(); ++i)
      out.image(n)[i] = static_cast<real>(std::clamp(one.x.data[i] + radius * (2 * draw[i] - 1), 0.0, 1.0));
  }
}

// Runs points of one image through the target, all under the noise of the image.
void run_points(Subject& s, const Unit& one, View points) {
  KeyedNoise noise(s.stream, one.seed, std::vector<int64_t>(points.n, one.ids[0]), 0, s.options.t_base);
  s.forward(points, &noise);
}

// Features of x and of the inner points, [1 + inner_points][K]; then of a uniform point moved out to distance eps.
std::vector<double> inner_features(Subject& s, const Binary& binary, const Unit& one) {
  std::vector<double> rows;
  const auto collect = [&](View points) {
    run_points(s, one, points);
    for (int n = 0; n < points.n; ++n) {
      const std::vector<double> f = binary.features(n);
      rows.insert(rows.end(), f.begin(), f.end());
    }
  };
  collect(one.x);
  Buffer points(s.target.batch(), one.x.c, one.x.h, one.x.w, Device::Cpu);
  for (int k = 0; k < s.options.inner_points; k += s.target.batch()) {
    const View part = points.view().images(0, std::min(s.target.batch(), s.options.inner_points - k));
    uniform_points(s, one, kInnerRadius * s.options.eps, kPointDraws + 1 + k, part);
    collect(part);
  }
  return rows;
}

std::vector<double> outer_features(Subject& s, const Binary& binary, const Unit& one, View point) {
  uniform_points(s, one, s.options.eps, kPointDraws, point);
  double longest = 0;
  for (size_t i = 0; i < point.size(); ++i) longest = std::max(longest, std::abs(static_cast<double>(point.data[i]) - one.x.data[i]));
  for (size_t i = 0; i < point.size(); ++i)
    point.data[i] = static_cast<real>(std::clamp(one.x.data[i] + (point.data[i] - one.x.data[i]) * (s.options.eps / longest), 0.0, 1.0));
  run_points(s, one, point);
  return binary.features(0);
}

bool predicted(const Subject& s, int label) {
  const std::vector<int> p = s.target.predictions();
  return std::find(p.begin(), p.end(), label) != p.end();
}

// Random points until one is beyond the boundary, at most `samples`.
bool random_succeeds(Subject& s, const Unit& one, int samples) {
  Buffer points(s.target.batch(), one.x.c, one.x.h, one.x.w, Device::Cpu);
  for (int k = 0; k < samples; k += s.target.batch()) {
    const View part = points.view().images(0, std::min(s.target.batch(), samples - k));
    uniform_points(s, one, s.options.eps, kSampleDraws + k, part);
    run_points(s, one, part);
    if (predicted(s, 1)) return true;
  }
  return false;
}

bool attack_succeeds(Subject& s, const Unit& one) {
  KeyedNoise fixed = s.noise(one);
  const PgdResult r = s.attack(one, s.options.pgd, s.options.eps, [&](int) { return &fixed; });
  run_points(s, one, r.adversarial.view());
  return predicted(s, 1);
}

void measure_one(Subject& s, Binary& binary, const Unit& one) {
  Buffer outer = like(one.x);
  const std::vector<double> point = outer_features(s, binary, one, outer.view());
  const std::optional<Readout> readout = fit(inner_features(s, binary, one), point);
  JsonLine line;
  line.add("features", static_cast<int>(point.size())).add("inner", s.options.inner_points);
  bool separable = readout.has_value();
  if (separable) {  // in the scalar of this program, too
    binary.set(*readout);
    run_points(s, one, outer.view());
    separable = predicted(s, 1);
    run_points(s, one, one.x);
    separable = separable && predicted(s, 0);
  }
  line.add("separable", separable);
  if (separable) {
    const int samples = 3 * s.options.pgd.steps * s.options.pgd.restarts + 1;
    line.add("broken", attack_succeeds(s, one)).add("random", random_succeeds(s, one, samples)).add("samples", samples);
  }
  s.sink.put("binary", one.ids[0], one.seed, line);
}

}  // namespace

// By the identity of Woodbury in the space of the rows: with A the centred rows over sqrt(rows) and l = ridge tr(C) / K,
// (A^T A + l)^-1 d = (d - A^T (A A^T + l)^-1 A d) / l.
std::vector<double> readout_direction(const std::vector<double>& inner, const std::vector<double>& point, double ridge) {
  const size_t k = point.size(), rows = inner.size() / k;
  std::vector<double> mean(k, 0), a(inner), d(point);
  for (size_t i = 0; i < inner.size(); ++i) mean[i % k] += inner[i] / rows;
  double trace = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = (a[i] - mean[i % k]) / std::sqrt(static_cast<double>(rows));
    trace += a[i] * a[i];
  }
  for (size_t i = 0; i < k; ++i) d[i] -= mean[i];
  const double l = ridge * trace / k;
  std::vector<double> m(rows * rows), y(rows);
  for (size_t i = 0; i < rows; ++i) {
    y[i] = dot(&a[i * k], d.data(), k);
    for (size_t j = 0; j <= i; ++j) m[i * rows + j] = m[j * rows + i] = dot(&a[i * k], &a[j * k], k) + (i == j ? l : 0);
  }
  solve(m, y);
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = 0; j < k; ++j) d[j] -= a[i * k + j] * y[i];
  for (double& v : d) v /= l;
  return d;
}

void measure_binarisation(Subject& s, const Unit& u) {
  Net& whole = s.target.classifier();
  if (whole.model().steps.back().op != Op::Linear) return;
  Binary binary(whole, s.target.batch());
  s.target.set_classifier(binary.net);
  try {
    for (int n = 0; n < u.count(); ++n) measure_one(s, binary, {u.x.images(n, 1), {0}, {u.ids[n]}, u.seed});
  } catch (...) {
    s.target.set_classifier(whole);
    throw;
  }
  s.target.set_classifier(whole);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
