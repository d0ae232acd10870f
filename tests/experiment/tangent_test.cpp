#include "experiment/tangent.h"

#include <gtest/gtest.h>

#include "core/check.h"
#include "experiment/chain_walk.h"
#include "golden_file.h"

using namespace purescope;

namespace {

std::vector<double> picture(const ShapeLatent& z) {
  std::vector<double> p(kShapeValues);
  render_shape(z, p.data());
  return p;
}

std::vector<double> minus(std::vector<double> a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

}  // namespace

TEST(Tangent, BasisIsOrthonormalAndHoldsTheDerivatives) {
  for (int index = 0; index < 12; ++index) {
    const ShapeLatent z = shape_latent(1, index);
    const TangentSpace t = tangent_space(z);
    EXPECT_EQ(t.image, picture(z));
    const bool round = norm2(t.derivatives[3]) < 1e-9;  // turning changes nothing
    EXPECT_EQ(t.basis.size(), round ? 9u : 10u) << z.label;
    for (size_t i = 0; i < t.basis.size(); ++i)
      for (size_t k = 0; k < t.basis.size(); ++k) EXPECT_NEAR(dot(t.basis[i], t.basis[k]), i == k, 1e-13);
    for (int k = 0; k < kShapeLatents; ++k) {
      if (round && k == 3) continue;
      const Comparison same = compare(tangent_part(t.basis, t.derivatives[k]), t.derivatives[k], 1e-12);
      EXPECT_TRUE(same.ok) << same.message;
      EXPECT_NEAR(tangent_share(t.basis, t.derivatives[k]), 1, 1e-12);
      EXPECT_LT(norm2(normal_part(t.basis, t.derivatives[k])), 1e-11 * norm2(t.derivatives[k]));
    }
    // Controls: a direction of its own is not in the space, and falls into two orthogonal parts.
    const std::vector<double> v = direction("any " + std::to_string(index), kShapeValues);
    const double share = tangent_share(t.basis, v);
    EXPECT_LT(share, 0.1);
    EXPECT_NEAR(dot(tangent_part(t.basis, v), normal_part(t.basis, v)), 0, 1e-11);
    EXPECT_NEAR(tangent_share(t.basis, normal_part(t.basis, v)), 0, 1e-20);
  }
  EXPECT_EQ(tangent_space(shape_latent(1, 0)).basis.size(), 9u) << "a disc";
  EXPECT_EQ(tangent_space(shape_latent(1, 3)).basis.size(), 10u) << "a cross";
}

// A small move along the manifold stays in the tangent space up to second order.
TEST(Tangent, MovesAlongTheManifoldAreTangent) {
  for (int index : {0, 2, 3}) {
    ShapeLatent z = shape_latent(1, index);
    const TangentSpace t = tangent_space(z);
    const auto rest = [&](double h) {
      ShapeLatent moved = z;
      for (int k = 0; k < kShapeLatents; ++k) shape_latent_value(moved, k) += h * (k % 2 ? 1 : -0.5);
      const std::vector<double> d = minus(picture(moved), t.image);
      return norm2(normal_part(t.basis, d)) / norm2(d);
    };
    EXPECT_LT(rest(1e-4), 1e-3);
    EXPECT_NEAR(rest(2e-3) / rest(1e-3), 2, 0.2) << "first order in h: what is left of d is of second order";
  }
}

TEST(Tangent, NearestShapeFindsTheLatent) {
  for (int index = 0; index < 8; ++index) {
    const ShapeLatent z = shape_latent(1, index);
    std::vector<double> image = picture(z);
    ShapeLatent start = z;
    start.x += 0.4;
    start.y -= 0.3;
    start.scale *= 1.05;
    start.rotation += 0.1;
    start.background[1] += 0.05;
    const double far = norm2(minus(picture(start), image));
    const NearestShape exact = nearest_shape(start, image);
    EXPECT_LT(exact.distance, 1e-6 * far);
    EXPECT_NEAR(exact.latent.x, z.x, 1e-5);
    // With something normal to the manifold added, its length is the distance (to second order), not less than the fit
    // can reach.
    const std::vector<double> extra = normal_part(tangent_space(z).basis, direction("off", kShapeValues, 0, 0.003));
    for (int i = 0; i < kShapeValues; ++i) image[i] += extra[i];
    const NearestShape near = nearest_shape(start, image);
    EXPECT_NEAR(near.distance, norm2(extra), 0.02 * norm2(extra));
    EXPECT_LT(near.distance, norm2(minus(picture(start), image)));
  }
}

TEST(Tangent, OnlyTheBuiltInImages) {
  EXPECT_EQ(shapes_seed("shapes"), 1u);
  EXPECT_EQ(shapes_seed("shapes:7"), 7u);
  EXPECT_THROW(shapes_seed("cifar10:x"), Error);
  EXPECT_THROW(shapes_seed("shapes:x"), Error);
}
