// Whole small networks against central differences in double, with random cotangents: input and parameter gradients.
#include <gtest/gtest.h>

#include "net/small_nets.h"

using namespace purescope;

namespace {

// L = sum(cotangent * output), and the signs of every ReLU on the way.
double loss_of(Net& net, const std::vector<double>& cotangent, std::vector<bool>* mask) {
  if (mask) mask->clear();
  net.on_step = [&](int i) {
    const Step& s = net.model().steps[i];
    if (!mask || s.op != Op::Relu) return;
    for (real v : values_of(net.value(s.out))) mask->push_back(v > 0);
  };
  fill_times(net);
  net.forward();
  net.on_step = nullptr;
  double loss = 0;
  const std::vector<real> out = values_of(net.output());
  for (size_t i = 0; i < cotangent.size(); ++i) loss += cotangent[i] * out[i];
  return loss;
}

struct Gap { double worst = 0; int counted = 0, crossed = 0; };

// Best relative error over h of the central difference of fourth order, (8 (L(h) - L(-h)) - (L(2h) - L(-2h))) / 12h,
// against `slope`; loss(s) is the loss at base + s * direction. A step across which a ReLU changes does not count.
double difference_error(const std::string& what, const std::function<double(double, std::vector<bool>*)>& loss,
                        double slope, Gap& gap) {
  double best = 1e300;
  for (double h : {1e-2, 3e-3, 1e-3, 1e-4, 1e-5}) {
    std::vector<bool> mask, other;
    bool same = true;
    double difference = 0;
    for (auto [place, weight] : {std::pair{-2, 1.0}, {-1, -8.0}, {1, 8.0}, {2, -1.0}}) {
      difference += weight * loss(place * h, place == -2 ? &mask : &other) / (12 * h);
      same = same && (place == -2 || other == mask);
    }
    if (!same) {
      ++gap.crossed;
      std::printf("%s: h = %.0e crosses a ReLU and does not count\n", what.c_str(), h);
      continue;
    }
    ++gap.counted;
    EXPECT_NE(difference, slope) << what << ": compared with itself";
    const double error = std::abs(difference - slope) / std::abs(slope);
    if (!(error >= best)) best = error;
  }
  if (!(best <= gap.worst)) gap.worst = best;
  return best;
}

void check_model(const NamedModel& m) {
  Net net = formula_net(m.make());
  net.plan(2, Mode::Training);
  const double tolerance = m.smooth ? 1e-8 : 1e-6;
  const Pass pass = run_pass(net);
  std::vector<double> cotangent;
  for (int n = 0; n < 2; ++n) {
    const auto d = direction("cotangent " + std::to_string(n), net.output().image_size());
    cotangent.insert(cotangent.end(), d.begin(), d.end());
  }
  fill_inputs(net);
  const std::vector<real> base = values_of(net.input());
  Gap input, params;
  for (int k = 0; k < 4; ++k) {
    // The first direction is the gradient itself, the others are random.
    std::vector<double> v(pass.dx.begin(), pass.dx.end());
    if (k > 0) v = direction("direction " + std::to_string(k), base.size());
    const double length = norm(v);
    double slope = 0;
    for (size_t i = 0; i < v.size(); ++i) { v[i] /= length; slope += v[i] * pass.dx[i]; }
    auto loss = [&](double s, std::vector<bool>* mask) {
      std::vector<real> x = base;
      for (size_t i = 0; i < v.size(); ++i) x[i] = static_cast<real>(base[i] + s * v[i]);
      store(x, net.input());
      return loss_of(net, cotangent, mask);
    };
    const double error = difference_error(m.name, loss, slope, input);
    EXPECT_TRUE(error <= tolerance) << m.name << ", input, direction " << k << ": " << error;
    if (k > 0) continue;
    Gap ignored;  // control: a slope wrong in the sixth digit is seen
    EXPECT_FALSE(difference_error(m.name, loss, slope * (1 + 100 * tolerance), ignored) <= tolerance);
  }
  store(base, net.input());
  // All parameters at once, along random directions, each tensor moved in proportion to its own gradient's share.
  std::vector<std::vector<real>> kept;
  for (int p = 0; p < net.params().count(); ++p) kept.push_back(values_of(net.params().view(p)));
  for (int k = 0; k < 4; ++k) {
    std::vector<std::vector<double>> v(kept.size());
    double slope = 0, square = 0;
    for (size_t p = 0; p < kept.size(); ++p) {
      if (!net.model().params[p].trainable) continue;
      v[p] = k == 0 ? std::vector<double>(pass.dparams[p].begin(), pass.dparams[p].end())
                    : direction("parameters " + std::to_string(k) + net.model().params[p].key, kept[p].size());
      for (double x : v[p]) square += x * x;
    }
    for (size_t p = 0; p < kept.size(); ++p)
      for (size_t i = 0; i < v[p].size(); ++i) { v[p][i] /= std::sqrt(square); slope += v[p][i] * pass.dparams[p][i]; }
    auto loss = [&](double s, std::vector<bool>* mask) {
      for (size_t p = 0; p < kept.size(); ++p) {
        std::vector<real> w = kept[p];
        for (size_t i = 0; i < v[p].size(); ++i) w[i] = static_cast<real>(kept[p][i] + s * v[p][i]);
        store(w, net.params().view(static_cast<int>(p)));
      }
      return loss_of(net, cotangent, mask);
    };
    const double error = difference_error(m.name, loss, slope, params);
    EXPECT_TRUE(error <= tolerance) << m.name << ", parameters, direction " << k << ": " << error;
  }
  EXPECT_GT(input.counted * params.counted, 0);
  std::printf("%s: input %.1e, parameters %.1e; %d steps across a ReLU do not count, %d counted\n", m.name.c_str(),
              input.worst, params.worst, input.crossed + params.crossed, input.counted + params.counted);
}

}  // namespace

