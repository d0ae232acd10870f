// Are the eight colours of the plots told apart, by everyone and on both papers?
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/html.h"

using namespace purescope;

namespace {

using Rgb = std::array<double, 3>;

// "--s3:#c96ca6" after the `from`-th character, as linear RGB in [0, 1].
Rgb colour(const std::string& name, size_t from) {
  const std::string style = kReportStyle;
  const size_t at = style.find("--" + name + ":#", from);
  EXPECT_NE(at, std::string::npos) << name;
  const std::string digits = style.substr(style.find('#', at) + 1, 6);
  Rgb c{};
  for (int i = 0; i < 3; ++i) {
    const double v = std::stoi(digits.substr(2 * i, 2), nullptr, 16) / 255.;
    c[i] = v <= .04045 ? v / 12.92 : std::pow((v + .055) / 1.055, 2.4);  // sRGB, IEC 61966-2-1
  }
  return c;
}

// Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), severity 1: nobody, protanopia, deuteranopia, tritanopia.
using Matrix = std::array<Rgb, 3>;
const Matrix kVisions[] = {
    {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {{{.152286, 1.052583, -.204868}, {.114503, .786281, .099216}, {-.003882, -.048116, 1.051998}}},
    {{{.367322, .860646, -.227968}, {.280085, .672501, .047413}, {-.011820, .042940, .968881}}},
    {{{1.255528, -.076749, -.178779}, {-.078411, .930809, .147602}, {.004733, .691367, .303900}}}};

// CIELAB, white D65.
Rgb lab(const Rgb& c, const Matrix& vision) {
  Rgb r{};
  for (int i = 0; i < 3; ++i)
    r[i] = std::clamp(vision[i][0] * c[0] + vision[i][1] * c[1] + vision[i][2] * c[2], 0., 1.);
  const Rgb xyz = {(.4124 * r[0] + .3576 * r[1] + .1805 * r[2]) / .9505, .2126 * r[0] + .7152 * r[1] + .0722 * r[2],
                   (.0193 * r[0] + .1192 * r[1] + .9505 * r[2]) / 1.089};
  Rgb f{};
  for (int i = 0; i < 3; ++i) f[i] = xyz[i] > .008856 ? std::cbrt(xyz[i]) : 7.787 * xyz[i] + 16. / 116;
  return {116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])};
}

double distance(const Rgb& a, const Rgb& b) {
  return std::sqrt(std::pow(a[0] - b[0], 2) + std::pow(a[1] - b[1], 2) + std::pow(a[2] - b[2], 2));
}
double luminance(const Rgb& c) { return .2126 * c[0] + .7152 * c[1] + .0722 * c[2]; }
double contrast(const Rgb& a, const Rgb& b) {
  const double x = luminance(a) + .05, y = luminance(b) + .05;
  return std::max(x, y) / std::min(x, y);
}

// Smallest distance of two of the eight under any vision.
double closest(const std::array<Rgb, 8>& colours) {
  double least = INFINITY;
  for (const Matrix& vision : kVisions)
    for (int i = 0; i < 8; ++i)
      for (int k = 0; k < i; ++k) least = std::min(least, distance(lab(colours[i], vision), lab(colours[k], vision)));
  return least;
}

}  // namespace

TEST(Colours, ToldApartByEveryone) {
  const std::string style = kReportStyle;
  const size_t dark = style.find("prefers-color-scheme:dark"), print = style.find("@media print");
  ASSERT_NE(dark, std::string::npos);
  ASSERT_NE(print, std::string::npos);
  for (size_t from : {size_t(0), dark, print}) {
    std::array<Rgb, 8> colours;
    for (int i = 0; i < 8; ++i) colours[i] = colour("s" + std::to_string(i), from);
    EXPECT_GT(closest(colours), 13);  // about six just noticeable differences
    for (const Rgb& c : colours) EXPECT_GT(contrast(c, colour("paper", from)), 3);  // WCAG 2.1, graphical objects
    EXPECT_GT(contrast(colour("ink", from), colour("paper", from)), 7);
    EXPECT_GT(contrast(colour("soft", from), colour("paper", from)), 4.5);
    colours[4] = colours[1];
    colours[4][0] *= 1.02;
    EXPECT_LT(closest(colours), 13);  // control: two that are nearly the same
  }
}
