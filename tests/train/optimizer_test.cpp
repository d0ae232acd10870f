// Adam, the moving average and fresh parameters against their formulas.
#include "train/optimizer.h"

#include <gtest/gtest.h>

#include "golden_file.h"
#include "ops/labels.h"
#include "ops/ops.h"

using namespace purescope;

namespace {

constexpr const char* kArch = "cifar-resnet:depth=8,size=8,classes=4,width=4";

struct Bench {
  Model model = make_model(kArch, true);
  std::shared_ptr<Params> p = formula_params(model);
  Params g{model}, m{model}, v{model}, average{model};
  Bench() {
    m.fill_zero();
    v.fill_zero();
  }
  // Gradients of step k: pseudo-random, another for every key.
  void gradients(int k, double scale) {
    for (int i = 0; i < g.count(); ++i) store(direction(model.params[i].key + " " + std::to_string(k), g.view(i).size(), 0, scale), g.view(i));
  }
};

double bar() { return kDouble ? 1e-13 : 1e-6; }

}  // namespace

// Three steps of algorithm 1 of Kingma and Ba in double, with decoupled weight decay on weights of rank >= 2 and a clipped gradient.
TEST(Adam, ThreeStepsOfTheFormula) {
  for (const double scale : {1e-4, 0.05}) {   // below and above the clipping norm of 1
    Bench b;
    const AdamConfig config{.weight_decay = 0.1};
    std::vector<std::vector<double>> p, m, v;
    for (int i = 0; i < b.p->count(); ++i) {
      const std::vector<real> values = values_of(b.p->view(i));
      p.emplace_back(values.begin(), values.end());
      m.emplace_back(p.back().size(), 0);
      v.emplace_back(p.back().size(), 0);
    }
    for (int step = 1; step <= 3; ++step) {
      b.gradients(step, scale);
      const double lr = 0.01 * step;
      const double norm = adam_step(config, b.model, step, lr, b.g, b.m, b.v, *b.p);
      double square = 0;
      for (int i = 0; i < b.g.count(); ++i)
        if (b.model.params[i].trainable)
          for (real g : values_of(b.g.view(i))) square += double(g) * g;
      EXPECT_NEAR(norm, std::sqrt(square), 1e-12 * norm);
      EXPECT_EQ(norm > 1, scale > 0.01) << norm;
      const double clip = norm > 1 ? 1 / norm : 1;
      for (int i = 0; i < b.g.count(); ++i) {
        if (!b.model.params[i].trainable) continue;
        const std::vector<real> gradient = values_of(b.g.view(i));
        for (size_t k = 0; k < p[i].size(); ++k) {
          const double g = gradient[k] * clip;
          m[i][k] = 0.9 * m[i][k] + 0.1 * g;
          v[i][k] = 0.999 * v[i][k] + 0.001 * g * g;
          const double mhat = m[i][k] / (1 - std::pow(0.9, step)), vhat = v[i][k] / (1 - std::pow(0.999, step));
          p[i][k] -= lr * (mhat / (std::sqrt(vhat) + 1e-8) + (b.model.params[i].shape.size() > 1 ? 0.1 * p[i][k] : 0));
        }
      }
    }
    for (int i = 0; i < b.p->count(); ++i) {
      const Comparison same = compare(values_of(b.p->view(i)), p[i], kDouble ? 1e-12 : 2e-5, 1);
      EXPECT_TRUE(same.ok) << b.model.params[i].key << ": " << same.message;
    }
    // Control: the running statistics did not move, the rest did.
    const auto before = formula_params(b.model);
    for (int i = 0; i < b.p->count(); ++i)
      EXPECT_EQ(compare_bits(values_of(b.p->view(i)), values_of(before->view(i))).ok, !b.model.params[i].trainable) << b.model.params[i].key;
  }
}

TEST(Ema, DecaysAndCopiesStatistics) {
  Bench b;
  for (int i = 0; i < b.average.count(); ++i) store(direction("average " + std::to_string(i), b.average.view(i).size()), b.average.view(i));
  std::vector<std::vector<real>> old;
  for (int i = 0; i < b.average.count(); ++i) old.push_back(values_of(b.average.view(i)));
  ema_step(0.75, b.model, *b.p, b.average);
  for (int i = 0; i < b.average.count(); ++i) {
    std::vector<double> expected;
    const std::vector<real> now = values_of(b.p->view(i));
    for (size_t k = 0; k < old[i].size(); ++k)
      expected.push_back(b.model.params[i].trainable ? 0.75 * old[i][k] + 0.25 * now[k] : double(now[k]));
    const Comparison same = compare(values_of(b.average.view(i)), expected, bar());
    EXPECT_TRUE(same.ok) << b.model.params[i].key << ": " << same.message;
  }
  ema_step(0, b.model, *b.p, b.average);   // takes the parameters over
  for (int i = 0; i < b.average.count(); ++i) EXPECT_TRUE(compare_bits(values_of(b.average.view(i)), values_of(b.p->view(i))).ok);
}

