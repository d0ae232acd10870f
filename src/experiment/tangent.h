// The manifold of the built-in `shapes` images, which is known: tangent spaces, projections onto them, and the nearest
// point of a class.
#pragma once
#include <string>
#include <vector>

#include "core/real.h"
#include "data/shapes.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct TangentSpace {
  std::vector<double> image;                     // render(latent), kShapeValues
  std::vector<std::vector<double>> derivatives;  // d image / d latent k, kShapeLatents rows
  std::vector<std::vector<double>>
      basis;  // orthonormal; 9 rows for round shapes, whose rotation changes nothing, else 10
};
TangentSpace tangent_space(const ShapeLatent& latent);

// Projection of v onto the span of the orthonormal rows of `basis`, and what is left of v.
std::vector<double> tangent_part(const std::vector<std::vector<double>>& basis, const std::vector<double>& v);
std::vector<double> normal_part(const std::vector<std::vector<double>>& basis, const std::vector<double>& v);
// |tangent_part|^2 / |v|^2, in [0, 1]; NaN for v = 0. A random direction has rank / d on average.
double tangent_share(const std::vector<std::vector<double>>& basis, const std::vector<double>& v);

// The latent of the same class whose picture is nearest to `image` (l2, [0,1] units): Gauss-Newton steps with
// Levenberg's damping, from `start`. A local minimum; the colours may leave their range.
struct NearestShape {
  ShapeLatent latent;
  double distance = 0;
  int iterations = 0;
};
NearestShape nearest_shape(const ShapeLatent& start, const std::vector<double>& image);

// The seed of a data source `shapes` or `shapes:SEED`; exit 2 for any other source: their tangent spaces are not known.
uint64_t shapes_seed(const std::string& source);

constexpr const char* kShapeLatentNames[kShapeLatents] = {"x",
                                                          "y",
                                                          "scale",
                                                          "rotation",
                                                          "foreground red",
                                                          "foreground green",
                                                          "foreground blue",
                                                          "background red",
                                                          "background green",
                                                          "background blue"};
double& shape_latent_value(ShapeLatent& latent, int k);  // the k-th of them

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
