#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/parallel.h"
#include "core/simd.h"
#include "models/zoo.h"
#include "rng/train_stream.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

PURESCOPE_CLONES
void adam_values(size_t count, real beta1, real beta2, real scale, real step_size, real root_scale, real eps, real decay, const real* g,
                 real* m, real* v, real* p) {
  for (size_t i = 0; i < count; ++i) {
    const real gradient = g[i] * scale;
    m[i] = beta1 * m[i] + (1 - beta1) * gradient;
    v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
    p[i] -= step_size * m[i] / (__builtin_sqrt(v[i]) * root_scale + eps) + decay * p[i];
  }
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

double adam_step(const AdamConfig& c, const Model& model, int64_t step, double lr, Params& grads, Params& m, Params& v, Params& params) {
  accum square = 0;
  for (size_t i = 0; i < model.params.size(); ++i) {
    if (!model.params[i].trainable) continue;
    const View g = grads.view(static_cast<int>(i));
    accum part = 0;
    for (size_t k = 0; k < g.size(); ++k) part += static_cast<accum>(g.data[k]) * g.data[k];
    square += part;
  }
  const double norm = std::sqrt(square), scale = c.clip_norm > 0 && norm > c.clip_norm ? c.clip_norm / norm : 1;
  const double bias1 = 1 - std::pow(c.beta1, step), bias2 = 1 - std::pow(c.beta2, step);
  parallel_for(static_cast<int>(model.params.size()), [&](int i) {
    if (!model.params[i].trainable) return;
    const View p = params.view(i);
    const double decay = model.params[i].shape.size() > 1 ? lr * c.weight_decay : 0;
    adam_values(p.size(), static_cast<real>(c.beta1), static_cast<real>(c.beta2), static_cast<real>(scale), static_cast<real>(lr / bias1),
                static_cast<real>(1 / std::sqrt(bias2)), static_cast<real>(c.eps), static_cast<real>(decay), grads.view(i).data,
                m.view(i).data, v.view(i).data, p.data);
  });
  return norm;
}

void ema_step(double decay, const Model& model, const Params& params, Params& average) {
  parallel_for(static_cast<int>(model.params.size()), [&](int i) {
    const View p = params.view(i), a = average.view(i);
    const real keep = model.params[i].trainable ? static_cast<real>(decay) : 0, take = 1 - keep;
    for (size_t k = 0; k < p.size(); ++k) a.data[k] = keep * a.data[k] + take * p.data[k];
  });
}

void initialise(const Model& model, int64_t seed, Params& params) {
  const TrainStream stream(seed);
  const double gain = is_purifier(model) ? 1 : std::sqrt(2.0);
  for (size_t i = 0; i < model.params.size(); ++i) {
    const ParamInfo& info = model.params[i];
    const View v = params.view(static_cast<int>(i));
    const bool last_of_branch = is_purifier(model) && (ends_with(info.key, "conv2.weight") || ends_with(info.key, "proj_out.weight") ||
                                                       ends_with(info.key, "conv_out.weight"));
    if (info.shape.size() > 1) {
      const double bound = last_of_branch ? 0 : gain * std::sqrt(3.0 / (info.count() / info.shape[0]));
      std::vector<float> u(v.size());
      stream.uniform({.step = 0, .image = static_cast<int64_t>(i), .purpose = TrainPurpose::Init}, u.data(), u.size());
      for (size_t k = 0; k < v.size(); ++k) v.data[k] = static_cast<real>(bound * (2.0 * u[k] - 1));
    } else {
      const bool one = ends_with(info.key, "running_var") || ends_with(info.key, ".weight");
      std::fill_n(v.data, v.size(), real(one ? 1 : 0));
    }
  }
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