// Weights uniform with variance gain^2 / fan_in; the last layer of every branch of the U-Net 0; norms (1, 0), statistics (0, 1).
TEST(Initialise, HasTheStatistics) {
  for (const std::string arch : {"ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", "wrn:depth=10,widen=1"}) {
    const Model model = make_model(arch);
    Params p(model), q(model);
    initialise(model, 3, p);
    const double gain = is_purifier(model) ? 1 : 2;
    int zero = 0, drawn = 0;
    for (int i = 0; i < p.count(); ++i) {
      const ParamInfo& info = model.params[i];
      double sum = 0, square = 0, largest = 0;
      for (real v : values_of(p.view(i))) {
        sum += v;
        square += double(v) * v;
        largest = std::max(largest, std::fabs(double(v)));
      }
      const double n = static_cast<double>(p.view(i).size());
      if (info.shape.size() == 1) {
        const bool one = info.key.ends_with("weight") || info.key.ends_with("running_var");
        EXPECT_EQ(sum, one ? n : 0) << info.key;
      } else if (largest == 0) {
        ++zero;
        EXPECT_TRUE(info.key.ends_with("conv2.weight") || info.key.ends_with("proj_out.weight") || info.key.ends_with("conv_out.weight")) << info.key;
      } else {
        ++drawn;
        const double variance = gain / (info.count() / info.shape[0]);
        EXPECT_NEAR(square / n, variance, 5 * variance * std::sqrt(0.8 / n)) << info.key;   // variance of u^2 is 4/5 of its mean squared
        EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n)) << info.key;
        EXPECT_LE(largest, std::sqrt(3 * variance) * (1 + 1e-6)) << info.key;
      }
    }
    EXPECT_GT(drawn, 5);
    EXPECT_EQ(zero > 0, is_purifier(model));
    initialise(model, 4, q);
    EXPECT_NE(p.sha256(), q.sha256());
    initialise(model, 3, q);
    EXPECT_EQ(p.sha256(), q.sha256());
  }
}

// Batch statistics: the gradient of the mean cross-entropy in every trainable parameter, whole network, against central differences.
TEST(Training, BatchNormGradientOfTheWholeNet) {
  PURESCOPE_NEEDS_DOUBLE();
  const Model model = make_model(kArch, true);
  Net net(model, formula_params(model));
  net.plan(4, Mode::Training);
  const std::vector<int> labels = {0, 1, 2, 3};
  std::vector<bool> masks;
  auto loss = [&] {
    masks.clear();
    net.on_step = [&](int i) {
      const Step& step = model.steps[i];
      if (step.op != Op::Relu) return;
      for (real v : values_of(net.value(step.out))) masks.push_back(v > 0);
    };
    fill_inputs(net);
    net.forward();
    net.on_step = nullptr;
    Buffer losses(4, 1, 1, 1);
    cross_entropy_forward(net.output(), DeviceLabels(labels.data(), 4, net.device()).data(), losses.view());
    double sum = 0;
    for (real v : values_of(losses)) sum += v / 4;
    return sum;
  };
  net.grads().fill_zero();
  loss();
  cross_entropy_backward(net.output(), DeviceLabels(labels.data(), 4, net.device()).data(), 0.25, net.output_grad());
  net.backward();
  std::vector<std::vector<double>> gradient;
  double square = 0;
  for (int i = 0; i < net.grads().count(); ++i) {
    const std::vector<real> g = values_of(net.grads().view(i));
    gradient.emplace_back(g.begin(), g.end());
    for (double v : gradient.back()) square += v * v;
  }
  // Along one random direction per parameter, and along the whole gradient.
  int checked = 0;
  auto slope = [&](const std::vector<std::vector<double>>& direction, double claimed) {
    double best = 1e300;
    for (double h : {1e-4, 1e-5, 1e-6}) {
      auto move = [&](double s) {
        for (size_t i = 0; i < direction.size(); ++i) {
          std::vector<real> w = values_of(net.params().view(static_cast<int>(i)));
          for (size_t k = 0; k < direction[i].size(); ++k) w[k] += s * direction[i][k];
          store(w, net.params().view(static_cast<int>(i)));
        }
      };
      move(h);
      const double above = loss();
      const std::vector<bool> mask = masks;
      move(-2 * h);
      const double below = loss();
      const bool same = mask == masks;
      move(h);
      if (same) best = std::min(best, std::fabs((above - below) / (2 * h) - claimed));
    }
    return best;
  };
  for (int i = 0; i < net.grads().count(); ++i) {
    if (!model.params[i].trainable) continue;
    std::vector<std::vector<double>> along(gradient.size());
    along[i] = purescope::direction(model.params[i].key + " probe", gradient[i].size());
    const double size = norm(along[i]);
    double claimed = 0;
    for (size_t k = 0; k < along[i].size(); ++k) {
      along[i][k] /= size;
      claimed += along[i][k] * gradient[i][k];
    }
    const double error = slope(along, claimed);
    if (error > 1e200) continue;   // every step crosses a kink
    ++checked;
    EXPECT_LE(error, 1e-8 * std::max(1.0, std::sqrt(square))) << model.params[i].key;
  }
  EXPECT_GT(checked, 10);
  std::vector<std::vector<double>> along = gradient;
  for (auto& a : along) for (double& v : a) v /= std::sqrt(square);
  EXPECT_LE(slope(along, std::sqrt(square)), 1e-8 * std::sqrt(square));
  EXPECT_GT(slope(along, std::sqrt(square) * (1 + 1e-5)), 1e-8 * std::sqrt(square));   // control
}
