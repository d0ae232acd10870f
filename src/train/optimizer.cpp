#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/check.h"
#include "core/parallel.h"
#include "models/zoo.h"
#include "ops/ops.h"
#include "rng/train_stream.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// Calls update(i) for every parameter; a device takes its launches from one thread.
void each_parameter(const Model& model, Device device, const std::function<void(int)>& update) {
  const int count = static_cast<int>(model.params.size());
  if (device == Device::Cpu) return parallel_for(count, update);
  for (int i = 0; i < count; ++i) update(i);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

double adam_step(const AdamConfig& c, const Model& model, int64_t step, double lr, Params& grads, Params& m, Params& v, Params& params) {
  std::vector<View> trainable;
  for (size_t i = 0; i < model.params.size(); ++i)
    if (model.params[i].trainable) trainable.push_back(grads.view(static_cast<int>(i)));
  std::vector<double> squares(trainable.size());
  square_sums(trainable.data(), static_cast<int>(trainable.size()), squares.data());
  accum square = 0;
  for (double part : squares) square += part;
  const double norm = std::sqrt(square), scale = c.clip_norm > 0 && norm > c.clip_norm ? c.clip_norm / norm : 1;
  const double bias1 = 1 - std::pow(c.beta1, step), bias2 = 1 - std::pow(c.beta2, step);
  each_parameter(model, params.device(), [&](int i) {
    if (!model.params[i].trainable) return;
    const double decay = model.params[i].shape.size() > 1 ? lr * c.weight_decay : 0;
    adam_update({c.beta1, c.beta2, scale, lr / bias1, 1 / std::sqrt(bias2), c.eps, decay}, grads.view(i), m.view(i), v.view(i), params.view(i));
  });
  return norm;
}

void ema_step(double decay, const Model& model, const Params& params, Params& average) {
  each_parameter(model, params.device(), [&](int i) { average_update(model.params[i].trainable ? decay : 0, params.view(i), average.view(i)); });
}

void initialise(const Model& model, int64_t seed, Params& params) {
  const TrainStream stream(seed);
  const double gain = is_purifier(model) ? 1 : std::sqrt(2.0);
  for (size_t i = 0; i < model.params.size(); ++i) {
    const ParamInfo& info = model.params[i];
    const Mirror host(params.view(static_cast<int>(i)), Device::Cpu, Mirror::Load::No);
    const View v = host.view();
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
    host.store();
  }
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