TEST(Derivative, WholeNetworksAgainstCentralDifferences) {
  PURESCOPE_NEEDS_DOUBLE();
  for (const NamedModel& m : small_models()) check_model(m);
}

// Every parameter tensor on its own, in the smooth networks: the one forgotten bias does not hide behind large weights.
TEST(Derivative, EveryParameterOfSmoothNetworks) {
  PURESCOPE_NEEDS_DOUBLE();
  for (const NamedModel& m : small_models()) {
    if (!m.smooth || m.name == "unet_3_levels") continue;
    Net net = formula_net(m.make());
    net.plan(2, Mode::Training);
    const Pass pass = run_pass(net);
    std::vector<double> cotangent;
    fill_inputs(net);
    for (int n = 0; n < 2; ++n)
      for (double d : direction("cotangent " + std::to_string(n), net.output().image_size())) cotangent.push_back(d);
    double largest = 0;
    for (const auto& d : pass.dparams) largest = std::max(largest, norm({d.begin(), d.end()}));
    int zero = 0, checked = 0;
    for (size_t p = 0; p < pass.dparams.size(); ++p) {
      const ParamInfo& info = net.model().params[p];
      if (!info.trainable) continue;
      const View w = net.params().view(static_cast<int>(p));
      const std::vector<real> kept = values_of(w);
      const std::vector<double> g(pass.dparams[p].begin(), pass.dparams[p].end());
      if (norm(g) < 1e-12 * largest) { ++zero; continue; }  // in front of a norm or a softmax: no influence
      auto loss = [&](double s, std::vector<bool>*) {
        std::vector<real> moved = kept;
        for (size_t i = 0; i < g.size(); ++i) moved[i] = static_cast<real>(kept[i] + s * g[i] / norm(g));
        store(moved, w);
        return loss_of(net, cotangent, nullptr);
      };
      Gap gap;
      const double error = difference_error(info.key, loss, norm(g), gap);
      // Small gradients are measured against rounding of a loss that the large ones make.
      EXPECT_TRUE(error <= 1e-8 * std::max(1.0, 1e-2 * largest / norm(g)))
          << m.name << " " << info.key << ": " << error << " of " << norm(g);
      store(kept, w);
      ++checked;
    }
    EXPECT_GT(checked, zero);
    std::printf("%s: %d parameter tensors, %d without influence\n", m.name.c_str(), checked, zero);
  }
}
