#include "experiment/tangent.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "experiment/chain_walk.h"
#include "experiment/purifier_jacobian.h"
#include "io/fraction.h"
#include "io/text.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kFitSteps = 60;

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

// x of (A + damping diag(A)) x = b for a symmetric positive matrix, by elimination; rows with no diagonal stay 0.
std::vector<double> damped_solution(std::vector<std::vector<double>> a, std::vector<double> b, double damping) {
  const size_t n = b.size();
  double largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, a[i][i]);
  for (size_t i = 0; i < n; ++i) a[i][i] += damping * a[i][i] + 1e-12 * largest;
  for (size_t k = 0; k < n; ++k)
    for (size_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] / a[k][k];
      for (size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
      b[i] -= factor * b[k];
    }
  for (size_t k = n; k-- > 0;) {
    for (size_t j = k + 1; j < n; ++j) b[k] -= a[k][j] * b[j];
    b[k] /= a[k][k];
  }
  return b;
}

std::vector<double> picture_of(const ShapeLatent& z) {
  std::vector<double> picture(kShapeValues);
  render_shape(z, picture.data());
  return picture;
}

}  // namespace

double& shape_latent_value(ShapeLatent& z, int k) {
  PURESCOPE_REQUIRE(k >= 0 && k < kShapeLatents);
  if (k < 4) return k == 0 ? z.x : k == 1 ? z.y : k == 2 ? z.scale : z.rotation;
  return k < 7 ? z.foreground[k - 4] : z.background[k - 7];
}

TangentSpace tangent_space(const ShapeLatent& latent) {
  TangentSpace t;
  t.image.resize(kShapeValues);
  std::vector<double> all(static_cast<size_t>(kShapeLatents) * kShapeValues);
  render_shape_derivatives(latent, t.image.data(), all.data());
  for (int k = 0; k < kShapeLatents; ++k)
    t.derivatives.emplace_back(all.begin() + static_cast<size_t>(k) * kShapeValues,
                               all.begin() + static_cast<size_t>(k + 1) * kShapeValues);
  t.basis = orthonormal(t.derivatives);
  return t;
}

std::vector<double> tangent_part(const std::vector<std::vector<double>>& basis, const std::vector<double>& v) {
  std::vector<double> part(v.size(), 0);
  for (const auto& b : basis) {
    const double along = dot(b, v);
    for (size_t i = 0; i < v.size(); ++i) part[i] += along * b[i];
  }
  return part;
}

std::vector<double> normal_part(const std::vector<std::vector<double>>& basis, const std::vector<double>& v) {
  std::vector<double> part = tangent_part(basis, v);
  for (size_t i = 0; i < v.size(); ++i) part[i] = v[i] - part[i];
  return part;
}

double tangent_share(const std::vector<std::vector<double>>& basis, const std::vector<double>& v) {
  double inside = 0;
  for (const auto& b : basis) inside += dot(b, v) * dot(b, v);
  return inside / dot(v, v);
}

NearestShape nearest_shape(const ShapeLatent& start, const std::vector<double>& image) {
  NearestShape best{start, distance(picture_of(start), image), 0};
  double damping = 1e-3;
  for (; best.iterations < kFitSteps && damping < 1e8; ++best.iterations) {
    const TangentSpace t = tangent_space(best.latent);
    std::vector<std::vector<double>> normal(kShapeLatents, std::vector<double>(kShapeLatents));
    std::vector<double> slope(kShapeLatents, 0);
    for (int k = 0; k < kShapeLatents; ++k) {
      for (int j = 0; j < kShapeLatents; ++j) normal[k][j] = dot(t.derivatives[k], t.derivatives[j]);
      for (int i = 0; i < kShapeValues; ++i) slope[k] += t.derivatives[k][i] * (image[i] - t.image[i]);
    }
    const std::vector<double> move = damped_solution(normal, slope, damping);
    ShapeLatent next = best.latent;
    for (int k = 0; k < kShapeLatents; ++k) shape_latent_value(next, k) += move[k];
    // The renderer knows one turn only, and no shape is smaller than a pixel.
    const double turn = 2 * std::acos(-1.0);
    next.rotation -= turn * std::floor(next.rotation / turn);
    next.scale = std::max(next.scale, 0.5);
    const double now = distance(picture_of(next), image);
    if (now < best.distance) {
      const bool done = best.distance - now < 1e-9 * best.distance;
      best.latent = next;
      best.distance = now;
      damping = std::max(damping / 5, 1e-12);
      if (done) break;
    } else {
      damping *= 4;
    }
  }
  return best;
}

uint64_t shapes_seed(const std::string& source) {
  if (source == "shapes") return 1;
  if (!source.starts_with("shapes:"))
    fail(kUsage, "the tangent space of the images is known for the built-in shapes only", "--data " + printable(source),
         "use --data shapes or shapes:SEED");
  return static_cast<uint64_t>(parse_int(source.substr(7), "--data", 0, INT64_MAX));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
