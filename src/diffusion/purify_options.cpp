#include "diffusion/purify_options.h"

#include <cstdio>

#include "core/check.h"
#include "diffusion/schedule.h"
#include "io/fraction.h"

namespace purescope {

std::vector<int> reverse_indices(const PurifyOptions& o) {
  const int count = o.reverse_count();
  if (o.t < 1 || o.t > kDiffusionSteps) fail(kUsage, "--t is " + std::to_string(o.t), "--t", "t* counts diffusion steps, 1 to 1000");
  if (count < 1 || count > o.t || o.t % count != 0)
    fail(kUsage, "--steps-reverse " + std::to_string(count) + " does not divide --t " + std::to_string(o.t), "--steps-reverse",
         "choose a divisor of t*, for example " + std::to_string(o.t % 10 == 0 ? o.t / 10 : o.t));
  std::vector<int> indices;
  for (int k = 1; k <= count; ++k) indices.push_back(k * (o.t / count) - 1);
  return indices;
}

void parse_sampler(const std::string& text, PurifyOptions& o) {
  if (text == "ddpm" || text == "reverse") {
    o.sampler = SamplerKind::Ddpm;
    o.clip = Clip::X0;
    if (text == "reverse") o.forward = ForwardKind::None;
    return;
  }
  o.sampler = SamplerKind::Eta;
  o.clip = Clip::None;
  if (text == "ddim") o.eta = 0;
  else if (text.rfind("eta:", 0) == 0) o.eta = parse_fraction(text.substr(4), "--sampler");
  else fail(kUsage, "unknown sampler '" + text + "'", "--sampler", "ddpm, ddim, eta:X or reverse");
  if (o.eta < 0 || o.eta > 1) fail(kUsage, "eta is outside 0..1", "--sampler " + text, "0 is DDIM, 1 is DDPM with the posterior variance");
}

std::string describe(const PurifyOptions& o) {
  const std::vector<int> indices = reverse_indices(o);
  char text[320];
  const char* forward = o.forward == ForwardKind::Jump ? "jump" : o.forward == ForwardKind::Steps ? "steps" : "none";
  const std::string sampler = o.sampler == SamplerKind::Eta ? (o.eta == 0 ? "ddim" : "eta " + std::to_string(o.eta))
                              : o.variance == Variance::FixedLarge ? "ddpm fixedlarge" : "ddpm fixedsmall";
  std::snprintf(text, sizeof text, "t* %d, forward %s to abar[%d] = %.6f%s, %zu reverse steps at indices %d .. %d, %s, clip %s", o.t, forward,
                o.t - 1, linear_schedule().abar[o.t - 1], o.scale == InputScale::SqrtAbar ? ", input scaled by sqrt(abar)" : "",
                indices.size(), indices.back(), indices.front(), sampler.c_str(),
                o.clip == Clip::X0 ? "x0" : o.clip == Clip::None ? "none" : "straight-through");
  return text;
}

}  // namespace purescope
