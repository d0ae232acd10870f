// One op with one choice of sizes, described so that the same checks can be made of every op: which arrays go in and out, how to call
// it, its oracle, and which of the arguments it is linear in.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "ops/ops.h"
#include "oracle/scalar.h"
#include "tolerances.h"

namespace purescope {

using oracle::Args;
using oracle::Complex;

constexpr bool kRealIsDouble = sizeof(real) == sizeof(double);

// An argument. per_image: n counts arrays per image and the batch comes on top. Values are drawn from [low, high).
struct Array {
  std::string name;
  int n = 1, c = 0, h = 1, w = 1;
  bool per_image = true;
  double low = -2, high = 2;
  int images(int batch) const { return per_image ? n * batch : n; }
  size_t size(int batch) const { return static_cast<size_t>(images(batch)) * c * h * w; }
};

inline Array images(const std::string& name, int c, int h, int w, double low = -2, double high = 2) {
  return {name, 1, c, h, w, true, low, high};
}
inline Array param(const std::string& name, int n, int c, int h, int w, double low = -1, double high = 1) {
  return {name, n, c, h, w, false, low, high};
}

// What an op is called with. An empty view in din or dparam is a gradient that nobody wants.
struct Views {
  std::vector<View> in, param, state;
  View out, saved, dout;
  std::vector<View> din, dparam;
  int first_image = 0;  // place of the first image in its batch, for ops with labels
  View bias(size_t index) const { return index < param.size() ? param[index] : View{}; }
  View dbias(size_t index) const { return index < dparam.size() ? dparam[index] : View{}; }
};

struct OpCase {
  std::string name;                     // "conv2d 3x3 stride 2": shown when a check fails
  Tolerance tolerance;
  int batch = 2;
  std::vector<Array> in{}, param{}, state{};  // state: running statistics
  Array out{}, saved{};                   // saved.c = 0: the op saves nothing
  std::function<void(const Views&)> forward{}, backward{};  // backward is empty where the op has no derivative
  std::function<void(Views&)> drop_unneeded{};            // blanks the inputs that only unwanted gradients need
  std::function<std::vector<double>(const Args<double>&)> oracle{};
  std::function<std::vector<Complex>(const Args<Complex>&)> complex_oracle{};
  bool linear_in_inputs = false, linear_in_params = false;  // up to a constant, in all of them together
  bool couples_images = false;          // batch statistics: image k of a batch is not image k alone
  bool writes_state = false;
  bool has_kink = false;
  bool zero_gradient = false;           // the derivative with respect to the inputs is zero by construction
  bool big = false;                     // derivatives at a few elements and one direction only

  // f(args) for both scalars from one generic lambda.
  template <class F>
  void set_oracle(F f) {
    oracle = [f](const Args<double>& a) { return f(a); };
    complex_oracle = [f](const Args<Complex>& a) { return f(a); };
  }
};

}  // namespace purescope
