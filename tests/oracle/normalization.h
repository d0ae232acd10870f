// Group and batch normalisation, and the fixed normalisation of pictures: y = (x - mean) / sqrt(var + eps) * weight + bias.
#pragma once
#include <cmath>
#include <vector>

#include "oracle/scalar.h"

namespace purescope::oracle {

template <class T>
struct Moments { T mean, var; };  // biased variance

template <class T>
Moments<T> moments(const std::vector<T>& values) {
  const double count = static_cast<double>(values.size());
  T mean(0), var(0);
  for (const T& v : values) mean += v / count;
  for (const T& v : values) var += times(v - mean, v - mean) / count;
  return {mean, var};
}

// x [n, channels, pixels]. Every image and group of channels / groups channels is normalised by its own moments.
template <class T>
std::vector<T> group_norm(int channels, int groups, double eps, int n, int pixels, const std::vector<T>& x, const std::vector<T>& weight,
                          const std::vector<T>& bias) {
  std::vector<T> y(x.size());
  const int per_group = channels / groups;
  for (int image = 0; image < n; ++image)
    for (int group = 0; group < groups; ++group) {
      std::vector<T> members;
      for (int c = 0; c < per_group; ++c)
        for (int p = 0; p < pixels; ++p) members.push_back(x[(image * channels + group * per_group + c) * pixels + p]);
      const Moments<T> m = moments(members);
      for (int c = group * per_group; c < (group + 1) * per_group; ++c)
        for (int p = 0; p < pixels; ++p) {
          const int at = (image * channels + c) * pixels + p;
          y[at] = times((x[at] - m.mean) / std::sqrt(m.var + eps), weight[c]) + bias[c];
        }
    }
  return y;
}

// All values of channel c over the batch.
template <class T>
std::vector<T> channel_of(int channels, int n, int pixels, const std::vector<T>& x, int c) {
  std::vector<T> values;
  for (int image = 0; image < n; ++image)
    for (int p = 0; p < pixels; ++p) values.push_back(x[(image * channels + c) * pixels + p]);
  return values;
}

// Training: moments of the batch; otherwise the ones given.
template <class T>
std::vector<T> batch_norm(int channels, double eps, bool training, int n, int pixels, const std::vector<T>& x,
                          const std::vector<T>& weight, const std::vector<T>& bias, const std::vector<T>& running_mean,
                          const std::vector<T>& running_var) {
  std::vector<T> y(x.size());
  for (int c = 0; c < channels; ++c) {
    Moments<T> m{running_mean[c], running_var[c]};
    if (training) m = moments(channel_of(channels, n, pixels, x, c));
    for (int image = 0; image < n; ++image)
      for (int p = 0; p < pixels; ++p) {
        const int at = (image * channels + c) * pixels + p;
        y[at] = times((x[at] - m.mean) / std::sqrt(m.var + eps), weight[c]) + bias[c];
      }
  }
  return y;
}

// y[n,c] = (x[n,c] - mean_c) / std_c.
template <class T>
std::vector<T> normalize(const float* mean, const float* deviation, int n, int pixels, const std::vector<T>& x) {
  std::vector<T> y;
  for (int image = 0; image < n; ++image)
    for (int c = 0; c < 3; ++c)
      for (int p = 0; p < pixels; ++p)
        y.push_back((x[(image * 3 + c) * pixels + p] - static_cast<double>(mean[c])) / static_cast<double>(deviation[c]));
  return y;
}

}  // namespace purescope::oracle
