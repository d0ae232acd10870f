// The built-in data set: smooth pictures of a disc, a ring, a bar or a cross, 16 x 16 RGB, made from a formula.
//
// Each image is a smooth function of eleven latent numbers, so the images of a class lie on a known manifold:
//   pixel(x, y, c) = background_c + (foreground_c - background_c) * coverage(-d(x, y) / kShapeSoftness),
//   coverage(u) = s(u + 1/2), s(v) = v^3 (10 - 15 v + 6 v^2) on [0, 1], constant outside (twice differentiable),
// where d is a signed distance in pixels (negative inside) whose corners are rounded by smooth minima and maxima.
// Areas of the four classes are about equal at equal scale, so that size does not give the class away.
//
// Contrast is a compromise: a small convolutional classifier learns the labels from some 20,000 pictures, and a
// projected gradient attack of l-inf budget 8/255 on it nearly always succeeds.
//
// Values are float32 and not rounded to bytes. Only + - * / and sqrt of IEEE double are used (sine and cosine are our
// own polynomials), so the images are the same bits on every machine.
#pragma once
#include <cstdint>

namespace purescope {

constexpr int kShapeSide = 16;
constexpr int kShapeClasses = 4;
constexpr int kShapeValues = 3 * kShapeSide * kShapeSide;
constexpr double kShapeSoftness = 2.0;  // width of an edge, pixels
constexpr double kShapeColourMin = 0.15, kShapeColourMax = 0.85;
// Largest |foreground - background| over the channels of one image is uniform in this range.
constexpr double kShapeContrastMin = 0.35, kShapeContrastMax = 0.6;

// Names of the labels 0 to 3.
constexpr const char* kShapeNames[kShapeClasses] = {"disc", "ring", "bar", "cross"};

struct ShapeLatent {
  int label = 0;
  double x = 8, y = 8;       // centre in pixels from the left and top border; [6.5, 9.5]
  double scale = 4;          // radius of the disc of the same area, pixels; [3.4, 4.8]
  double rotation = 0;       // radians, clockwise on the screen; [0, 2 pi)
  double foreground[3] = {}; // [0.15, 0.85]
  double background[3] = {}; // [0.15, 0.85]
};

// Image `index` of data set `seed`: depends on these two alone. label = index mod 4. Seed 0 is for training, seed 1
// (the default of `--data shapes`) for tests.
ShapeLatent shape_latent(uint64_t seed, int64_t index);

// Writes kShapeValues values in [0.15, 0.85], channel-major (CHW). The float version is the rounded double version.
void render_shape(const ShapeLatent& latent, double* chw);
void render_shape(const ShapeLatent& latent, float* chw);

// Number of continuous latents, in the order x, y, scale, rotation, foreground[3], background[3].
constexpr int kShapeLatents = 10;

// chw as render_shape gives it (the same bits), and derivatives[k][i] = d chw[i] / d latent k, kShapeLatents rows of kShapeValues values:
// exact derivatives of the formula, by forward-mode differentiation. They span the tangent space of the manifold of a class; where a
// shape is round the row of `rotation` is zero up to rounding.
void render_shape_derivatives(const ShapeLatent& latent, double* chw, double* derivatives);

}  // namespace purescope
