// How an image is purified. One explicit index convention everywhere: t* forward steps lead to abar[t* - 1]; the reverse steps call the
// network with the indices t* - 1, ..., 0 (or a strided subset of them). `describe` echoes it with every result.
#pragma once
#include <string>
#include <vector>

namespace purescope {

enum class ForwardKind { Jump, Steps, None };           // one draw to abar[t*-1] | t* single steps | reverse-only
enum class SamplerKind { Ddpm, Eta };                   // ancestral | general eta step (DDIM is eta = 0)
enum class Clip { X0, None, StraightThrough };          // predicted x0 clipped to [-1, 1]; straight-through: gradient as if not
enum class Variance { FixedLarge, FixedSmall };         // beta_t | posterior variance (ddpm only)
enum class InputScale { None, SqrtAbar };               // reverse-only: what the network is fed

struct PurifyOptions {
  int t = 100;                  // t*
  int steps_reverse = 0;        // network calls; 0 = t*; must divide t*
  ForwardKind forward = ForwardKind::Jump;
  SamplerKind sampler = SamplerKind::Ddpm;
  double eta = 0;               // Eta only
  Clip clip = Clip::X0;
  Variance variance = Variance::FixedLarge;
  InputScale scale = InputScale::None;

  int reverse_count() const { return steps_reverse ? steps_reverse : t; }
};

// Network indices in ascending order: k * (t / n) - 1 for k = 1 .. n. Exit 2 where t is outside 1..1000 or n does not divide t.
std::vector<int> reverse_indices(const PurifyOptions& options);

// "--sampler" values: ddpm | ddim | eta:X | reverse (= ddpm without forward noise). Sets sampler, eta and the default clip
// (x0 for ddpm, none otherwise). Exit 2 otherwise.
void parse_sampler(const std::string& text, PurifyOptions& options);

// One line: "t* 100, forward jump to abar[99] = 0.897018, 100 reverse steps, indices 99 .. 0, ddpm, fixedlarge, clip x0".
std::string describe(const PurifyOptions& options);

}  // namespace purescope
