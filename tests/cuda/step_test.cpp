// The ops outside networks: losses, reverse steps, attack steps and noise, device against CPU.
#include "cuda/device_checks.h"
#include "ops/op_cases.h"

#include <gtest/gtest.h>

using namespace purescope;

namespace {

// Labels in the memory of a device.
class DeviceLabels {
 public:
  DeviceLabels(Device device, const std::vector<int>& labels) : device_(device) {
    data_ = static_cast<int*>(device_allocate(device, labels.size() * sizeof(int)));
    device_copy(device, data_, Device::Cpu, labels.data(), labels.size() * sizeof(int));
  }
  ~DeviceLabels() { device_free(device_, data_); }
  const int* data() const { return data_; }

 private:
  Device device_;
  int* data_;
};

constexpr double kTolerance = kRealIsDouble ? 1e-12 : 2e-6;  // a few roundings of values of the order of one

View shape(int n, int c, int h, int w) { return {nullptr, n, c, h, w}; }

struct Sized {
  int n, c, h, w;
  size_t count() const { return static_cast<size_t>(n) * c * h * w; }
  View host(Reals& v) const { return {v.data(), n, c, h, w}; }
};

const std::vector<Sized> kShapes = {{1, 3, 1, 1}, {3, 3, 5, 7}, {2, 3, 32, 32}};

}  // namespace

TEST(CrossEntropyTwin, AgreesWithTheCpuAndDoesNotDependOnTheBatch) {
  for (const Device device : test_devices())
    for (const auto& [n, classes] : {std::pair{1, 2}, {5, 10}, {3, 1000}}) {
      Reals z = random_reals(classes, static_cast<size_t>(n) * classes, -8, 8), loss(n), dz(z.size());
      const std::vector<int> labels = test_labels(0, n, classes);
      cross_entropy_forward({z.data(), n, classes}, labels.data(), {loss.data(), n, 1});
      cross_entropy_backward({z.data(), n, classes}, labels.data(), 0.7, {dz.data(), n, classes});
      const OnDevice logits(device, shape(n, classes, 1, 1), z), out(device, shape(n, 1, 1, 1), Reals(n, 9)),
          gradient(device, shape(n, classes, 1, 1), Reals(z.size(), 9));
      const DeviceLabels there(device, labels);
      cross_entropy_forward(logits.view(), there.data(), out.view());
      cross_entropy_backward(logits.view(), there.data(), 0.7, gradient.view());
      const Reals all = out.values(), dall = gradient.values();
      expect_close("loss", all, loss, kTolerance);
      expect_close("dlogits", dall, dz, kTolerance);
      for (int k = 0; k < n; ++k) {
        cross_entropy_forward(logits.view().images(k, 1), there.data() + k, out.view().images(0, 1));
        EXPECT_EQ(out.values()[0], all[k]);
      }
    }
}

TEST(CrossEntropyTwin, ALabelThatIsNoClassGivesNaN) {
  for (const Device device : test_devices()) {
    const OnDevice logits(device, shape(3, 4, 1, 1), random_reals(1, 12, -1, 1)), loss(device, shape(3, 1, 1, 1), Reals(3, 0));
    const DeviceLabels labels(device, {-1, 2, 4});
    cross_entropy_forward(logits.view(), labels.data(), loss.view());
    const Reals l = loss.values();
    EXPECT_TRUE(std::isnan(l[0]) && std::isfinite(l[1]) && std::isnan(l[2]));
  }
}

