// The threat model and the budget of an attack.
#pragma once
#include <cstdint>

namespace purescope {

enum class Norm { Linf, L2 };

// Projected gradient descent as in foolbox 3.3: uniform random start, `steps` times (step, project, clamp to [0, 1]), last iterate.
struct PgdOptions {
  Norm norm = Norm::Linf;
  int steps = 40;
  double relative_step = 0.01 / 0.3;   // step = relative_step * eps, unless absolute_step > 0
  double absolute_step = 0;
  bool random_start = true;
  int restarts = 1;                    // keeps the first success of an image, else the last restart
  bool best_iterate = false;           // return the iterate of highest loss instead of the last
};

}  // namespace purescope
