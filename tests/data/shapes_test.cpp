#include "data/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "data/dataset.h"

using namespace purescope;

namespace {

using Picture = std::vector<double>;

Picture render(const ShapeLatent& z) {
  Picture picture(kShapeValues);
  render_shape(z, picture.data());
  return picture;
}

// The ten continuous latents.
double& latent(ShapeLatent& z, int i) {
  if (i < 4) return i == 0 ? z.x : i == 1 ? z.y : i == 2 ? z.scale : z.rotation;
  return i < 7 ? z.foreground[i - 4] : z.background[i - 7];
}

double worst_difference(const Picture& a, const Picture& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const double d = std::abs(a[i] - b[i]);
    if (!(d <= worst)) worst = d;  // NaN gets in, and stays
  }
  return worst;
}

// Central difference of the picture along one latent.
template <class Render>
Picture slope(const Render& draw, ShapeLatent z, int i, double h) {
  const double at = latent(z, i);
  latent(z, i) = at + h;
  Picture up = draw(z);
  latent(z, i) = at - h;
  const Picture down = draw(z);
  for (size_t k = 0; k < up.size(); k++) up[k] = (up[k] - down[k]) / (2 * h);
  return up;
}

// Largest change of any slope over a step of 1e-3 of its latent.
template <class Render>
double roughness(const Render& draw) {
  double worst = 0;
  for (int64_t index = 0; index < 40; index++) {
    for (int i = 0; i < 10; i++) {
      ShapeLatent z = shape_latent(5, index);
      const Picture before = slope(draw, z, i, 1e-3);
      latent(z, i) += 1e-3;
      worst = std::max(worst, worst_difference(before, slope(draw, z, i, 1e-3)));
    }
  }
  return worst;
}

}  // namespace

// The pictures and labels are pinned to the bit: they must be the same on every machine and compiler.
TEST(Shapes, AreTheSameEverywhere) {
  EXPECT_EQ(load_dataset("shapes:1", 0, 64).sha256, "6b7bb1672265b5e9c6bd76c0c481191b6aeb90c284582340e1047b6ee1a7e27b");
  EXPECT_NE(load_dataset("shapes:0", 0, 64).sha256, "6b7bb1672265b5e9c6bd76c0c481191b6aeb90c284582340e1047b6ee1a7e27b");
}

TEST(Shapes, DependOnSeedAndIndexOnly) {
  const Dataset all = load_dataset("shapes:7", 0, 50);
  EXPECT_EQ(all.sha256, load_dataset("shapes:7", 0, 50).sha256);
  const Dataset some = load_dataset("shapes:7", 31, 9);
  ASSERT_EQ(some.count(), 9);
  EXPECT_TRUE(std::equal(some.images.begin(), some.images.end(), all.image(31)));
  EXPECT_EQ(some.labels[0], all.labels[31]);
  EXPECT_EQ(some.sources[0], "shapes:7#31");
  const int threads = thread_count();
  set_thread_count(1);
  EXPECT_EQ(all.sha256, load_dataset("shapes:7", 0, 50).sha256);
  set_thread_count(threads);
  std::vector<float> single(kShapeValues);
  render_shape(shape_latent(7, 31), single.data());
  EXPECT_TRUE(std::equal(single.begin(), single.end(), all.image(31)));
}

TEST(Shapes, DefaultSpec) {
  const Dataset data = load_dataset("shapes", 0, -1);
  EXPECT_EQ(data.count(), 100);
  EXPECT_EQ(data.sha256, load_dataset("shapes:1", 0, 100).sha256);
  EXPECT_EQ(data.classes, 4);
  EXPECT_EQ(data.class_names[2], "bar");
  EXPECT_EQ(data.channels * data.height * data.width, kShapeValues);
}

// The documented ranges of latents, contrast and values; uniform draws reach near both ends.
TEST(Shapes, StayInTheirRanges) {
  double low[10], high[10], contrast_low = 9, contrast_high = 0;
  std::fill(low, low + 10, 1e9);
  std::fill(high, high + 10, -1e9);
  int per_class[4] = {};
  for (int64_t index = 0; index < 4000; index++) {
    ShapeLatent z = shape_latent(3, index);
    ASSERT_EQ(z.label, index % 4);
    per_class[z.label]++;
    double contrast = 0;
    for (int i = 0; i < 10; i++) {
      low[i] = std::min(low[i], latent(z, i));
      high[i] = std::max(high[i], latent(z, i));
    }
    for (int c = 0; c < 3; c++) contrast = std::max(contrast, std::abs(z.foreground[c] - z.background[c]));
    contrast_low = std::min(contrast_low, contrast);
    contrast_high = std::max(contrast_high, contrast);
    for (double value : render(z)) {
      ASSERT_TRUE(value >= kShapeColourMin - 1e-12 && value <= kShapeColourMax + 1e-12) << value;
    }
  }
  const double expected[10][2] = {{6.5, 9.5},   {6.5, 9.5},   {3.4, 4.8},   {0, 2 * M_PI}, {0.15, 0.85},
                                  {0.15, 0.85}, {0.15, 0.85}, {0.15, 0.85}, {0.15, 0.85},  {0.15, 0.85}};
  for (int i = 0; i < 10; i++) {
    const double slack = 0.01 * (expected[i][1] - expected[i][0]);
    EXPECT_TRUE(low[i] >= expected[i][0] && low[i] < expected[i][0] + slack) << i << ": " << low[i];
    EXPECT_TRUE(high[i] <= expected[i][1] && high[i] > expected[i][1] - slack) << i << ": " << high[i];
  }
  EXPECT_GE(contrast_low, kShapeContrastMin - 1e-12);
  EXPECT_LE(contrast_high, kShapeContrastMax + 1e-12);
  for (int count : per_class) EXPECT_EQ(count, 1000);
}