TEST(ReverseStepTwin, AgreesWithTheCpu) {
  for (const Device device : test_devices())
    for (const Sized& z : kShapes)
      for (const bool clip : {false, true})
        for (const bool straight : {false, true}) {
          const ReverseStep s{.label = 7,
                              .to_x0 = 1.25,
                              .from_eps = 0.7,
                              .p = 0.4,
                              .q = 0.55,
                              .r = 0.2,
                              .s = 0.3,
                              .clip = clip,
                              .straight_through = straight};
          Reals x = random_reals(1, z.count(), -2, 2), eps = random_reals(2, z.count(), -2, 2),
                noise = random_reals(3, z.count(), -2, 2), dy = random_reals(4, z.count(), -1, 1), y(z.count()),
                dx(z.count()), deps(z.count());
          reverse_step_forward(s, z.host(x), z.host(eps), z.host(noise), z.host(y));
          reverse_step_backward(s, z.host(x), z.host(eps), z.host(dy), z.host(dx), z.host(deps));
          const View v = shape(z.n, z.c, z.h, z.w);
          const Reals nothing(z.count(), 9);
          const OnDevice a(device, v, x), b(device, v, eps), c(device, v, noise), d(device, v, dy),
              e(device, v, nothing), f(device, v, nothing), g(device, v, nothing);
          reverse_step_forward(s, a.view(), b.view(), c.view(), e.view());
          reverse_step_backward(s, a.view(), b.view(), d.view(), f.view(), g.view());
          expect_close("y", e.values(), y, kTolerance);
          expect_close("dx", f.values(), dx, kTolerance);
          expect_close("deps", g.values(), deps, kTolerance);
          reverse_step_forward(s, z.host(x), z.host(eps), {}, z.host(y));
          reverse_step_forward(s, a.view(), b.view(), {}, e.view());
          expect_close("y without noise", e.values(), y, kTolerance);
          reverse_step_backward(s, a.view(), b.view(), d.view(), {}, e.view());
          expect_same_bits("deps alone", e.values(), g.values());
        }
}

TEST(AffineTwin, AgreesWithTheCpuAlsoInPlace) {
  for (const Device device : test_devices())
    for (const Sized& z : kShapes) {
      Reals x = random_reals(1, z.count(), -2, 2), noise = random_reals(2, z.count(), -2, 2), y(z.count());
      const OnDevice a(device, shape(z.n, z.c, z.h, z.w), x), b(device, shape(z.n, z.c, z.h, z.w), noise);
      affine_forward(1.7, z.host(x), -0.6, z.host(noise), 0.25, z.host(y));
      affine_forward(1.7, a.view(), -0.6, b.view(), 0.25, a.view());
      expect_close("with z", a.values(), y, kTolerance);
      affine_forward(0.3, z.host(y), 0, {}, 0.25, z.host(y));
      affine_forward(0.3, a.view(), 0, {}, 0.25, a.view());
      expect_close("without z", a.values(), y, kTolerance);
    }
}

TEST(AttackStepTwin, AgreesWithTheCpuAndDoesNotDependOnTheBatch) {
  for (const Device device : test_devices())
    for (const Sized& z : kShapes)
      for (const bool linf : {true, false}) {
        Reals x0 = random_reals(1, z.count(), 0, 1), g = random_reals(2, z.count(), -1, 1),
              x = random_reals(3, z.count(), 0, 1), step, eps;
        for (size_t i = 0; i < g.size(); i += 7) g[i] = 0;
        for (int k = 0; k < z.n; ++k) {
          step.push_back(static_cast<real>(0.015 + 0.01 * k));
          eps.push_back(static_cast<real>(linf ? 0.02 * (k + 1) : 0.4 * (k + 1)));
        }
        const View v = shape(z.n, z.c, z.h, z.w), s = shape(z.n, 1, 1, 1);
        const OnDevice a(device, v, x0), b(device, v, g), c(device, s, step), d(device, s, eps), e(device, v, x), f(device, v, x);
        const Sized scalar{z.n, 1, 1, 1};
        (linf ? linf_step : l2_step)(z.host(x0), z.host(g), scalar.host(step), scalar.host(eps), z.host(x));
        (linf ? linf_step : l2_step)(a.view(), b.view(), c.view(), d.view(), e.view());
        expect_close(linf ? "linf" : "l2", e.values(), x, kTolerance);
        for (int k = 0; k < z.n; ++k)
          (linf ? linf_step : l2_step)(a.view().images(k, 1), b.view().images(k, 1), c.view().images(k, 1),
                                       d.view().images(k, 1), f.view().images(k, 1));
        expect_same_bits("image by image", f.values(), e.values());
      }
}

