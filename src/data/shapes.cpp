#include "data/shapes.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/check.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "data/dual_number.h"

namespace purescope {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kRounding = 0.3;  // pixels over which corners are rounded

// The renderer is written for a number type T: double, or DualNumber, which carries the derivatives along.
using std::sqrt;

// sin(a) by its Taylor series; a in [-pi, pi], error below 1e-15. Not std::sin, whose last bit differs between systems.
template <class T>
T sine(T a) {
  T term = a, sum = a;
  for (int k = 2; k <= 30; k += 2) {
    term *= -a * a / (k * (k + 1.0));
    sum += term;
  }
  return sum;
}

// Into [-pi, pi] for a in [0, 2.5 pi].
template <class T>
T wrapped(T a) { return a > kPi ? a - 2 * kPi : a; }

// |a|, max(a, b), min(a, b) with the crease rounded over kRounding.
template <class T>
T soft_abs(T a) { return sqrt(a * a + kRounding * kRounding); }
template <class T>
T soft_max(T a, T b) { return (a + b + sqrt((a - b) * (a - b) + kRounding * kRounding)) / 2.0; }
template <class T>
T soft_min(T a, T b) { return -soft_max(-a, -b); }

// Signed distance in pixels of a point relative to the centre, in the turned frame; r is the radius of the disc of
// equal area (corner rounding aside).
template <class T>
T distance(int label, T u, T v, T r) {
  switch (label) {
    case 0:
      return sqrt(u * u + v * v + 1e-6) - r;
    case 1: {
      const T ring = sqrt(u * u + v * v + 1e-6) - r;  // outer radius 5/4 r, inner 3/4 r: area pi r^2
      return soft_abs(ring) - 0.25 * r;
    }
    case 2: {
      const T length = 1.35 * r, width = 0.5817764173314432 * r;  // 4 length width = pi r^2
      return soft_max(soft_abs(u) - length, soft_abs(v) - width);
    }
    default: {
      const T half = 1.25 * r, arm = 0.3684662022346780 * r;  // 8 half arm - 4 arm^2 = pi r^2
      const T a = soft_abs(u), b = soft_abs(v);
      return soft_min(soft_max(a - half, b - arm), soft_max(a - arm, b - half));
    }
  }
}

// Share of a pixel inside the shape: 1 deep inside, 0 far outside, quintic in between.
template <class T>
T coverage(T d) {
  const T v = std::clamp(0.5 - d / kShapeSoftness, T(0.0), T(1.0));
  return v * v * v * (10.0 - 15.0 * v + 6.0 * v * v);
}

// Draw `number` of image `index`: uniform in [0, 1), a multiple of 2^-53.
double uniform(uint64_t seed, int64_t index, int number) {
  uint64_t key = fnv1a("purescope shapes 1");
  key = mix(key ^ seed);
  key = mix(key ^ static_cast<uint64_t>(index));
  key = mix(key ^ static_cast<uint64_t>(number));
  return static_cast<double>(key >> 11) * 0x1p-53;
}

}  // namespace

ShapeLatent shape_latent(uint64_t seed, int64_t index) {
  PURESCOPE_REQUIRE(index >= 0);
  int number = 0;
  const auto draw = [&](double low, double high) { return low + (high - low) * uniform(seed, index, number++); };
  ShapeLatent z;
  z.label = static_cast<int>(index % kShapeClasses);
  z.x = draw(6.5, 9.5);
  z.y = draw(6.5, 9.5);
  z.scale = draw(3.4, 4.8);
  z.rotation = draw(0, 2 * kPi);
  // One channel has the full contrast, the others a part of it. The background is uniform where both colours fit.
  const double contrast = draw(kShapeContrastMin, kShapeContrastMax);
  const int main_channel = static_cast<int>(draw(0, 3));
  for (int c = 0; c < 3; c++) {
    const double part = draw(-1, 1);
    const double step = contrast * (c != main_channel ? part : part < 0 ? -1 : 1);
    z.background[c] = draw(kShapeColourMin - std::min(step, 0.0), kShapeColourMax - std::max(step, 0.0));
    z.foreground[c] = std::clamp(z.background[c] + step, kShapeColourMin, kShapeColourMax);
  }
  return z;
}

namespace {

// The continuous latents, in the order of kShapeLatents.
template <class T>
struct Continuous {
  T x, y, scale, rotation, foreground[3], background[3];
};

template <class T>
void render(int label, const Continuous<T>& z, T* chw) {
  PURESCOPE_REQUIRE(label >= 0 && label < kShapeClasses);
  const T sin = sine(wrapped(z.rotation)), cos = sine(wrapped(z.rotation + kPi / 2));
  for (int row = 0; row < kShapeSide; row++) {
    for (int column = 0; column < kShapeSide; column++) {
      const T x = column + 0.5 - z.x, y = row + 0.5 - z.y;
      const T inside = coverage(distance<T>(label, cos * x + sin * y, cos * y - sin * x, z.scale));
      for (int c = 0; c < 3; c++) {
        chw[(c * kShapeSide + row) * kShapeSide + column] =
            z.background[c] + (z.foreground[c] - z.background[c]) * inside;
      }
    }
  }
}

}  // namespace

void render_shape(const ShapeLatent& z, double* chw) {
  const double* f = z.foreground;
  const double* b = z.background;
  render<double>(z.label, {z.x, z.y, z.scale, z.rotation, {f[0], f[1], f[2]}, {b[0], b[1], b[2]}}, chw);
}

void render_shape_derivatives(const ShapeLatent& z, double* chw, double* derivatives) {
  using Dual = DualNumber<kShapeLatents>;
  const double* f = z.foreground;
  const double* b = z.background;
  std::vector<Dual> picture(kShapeValues);
  render<Dual>(z.label,
               {Dual(z.x, 0), Dual(z.y, 1), Dual(z.scale, 2), Dual(z.rotation, 3), {Dual(f[0], 4), Dual(f[1], 5), Dual(f[2], 6)},
                {Dual(b[0], 7), Dual(b[1], 8), Dual(b[2], 9)}},
               picture.data());
  for (int i = 0; i < kShapeValues; i++) {
    chw[i] = picture[i].value;
    for (int k = 0; k < kShapeLatents; k++) derivatives[k * kShapeValues + i] = picture[i].slope[k];
  }
}

void render_shape(const ShapeLatent& latent, float* chw) {
  double values[kShapeValues];
  render_shape(latent, values);
  for (int i = 0; i < kShapeValues; i++) chw[i] = static_cast<float>(values[i]);
}

Dataset load_shapes(uint64_t seed, int64_t first, int64_t count) {
  const std::string name = "shapes:" + std::to_string(seed);
  count = resolve_count(first, count, int64_t{1} << 53, name);
  Dataset data;
  data.height = data.width = kShapeSide;
  data.classes = kShapeClasses;
  data.class_names.assign(kShapeNames, kShapeNames + kShapeClasses);
  data.labels.resize(count);
  data.sources.resize(count);
  data.images.resize(count * data.image_size());
  parallel_for(static_cast<int>(count), [&](int k) {
    const ShapeLatent latent = shape_latent(seed, first + k);
    data.labels[k] = latent.label;
    data.sources[k] = name + "#" + std::to_string(first + k);
    render_shape(latent, data.images.data() + k * data.image_size());
  });
  data.description = name + ", images " + std::to_string(first) + " to " + std::to_string(first + count - 1);
  return data;
}

}  // namespace purescope
