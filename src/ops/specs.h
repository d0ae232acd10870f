// The fixed part of each op: sizes and constants, no data. One plain struct per op, so that a Step can hold any of them.
#pragma once
#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// kernel x kernel cross-correlation with zero padding: pad_before rows above and columns left, pad_after below and right.
// Output height (h + pad_before + pad_after - kernel) / stride + 1, rounded down.
// algorithm: how the CPU computes it (ops/winograd.h). filters, flipped_filters: the transformed weights of forward and of dx where the
// caller keeps them; null: made on every call.
enum class ConvAlgorithm : unsigned char { Exact, Winograd2, Winograd4 };
struct Conv2d {
  int in = 0, out = 0, kernel = 3, stride = 1, pad_before = 1, pad_after = 1;
  ConvAlgorithm algorithm = ConvAlgorithm::Exact;
  const real *filters = nullptr, *flipped_filters = nullptr;
};
inline int conv2d_size(const Conv2d& s, int size) { return (size + s.pad_before + s.pad_after - s.kernel) / s.stride + 1; }

struct Linear { int in = 0, out = 0; };

// Of one training image: seen through a window moved `down` and `right` pixels, zeros outside, and then mirrored left to right.
struct Augmentation { int down = 0, right = 0; bool flip = false; };

// Per image and group, over (channels / groups) * h * w values; biased variance. silu: SiLU of the result, in the same step.
struct GroupNorm { int channels = 0, groups = 32; double eps = 0; bool silu = false; };

// training = false: y = (x - running_mean) * weight / sqrt(running_var + eps) + bias. training = true: batch statistics,
// and the running ones move by `momentum` towards them (unbiased variance), as in PyTorch.
struct BatchNorm { int channels = 0; double eps = 0; bool training = false; double momentum = 0.1; };

// softmax(scale * q^T k) v over all h * w positions, one head over all channels of a head: head i owns channels
// [i * c / heads, (i + 1) * c / heads).
struct Attention { int channels = 0, heads = 1; double scale = 0; };

// [sin(t f_i), cos(t f_i)] with f_i = exp(-i ln(10000) / divisor), i < dim / 2. sin_first = false swaps the halves.
struct TimeEmbedding { int dim = 0, divisor = 1; bool sin_first = true; };

// y = (x - mean_c) / std_c for three channels. The constants are the float32 ones of the original code, widened.
struct Normalize { float mean[3], std[3]; };

// y[:, before + k] = x[:, k, ::stride, ::stride]; `before` channels before and after are zero (option A of He et al.).
struct SubsamplePad { int stride = 2, before = 0, after = 0; };

// Largest value of a kernel x kernel window; `pad` rows and columns of -infinity on every side.
struct MaxPool { int kernel = 3, stride = 2, pad = 1; };
inline int max_pool_size(const MaxPool& s, int size) { return (size + 2 * s.pad - s.kernel) / s.stride + 1; }

// y = factor * x.
struct Scale { double factor = 1; };

// h = scale * g;  m = beta1 m + (1 - beta1) h;  v = beta2 v + (1 - beta2) h^2;
// p -= step_size * m / (sqrt(v) * root_scale + eps) + decay * p.  step_size = lr / (1 - beta1^k), root_scale = 1 / sqrt(1 - beta2^k).
struct Adam { double beta1 = 0, beta2 = 0, scale = 1, step_size = 0, root_scale = 1, eps = 0, decay = 0; };

// One reverse diffusion step from network index `label`, as numbers (computed in double by diffusion/reverse_step):
//   x0 = to_x0 * x - from_eps * eps, clipped to [-1, 1] if clip;  y = p * x0 + q * x + r * eps + s * z.
// straight_through: clipped forward, gradient as if not clipped.
// What the purifier adds to y where a sampler asks for it: multistep solvers, sum over k = 0, 1 of back_x[k] x_-k + back_eps[k] eps_-k with
// the state and the prediction k + 1 calls before; learned variance, exp(logvar / 2) z, logvar = f log_max + (1 - f) log_min,
// f = (v + 1) / 2, v the upper half of the network's channels.
struct ReverseStep {
  int label = 0;     // discrete index: names the noise of the step
  double to_x0 = 0, from_eps = 0, p = 0, q = 0, r = 0, s = 0;
  bool clip = false, straight_through = false;
  double time = 0;   // what the network is told; may be fractional
  bool learned = false;
  double log_max = 0, log_min = 0;
  double back_x[2] = {0, 0}, back_eps[2] = {0, 0};
};

// What noise is drawn: uniform values in [0, 1) or standard normal ones.
enum class NoiseKind : unsigned char { Uniform, Normal };

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