// From the same draws: l-inf starts and perturbations have the bits of the host, l2 starts but for the order of one sum.
TEST(RandomStartTwin, AgreesWithTheCpuAndDoesNotDependOnTheBatch) {
  for (const Device device : test_devices())
    for (const Sized& z : kShapes) {
      const int size = z.c * z.h * z.w;
      Reals x0 = random_reals(1, z.count(), 0, 1), u = random_reals(2, z.count(), 0, 1), x(z.count()), eta(z.count());
      Reals normal = random_reals(3, static_cast<size_t>(z.n) * (size + 2), -2, 2);
      for (Reals* draws : {&u, &normal})
        for (real& v : *draws) v = static_cast<float>(v);  // draws are float in every build
      std::vector<double> eps;
      for (int k = 0; k < z.n; ++k) eps.push_back((k + 1) * 8.0 / 255);
      const View v = shape(z.n, z.c, z.h, z.w), drawn = shape(z.n, size + 2, 1, 1);
      const OnDevice a(device, v, x0), b(device, v, u), c(device, drawn, normal), d(device, v, x), one(device, v, x);
      const auto by_image = [&](const char* what, const auto& start) {
        for (int k = 0; k < z.n; ++k) start(k);
        expect_same_bits(what, one.values(), d.values());
      };
      linf_start(eps.data(), z.host(x0), z.host(u), z.host(x));
      linf_start(eps.data(), a.view(), b.view(), d.view());
      expect_same_bits("linf", d.values(), x);
      by_image("linf by image", [&](int k) { linf_start(&eps[k], a.view().images(k, 1), b.view().images(k, 1), one.view().images(k, 1)); });
      l2_start(eps.data(), z.host(x0), {normal.data(), z.n, size + 2}, z.host(x));
      l2_start(eps.data(), a.view(), c.view(), d.view());
      expect_close("l2", d.values(), x, 1e-7);  // offsets are float: one last bit of 1/2 eps
      by_image("l2 by image", [&](int k) { l2_start(&eps[k], a.view().images(k, 1), c.view().images(k, 1), one.view().images(k, 1)); });
      signed_uniform_forward(eps[0], z.host(u), z.host(eta));
      signed_uniform_forward(eps[0], b.view(), d.view());
      expect_same_bits("perturbation", d.values(), eta);
      signed_uniform_forward(eps[0], b.view(), b.view());
      expect_same_bits("perturbation in place", b.values(), eta);
      signed_uniform_forward(2 * eps[0], a.view(), d.view());
      EXPECT_NE(d.values(), eta);  // negative control
    }
}

// Sizes: less than a block, several blocks, and (with a small card) several values per Philox block.
TEST(NoiseTwin, UniformsAreTheSameBitsAndNormalsWithinTheBar) {
  const std::vector<uint64_t> seeds{0, 77, 0xfedcba9876543210ull};
  std::vector<NativeCounter> counters;
  for (int n = 0; n < 3; ++n) counters.push_back(native_counter(-5 + n, Domain::Reverse, 1000 + n, 3 + (uint64_t{1} << 33), 99));
  for (const Device device : test_devices())
    for (const Sized& z : {Sized{3, 1, 1, 5}, Sized{3, 3, 11, 13}, Sized{2, 3, 32, 32}})
      for (const CudaLayout& layout : {CudaLayout{}, CudaLayout{1, 512}})
        for (const NoiseKind kind : {NoiseKind::Uniform, NoiseKind::Normal}) {
          Reals torch(z.count()), native(z.count());
          noise_fill_torch_cuda(kind, seeds.data(), layout, z.host(torch));
          noise_fill_native(kind, counters.data(), z.host(native));
          const View v = shape(z.n, z.c, z.h, z.w);
          const OnDevice a(device, v, Reals(z.count(), 9)), b(device, v, Reals(z.count(), 9));
          noise_fill_torch_cuda(kind, seeds.data(), layout, a.view());
          noise_fill_native(kind, counters.data(), b.view());
          if (kind == NoiseKind::Uniform) {
            expect_same_bits("torch-cuda", a.values(), torch);
            expect_same_bits("native", b.values(), native);
          } else {
            EXPECT_TRUE(compare(a.values(), torch, 5e-6, 1).ok);
            EXPECT_TRUE(compare(b.values(), native, 5e-6, 1).ok);
            EXPECT_FALSE(compare(b.values(), torch, 1e-2, 1).ok);  // negative control: two streams
          }
        }
}

// More images than one launch takes keys for.
TEST(NoiseTwin, ManyImages) {
  std::vector<uint64_t> seeds;
  for (int n = 0; n < 131; ++n) seeds.push_back(n * 1000003ull);
  const Sized z{131, 1, 3, 3};
  Reals host(z.count());
  noise_fill_torch_cuda(NoiseKind::Uniform, seeds.data(), {}, z.host(host));
  for (const Device device : test_devices()) {
    const OnDevice there(device, shape(z.n, z.c, z.h, z.w), Reals(z.count(), 9));
    noise_fill_torch_cuda(NoiseKind::Uniform, seeds.data(), {}, there.view());
    expect_same_bits("131 images", there.values(), host);
  }
}
