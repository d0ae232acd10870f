#include "diffusion/purify_options.h"

#include <cmath>
#include <cstdio>
#include <sstream>

#include "core/check.h"
#include "diffusion/schedule.h"
#include "io/fraction.h"
#include "io/text.h"

namespace purescope {

namespace {

// Positions 0, stride, 2 stride, ... of `count` kept steps in a section of `size`; halves round to even.
void keep_section(int start, int size, int count, std::vector<int>& kept) {
  const double stride = count > 1 ? static_cast<double>(size - 1) / (count - 1) : 1;
  double position = 0;
  for (int k = 0; k < count; ++k, position += stride) kept.push_back(start + static_cast<int>(std::nearbyint(position)));
}

[[noreturn]] void bad_respacing(const std::string& text, const std::string& why) {
  fail(kUsage, "cannot respace 1000 steps: " + why, "--respacing " + text, "for example 250, ddim50 or 10,20,30");
}

// The settings of "dpmsolver++:order=3,method=singlestep,grid=logsnr,steps=20".
void parse_dpm(const std::string& text, PurifyOptions& o) {
  o.sampler = SamplerKind::Dpm;
  o.dpm = {};
  o.dpm.plusplus = text.starts_with("dpmsolver++");
  const size_t colon = text.find(':');
  std::stringstream items(colon == text.npos ? "" : text.substr(colon + 1));
  for (std::string item; std::getline(items, item, ',');) {
    if (item == "order=1" || item == "order=2" || item == "order=3") o.dpm.order = item.back() - '0';
    else if (item == "method=multistep" || item == "method=singlestep") o.dpm.singlestep = item == "method=singlestep";
    else if (item == "grid=time" || item == "grid=logsnr") o.dpm.logsnr = item == "grid=logsnr";
    else if (item == "taylor") o.dpm.taylor = true;
    else if (item.starts_with("steps=") && !o.steps_reverse) o.steps_reverse = static_cast<int>(parse_int(item.substr(6), "--sampler", 1, 1000));
    else if (!item.starts_with("steps="))
      fail(kUsage, "unknown setting '" + printable(item) + "'", "--sampler " + printable(text), "order=1|2|3, method=multistep|singlestep, grid=time|logsnr, steps=N, taylor");
  }
}

}  // namespace

int PurifyOptions::reverse_count() const {
  if (sampler == SamplerKind::Dpm) return steps_reverse ? steps_reverse : 20;
  return steps_reverse ? steps_reverse : t;
}

std::vector<int> space_timesteps(int total, const std::string& respacing) {
  std::vector<int> kept;
  if (respacing.starts_with("ddim")) {
    const int wanted = static_cast<int>(parse_int(respacing.substr(4), "--respacing", 1, total));
    for (int stride = 1; stride < total; ++stride) {
      kept.clear();
      for (int k = 0; k < total; k += stride) kept.push_back(k);
      if (static_cast<int>(kept.size()) == wanted) return kept;
    }
    bad_respacing(respacing, "no integer stride keeps " + std::to_string(wanted));
  }
  std::vector<int> counts;
  std::stringstream parts(respacing);
  for (std::string part; std::getline(parts, part, ',');) counts.push_back(static_cast<int>(parse_int(part, "--respacing", 1, total)));
  const int sections = static_cast<int>(counts.size());
  if (sections == 0) bad_respacing(respacing, "no number of steps");
  for (int k = 0, start = 0; k < sections; ++k) {
    const int size = total / sections + (k < total % sections ? 1 : 0);
    if (counts[k] > size) bad_respacing(respacing, "a section of " + std::to_string(size) + " steps has no " + std::to_string(counts[k]));
    keep_section(start, size, counts[k], kept);
    start += size;
  }
  return kept;
}

std::vector<int> reverse_indices(const PurifyOptions& o) {
  const int count = o.reverse_count();
  if (o.t < 1 || o.t > kDiffusionSteps) fail(kUsage, "--t is " + std::to_string(o.t), "--t", "t* counts diffusion steps, 1 to 1000");
  std::vector<int> indices;
  if (!o.respacing.empty()) {
    indices = space_timesteps(kDiffusionSteps, o.respacing);
    if (o.t > static_cast<int>(indices.size()) || o.steps_reverse || (o.sampler != SamplerKind::Ddpm && o.sampler != SamplerKind::Eta))
      fail(kUsage, "--respacing " + o.respacing + " has " + std::to_string(indices.size()) + " steps", "--t " + std::to_string(o.t),
           "t* counts steps of the respaced process; the samplers are ddpm, ddim and eta, without --steps-reverse");
    indices.resize(o.t);
    return indices;
  }
  if (o.sampler == SamplerKind::Ddpm || o.sampler == SamplerKind::Eta) {
    if (count < 1 || count > o.t || o.t % count != 0)
      fail(kUsage, "--steps-reverse " + std::to_string(count) + " does not divide --t " + std::to_string(o.t), "--steps-reverse",
           "choose a divisor of t*, for example " + std::to_string(o.t % 10 == 0 ? o.t / 10 : o.t));
    for (int k = 1; k <= count; ++k) indices.push_back(k * (o.t / count) - 1);
    return indices;
  }
  if (o.sampler != SamplerKind::Dpm && count != o.t)
    fail(kUsage, "--steps-reverse " + std::to_string(count) + " with " + sampler_name(o), "--steps-reverse", "this sampler takes t* steps of 1/1000");
  if (o.sampler == SamplerKind::Dpm && (o.t < 2 || count < o.dpm.order))
    fail(kUsage, "dpmsolver needs t* of at least 2 and as many steps as its order", "--steps-reverse " + std::to_string(count), "choose more steps");
  if (o.clip != Clip::None) fail(kUsage, "--clip with " + sampler_name(o), "--clip", "this sampler does not clip the predicted x0: --clip none");
  for (int k = 0; k < o.t; ++k) indices.push_back(k);
  return indices;
}

void parse_sampler(const std::string& text, PurifyOptions& o) {
  o.clip = Clip::None;
  if (text == "ddpm" || text == "reverse") {
    o.sampler = SamplerKind::Ddpm;
    o.clip = Clip::X0;
    if (text == "reverse") o.forward = ForwardKind::None;
    return;
  }
  if (text == "vpsde" || text == "vpode") {
    o.sampler = text == "vpsde" ? SamplerKind::VpSde : SamplerKind::VpOde;
    return;
  }
  if (text == "dpm20" || text == "dpmsolver" || text == "dpmsolver++" || text.starts_with("dpmsolver:") || text.starts_with("dpmsolver++:"))
    return parse_dpm(text == "dpm20" ? "dpmsolver++" : text, o);
  o.sampler = SamplerKind::Eta;
  if (text == "ddim") o.eta = 0;
  else if (text.rfind("eta:", 0) == 0) o.eta = parse_fraction(text.substr(4), "--sampler");
  else fail(kUsage, "unknown sampler '" + text + "'", "--sampler", "ddpm, ddim, eta:X, reverse, vpsde, vpode, dpm20, dpmsolver:... or dpmsolver++:...");
  if (o.eta < 0 || o.eta > 1) fail(kUsage, "eta is outside 0..1", "--sampler " + text, "0 is DDIM, 1 is DDPM with the posterior variance");
}

std::string sampler_name(const PurifyOptions& o) {
  switch (o.sampler) {
    case SamplerKind::Ddpm: return "ddpm";
    case SamplerKind::Eta: return "eta";
    case SamplerKind::VpSde: return "vpsde";
    case SamplerKind::VpOde: return "vpode";
    case SamplerKind::Dpm: break;
  }
  return std::string(o.dpm.plusplus ? "dpmsolver++ " : "dpmsolver ") + std::to_string(o.dpm.order) +
         (o.dpm.singlestep ? " singlestep" : " multistep") + (o.dpm.logsnr ? " logsnr" : " time") + (o.dpm.taylor ? " taylor" : "");
}

std::string variance_name(const PurifyOptions& o) {
  return o.variance == Variance::FixedLarge ? "fixedlarge" : o.variance == Variance::FixedSmall ? "fixedsmall" : "learned";
}

std::string describe(const PurifyOptions& o) {
  const std::vector<int> indices = reverse_indices(o);
  char text[512];
  const char* forward = o.forward == ForwardKind::Jump ? "jump" : o.forward == ForwardKind::Steps ? "steps" : "none";
  std::string sampler = sampler_name(o), calls = std::to_string(indices.size()) + " reverse steps at indices " +
                                                 std::to_string(indices.back()) + " .. " + std::to_string(indices.front());
  if (o.sampler == SamplerKind::Eta) sampler = o.eta == 0 ? "ddim" : "eta " + std::to_string(o.eta);
  if (o.sampler == SamplerKind::Ddpm) sampler += " " + variance_name(o);
  if (o.sampler == SamplerKind::Dpm) calls = std::to_string(o.reverse_count()) + " network calls from t = " + std::to_string(o.t) + "/1000 to 1/1000";
  if (o.sampler == SamplerKind::VpSde || o.sampler == SamplerKind::VpOde) {
    calls = std::to_string(o.t) + " steps from t = " + std::to_string(o.t) + "/1000 to 1e-5";
    sampler += o.labels == Labels::Index ? ", labels 1000 t" : o.labels == Labels::Continuous ? ", labels 999 t" : ", labels as torchsde in float32";
  }
  std::snprintf(text, sizeof text, "t* %d%s, forward %s to abar[%d] = %.6f%s, %s, %s, clip %s", o.t,
                o.respacing.empty() ? "" : (" of " + o.respacing).c_str(), forward, indices.back(), linear_schedule().abar[indices.back()],
                o.scale == InputScale::SqrtAbar ? ", input scaled by sqrt(abar)" : "", calls.c_str(), sampler.c_str(),
                o.clip == Clip::X0 ? "x0" : o.clip == Clip::None ? "none" : "straight-through");
  std::string line = text;
  if (o.image_size) line += ", images of " + std::to_string(o.image_size) + " resampled bilinearly";
  if (o.guidance == 0) return line;
  char guided[48];
  std::snprintf(guided, sizeof guided, ", guidance %.6g", o.guidance);
  return line + guided;
}

}  // namespace purescope
