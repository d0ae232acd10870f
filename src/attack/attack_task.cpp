#include "attack/attack_task.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {
constexpr size_t kImageNumbers = 8;
}  // namespace

int stream_number(AttackKind kind, int restart, int iteration) {
  PURESCOPE_REQUIRE(iteration >= 0 && iteration < 1 << 20 && restart >= 0 && (kind == AttackKind::Pgd || restart < 64));
  return kind == AttackKind::Pgd ? restart : static_cast<int>(kind) << 26 | restart << 20 | iteration;
}

void check_bounds(View x0) {
  const Mirror host(x0);
  for (size_t i = 0; i < x0.size(); ++i)
    if (!(host.data()[i] >= 0 && host.data()[i] <= 1))
      fail(kBadInput, "an image to attack holds the value " + std::to_string(host.data()[i]), "value " + std::to_string(i), "images must lie in [0, 1]");
}

// l-inf: x0 + (u * 2 eps - eps), u uniform in [0, 1), product and sum rounded to float each (foolbox on float tensors).
// l2: size + 2 normals divided by their norm, the first `size` of them times eps: uniform in the ball.
void random_point(Norm norm, const real* x0, size_t size, double eps, const NoiseStream& stream, int64_t seed, int64_t image, int number, real* x) {
  std::vector<float> draw(size + 2);
  const float high = static_cast<float>(eps), width = high - (-high);
  double scale = 0;
  if (norm == Norm::Linf) {
    stream.start_uniform(seed, image, number, draw.data(), size);
  } else {
    stream.start_normal(seed, image, number, draw.data(), size + 2);
    double square = 0;
    for (float v : draw) square += static_cast<double>(v) * v;
    scale = eps / std::sqrt(square);
  }
  for (size_t i = 0; i < size; ++i) {
    float offset = static_cast<float>(scale * draw[i]);
    if (norm == Norm::Linf) { offset = draw[i] * width; offset = offset + (-high); }
    x[i] = std::clamp<real>(x0[i] + offset, 0, 1);
  }
}

std::vector<double> image_numbers(const std::vector<PgdImage>& images) {
  std::vector<double> v;
  for (const PgdImage& i : images)
    v.insert(v.end(), {i.loss_start, i.loss_last, i.adversarial_on_path ? 1.0 : 0.0, i.grad_zero, i.not_finite ? 1.0 : 0.0, i.forwards, i.backwards,
                       static_cast<double>(i.broken_by)});
  return v;
}

std::vector<PgdImage> images_from(const std::vector<double>& v) {
  std::vector<PgdImage> images;
  for (size_t i = 0; i + kImageNumbers <= v.size(); i += kImageNumbers)
    images.push_back({v[i], v[i + 1], v[i + 2] != 0, v[i + 3], v[i + 4] != 0, v[i + 5], v[i + 6], static_cast<int>(v[i + 7])});
  return images;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
