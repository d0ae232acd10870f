#include "attack/attack_task.h"

#include "core/check.h"
#include "diffusion/noise_source.h"
#include "ops/ops.h"

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

// l-inf from uniform numbers, l2 from two normal ones more than the image has values.
void random_points(Norm norm, View x0, const std::vector<double>& eps, const NoiseStream& stream, int64_t seed, const std::vector<int64_t>& images,
                   int number, View x) {
  const bool linf = norm == Norm::Linf;
  const Buffer draws(x0.n, static_cast<int>(x0.image_size()) + (linf ? 0 : 2), 1, 1, x.device);
  fill_draws(stream, linf ? Purpose::StartUniform : Purpose::StartNormal,
             [&](int n) { return NoiseKey{seed, images[n], static_cast<uint64_t>(number), Phase::Forward, 0}; }, draws.view());
  if (linf) linf_start(eps.data(), x0, draws.view(), x);
  else l2_start(eps.data(), x0, draws.view(), x);
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
