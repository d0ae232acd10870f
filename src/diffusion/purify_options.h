// How an image is purified. One explicit index convention everywhere: t* forward steps lead to abar[t* - 1]; the reverse steps call the
// network with the indices t* - 1, ..., 0 (or a strided subset of them). `describe` echoes it with every result.
#pragma once
#include <string>
#include <vector>

namespace purescope {

enum class ForwardKind { Jump, Steps, None };           // one draw to abar[t*-1] | t* single steps | reverse-only
enum class SamplerKind { Ddpm, Eta, VpSde, VpOde, Dpm };  // ancestral | eta step (DDIM is eta = 0) | reverse SDE | its ODE | DPM-Solver
enum class Clip { X0, None, StraightThrough };          // predicted x0 clipped to [-1, 1]; straight-through: gradient as if not
enum class Variance { FixedLarge, FixedSmall, Learned };  // beta_t | posterior variance | between them, by the network (ddpm only)
enum class Labels { Index, TorchsdeFp32, Continuous };  // vpsde, vpode: 1000 t | trunc(1000 t) of float32 times | 999 t
enum class InputScale { None, SqrtAbar };               // reverse-only: what the network is fed

// DPM-Solver (Lu et al. 2022): noise prediction, or (plusplus) data prediction; grid uniform in time, or in the half log-SNR.
// taylor: multistep methods of order 3 weigh the second difference as the Taylor series does, twice what the authors' program does; only
// then is the order 3.
struct DpmOptions { int order = 2; bool plusplus = true, singlestep = false, logsnr = false, taylor = false; };

struct PurifyOptions {
  int t = 100;                  // t*
  int steps_reverse = 0;        // network calls; 0 = t* (dpm: 20); must divide t* (dpm: any number)
  ForwardKind forward = ForwardKind::Jump;
  SamplerKind sampler = SamplerKind::Ddpm;
  double eta = 0;               // Eta only
  Clip clip = Clip::X0;
  Variance variance = Variance::FixedLarge;
  InputScale scale = InputScale::None;
  Labels labels = Labels::Index;
  DpmOptions dpm;
  std::string respacing;        // "" or "250", "ddim50", "10,20,30": t* then counts steps of the respaced process
  int image_size = 0;           // of the images outside, resampled bilinearly to the network's size and back; 0 = the network's size
  // Guided purification (Wang et al. 2022, squared distance), ddpm only: after every step with noise sigma > 0
  //   y <- y - guidance sigma^2 (x - g),  g = sqrt(abar) u + sqrt(1 - abar) e,  x the step's input, u the image to purify, e the forward
  // noise of the step's index. 0: none.
  double guidance = 0;

  int reverse_count() const;    // network calls
};

// Indices of the discrete process that are visited, in ascending order: k * (t / n) - 1 for k = 1 .. n; the first t of a respacing; for
// vpsde, vpode and dpm those below t. Exit 2 where t is outside 1..1000 (or the respacing's length) or n does not divide t.
std::vector<int> reverse_indices(const PurifyOptions& options);

// The indices that a respacing of `total` steps keeps (Nichol and Dhariwal 2021): "ddimN" strides evenly from 0; "a,b,..." cuts the steps
// into equal sections and keeps a, b, ... evenly spread ones of each, both ends among them. Exit 2 where that is impossible.
std::vector<int> space_timesteps(int total, const std::string& respacing);

// "--sampler" values: ddpm | ddim | eta:X | reverse (= ddpm without forward noise) | vpsde | vpode | dpm20 (= dpmsolver++:order=2,steps=20)
// | dpmsolver:... | dpmsolver++:... with order=1..3, method=multistep|singlestep, grid=time|logsnr, steps=N, taylor. Sets sampler, its own
// settings and the default clip (x0 for ddpm, none otherwise). Exit 2 otherwise.
void parse_sampler(const std::string& text, PurifyOptions& options);

// "ddpm", "eta", "vpsde", "vpode", "dpmsolver++ 2 multistep time"; and the variance of ddpm.
std::string sampler_name(const PurifyOptions& options);
std::string variance_name(const PurifyOptions& options);

// One line: "t* 100, forward jump to abar[99] = 0.897018, 100 reverse steps, indices 99 .. 0, ddpm, fixedlarge, clip x0".
std::string describe(const PurifyOptions& options);

}  // namespace purescope
