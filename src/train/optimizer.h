// Adam and the exponential moving average, over all trainable parameters of a model.
#pragma once
#include "net/params.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Adam, Kingma and Ba 2015, algorithm 1, with decoupled weight decay (Loshchilov and Hutter 2019; 0 gives plain Adam).
struct AdamConfig { double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, clip_norm = 1; };

// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, p -= lr (mhat / (sqrt(vhat) + eps) + weight_decay p); the decay acts on
// weights of rank >= 2 only. g is scaled down first where its norm over all parameters exceeds clip_norm. step counts from 1.
// Returns the norm of the gradient before clipping.
double adam_step(const AdamConfig& config, const Model& model, int64_t step, double lr, Params& grads, Params& m, Params& v, Params& params);

// average = decay * average + (1 - decay) * params; running statistics are copied.
void ema_step(double decay, const Model& model, const Params& params, Params& average);

// Fresh parameters for training: conv and linear weights uniform with variance gain^2 / fan_in, norms (1, 0), biases 0, running
// statistics (0, 1). gain is sqrt(2) for ReLU networks and 1 for the U-Net, whose last layer of each residual branch starts at 0.
void initialise(const Model& model, int64_t seed, Params& params);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
