// Measures and constants against plain loops, on the CPU and on the emulated device: ties, NaN, infinity, images larger than a block.
#include "core/buffer.h"
#include "ops/ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compare.h"

using namespace purescope;

namespace {

constexpr Device kDevices[] = {Device::Cpu, Device::Emulated};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

Buffer buffer(const std::vector<real>& values, int n, Device device) {
  Buffer b(n, static_cast<int>(values.size()) / n, 1, 1, device);
  from_host(values.data(), b.view());
  return b;
}

// Values in [-1, 1) with some exact zeros.
std::vector<real> numbers(size_t count, int seed) {
  std::vector<real> v(count);
  for (size_t i = 0; i < count; ++i) v[i] = i % 7 == 3 ? 0 : static_cast<real>(std::sin(1.0 + seed + 12.9898 * static_cast<double>(i)));
  return v;
}

}  // namespace

TEST(Measure, FirstMaximum) {
  for (Device device : kDevices)
    for (int size : {4, 300, 1000}) {
      std::vector<real> v;
      std::vector<int> expected;
      for (int n = 0; n < 5; ++n) {
        std::vector<real> row = numbers(size, n);
        const int at = (size - 1) * n / 4;
        row[at] = row[size - 1] = 2;   // a tie: the first one counts
        expected.push_back(at);
        if (n == 1) { row[size / 2] = static_cast<real>(kNan); expected.back() = -1; }
        if (n == 2) { row[0] = static_cast<real>(-kInfinity); expected.back() = -1; }
        v.insert(v.end(), row.begin(), row.end());
      }
      std::vector<int> index(5, 7);
      first_maximum(buffer(v, 5, device).view(), index.data());
      EXPECT_EQ(index, expected) << device_kind(device) << " " << size;
    }
  for (Device device : kDevices) {   // all negative: nothing starts at zero
    int index = 7;
    first_maximum(buffer({-3, -1, -2}, 1, device).view(), &index);
    EXPECT_EQ(index, 1);
  }
}

TEST(Measure, CountsAndDistances) {
  for (Device device : kDevices)
    for (int size : {3, 700}) {
      std::vector<real> a = numbers(3 * size, 1), b = numbers(3 * size, 2);
      std::vector<size_t> zeros(3), bad(3), expected_zeros(3, 0);
      for (int i = 0; i < 3 * size; ++i) expected_zeros[i / size] += a[i] == 0;
      count_values(buffer(a, 3, device).view(), zeros.data(), bad.data());
      EXPECT_EQ(zeros, expected_zeros);
      EXPECT_EQ(bad, std::vector<size_t>(3, 0));
      std::vector<double> l2(3), linf(3), expected_l2(3, 0), expected_linf(3, 0);
      for (int i = 0; i < 3 * size; ++i) {
        const double d = double(a[i]) - b[i];
        expected_l2[i / size] += d * d;
        expected_linf[i / size] = std::max(expected_linf[i / size], std::fabs(d));
      }
      for (double& v : expected_l2) v = std::sqrt(v);
      distances(buffer(a, 3, device).view(), buffer(b, 3, device).view(), l2.data(), linf.data());
      EXPECT_TRUE(compare(l2, expected_l2, 1e-14)) << device_kind(device);
      EXPECT_EQ(linf, expected_linf);
      distances(buffer(a, 3, device).view(), buffer(b, 3, device).view(), nullptr, linf.data());   // either alone
      a[size] = static_cast<real>(kNan);
      a[size + 2] = static_cast<real>(kInfinity);
      count_values(buffer(a, 3, device).view(), zeros.data(), bad.data());
      EXPECT_EQ(bad, (std::vector<size_t>{0, 2, 0}));
      distances(buffer(a, 3, device).view(), buffer(b, 3, device).view(), l2.data(), nullptr);
      EXPECT_TRUE(std::isnan(l2[1]) && std::isfinite(l2[0]));
    }
}

TEST(Measure, SumsOfSquaresAndSquaredError) {
  for (Device device : kDevices) {
    const std::vector<real> a = numbers(40000, 1), b = numbers(5, 2), c = numbers(40000, 3);
    const Buffer x = buffer(a, 1, device), y = buffer(b, 1, device), z = buffer(c, 1, device), dx(1, 40000, 1, 1, device);
    const View list[] = {x.view(), y.view()};
    std::vector<double> sums(2), expected(2, 0);
    for (real v : a) expected[0] += double(v) * v;
    for (real v : b) expected[1] += double(v) * v;
    square_sums(list, 2, sums.data());
    EXPECT_TRUE(compare(sums, expected, 1e-13)) << device_kind(device);
    double sum = 0, error = 0;
    std::vector<double> slope;
    for (size_t i = 0; i < a.size(); ++i) {
      const double d = a[i] - c[i];
      error += d * d;
      slope.push_back(0.25 * d);
    }
    squared_error(x.view(), z.view(), 0.25, dx.view(), &sum);
    EXPECT_NEAR(sum, error, 1e-12 * error) << device_kind(device);
    EXPECT_TRUE(compare(to_host(dx.view()), slope, sizeof(real) == 8 ? 1e-15 : 1e-7));
    squared_error(x.view(), z.view(), 0.25, {}, &sum);   // without the slope
    EXPECT_NEAR(sum, error, 1e-12 * error);
  }
}

TEST(Measure, AugmentsTrainingImages) {
  for (Device device : kDevices) {
    // Two images of 2 x 3 pixels. The first shifted by (1, -1), the second mirrored, then shifted by (0, 1).
    const Buffer x(2, 1, 2, 3, device), y(2, 1, 2, 3, device);
    from_host(std::vector<real>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}.data(), x.view());
    const Augmentation how[] = {{.down = 1, .right = -1}, {.right = 1, .flip = true}};
    augment_forward(how, x.view(), y.view());
    EXPECT_EQ(to_host(y.view()), (std::vector<real>{0, 4, 5, 0, 0, 0, 0, 9, 8, 0, 12, 11})) << device_kind(device);
    const double sigma[] = {0.5, -2};
    add_noise_forward(sigma, x.view(), y.view());
    EXPECT_EQ(to_host(y.view()), (std::vector<real>{real(0.5), 5, real(6.5), 2, real(2.5), 3, -14, -7, -10, -20, -10, -13})) << device_kind(device);
  }
}

TEST(Measure, FillClampAndNoising) {
  for (Device device : kDevices) {
    const std::vector<real> v = {real(-0.5), real(0.25), 2, static_cast<real>(kNan)};
    const Buffer x = buffer(v, 2, device), y(2, 2, 1, 1, device), z = buffer({1, 2, 3, 4}, 2, device);
    fill_forward(0.75, y.view());
    EXPECT_EQ(to_host(y.view()), std::vector<real>(4, real(0.75)));
    clamp_forward(0, 1, x.view(), y.view());
    const std::vector<real> clamped = to_host(y.view());
    EXPECT_EQ(clamped[0], 0);
    EXPECT_EQ(clamped[1], real(0.25));
    EXPECT_EQ(clamped[2], 1);
    EXPECT_TRUE(std::isnan(clamped[3]));
    const double a[] = {0.5, 0.25}, b[] = {2, -1};
    noising_forward(a, b, z.view(), z.view(), y.view());   // a (2 x - 1) + b z of 1, 2 | 3, 4
    EXPECT_EQ(to_host(y.view()), (std::vector<real>{real(2.5), real(5.5), real(-1.75), real(-2.25)}));
  }
}