// Slopes exist and are continuous. Along the rotation, the steepest latent: lever arm 7 pixels, contrast 0.5, edge of
// width 2 (s'' <= 5.8) and corner rounding 0.3 give second derivatives below 49 * 0.5 * (5.8 / 4 + 1.9 / 2 / 0.6) = 74
// at one corner, and twice that is the bar for a step of 1e-3. A hard edge must fail it.
TEST(Shapes, AreSmoothInEveryLatent) {
  const double smooth = roughness(render);
  EXPECT_GT(smooth, 0);
  EXPECT_TRUE(smooth < 0.15) << smooth;
  const auto hard = [](const ShapeLatent& z) {
    Picture picture = render(z);
    for (int i = 0; i < kShapeValues; i++) {
      const int c = i / (kShapeSide * kShapeSide);
      const bool inside = (picture[i] - z.background[c]) * 2 / (z.foreground[c] - z.background[c]) > 1;
      picture[i] = inside ? z.foreground[c] : z.background[c];
    }
    return picture;
  };
  EXPECT_GT(roughness(hard), 1.0);
}

// Turning by a symmetry gives the same picture (this also checks the sine against exact angles); other turns do not.
TEST(Shapes, TurnBySymmetries) {
  const double symmetry[4] = {1.0, 1.0, M_PI, M_PI / 2};
  for (int label = 0; label < 4; label++) {
    ShapeLatent z = shape_latent(2, label);
    z.rotation = 0.3;
    const Picture before = render(z);
    z.rotation = 0.3 + symmetry[label];
    EXPECT_LT(worst_difference(before, render(z)), 1e-12) << label;
    z.rotation = 0.3 + symmetry[label] / 2;
    if (label < 2) continue;   // disc and ring look the same however they are turned
    EXPECT_GT(worst_difference(before, render(z)), 0.05) << label;
  }
}

// Another class with the same colours, place and size differs in some value by at least 0.3 of the contrast, however it
// is turned: the label can be read off the picture.
TEST(Shapes, ClassesDiffer) {
  for (int64_t index = 0; index < 40; index++) {
    const ShapeLatent z = shape_latent(1, index);
    const Picture picture = render(z);
    double contrast = 0;
    for (int c = 0; c < 3; c++) contrast = std::max(contrast, std::abs(z.foreground[c] - z.background[c]));
    for (int label = 0; label < 4; label++) {
      if (label == z.label) continue;
      for (int turn = 0; turn < 36; turn++) {
        ShapeLatent other = z;
        other.label = label;
        other.rotation = turn * 2 * M_PI / 36;
        EXPECT_GT(worst_difference(picture, render(other)), 0.3 * contrast) << index << " " << label << " " << turn;
      }
    }
  }
}

// Exact derivatives: the pictures have the bits of the plain renderer, the rows are the slopes of central differences, and no two rows are
// taken for each other.
TEST(Shapes, DerivativesAreThoseOfTheFormula) {
  for (int64_t index = 0; index < 24; index++) {
    const ShapeLatent z = shape_latent(3, index);
    Picture picture(kShapeValues), rows(kShapeLatents * kShapeValues);
    render_shape_derivatives(z, picture.data(), rows.data());
    EXPECT_EQ(picture, render(z));
    for (int k = 0; k < kShapeLatents; k++) {
      const Picture row(rows.begin() + k * kShapeValues, rows.begin() + (k + 1) * kShapeValues);
      // h^2 / 6 times the third derivative: large where a rounded corner of 0.3 pixels turns at the end of a long arm.
      EXPECT_LT(worst_difference(row, slope(render, z, k, 1e-5)), 5e-7) << index << " " << k;
      const int other = k == 3 ? 0 : (k + 1) % kShapeLatents == 3 ? 4 : (k + 1) % kShapeLatents;
      EXPECT_GT(worst_difference(row, slope(render, z, other, 1e-5)), 1e-3) << "control";
    }
  }
}
