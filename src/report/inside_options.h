// How much the experiments that look inside the purifier measure per image (experiment/measure_inside.h).
#pragma once
#include <vector>

namespace purescope {

struct InsideOptions {
  std::vector<double> magnitudes = {1, 4, 8, 16};  // distances: uniform starts, in units of eps
  int perturbations = 10, noises = 10;             // randomness: inputs, and seeds of each
  int divergence_steps = 20;                       // steps: at most so many reverse steps are looked at
  int probes = 8, fresh = 2;  // steps: draws of Hutchinson's estimator, fresh perturbations per step
  int exact_trace_size =
      1024;  // steps: values of an image up to which the trace is also computed exactly (first image, three steps)
  int exact_jacobian_size = 1024;  // jacobian: values up to which all singular values are computed
  int rank = 48;                   // ... beyond: so many leading ones
  int jacobian_images = 8;
  int leading = 10;  // jacobian: directions that are compared between seeds
};

}  // namespace purescope
