// Rows of conv2d and linear for the op tests.
#pragma once
#include "ops/op_case.h"
#include "oracle/conv2d.h"
#include "oracle/linear.h"

namespace purescope {

// x is needed by dweight only, weight by dx only.
inline void drop_unneeded_of_matrix(Views& v) {
  if (v.dparam[0].empty()) v.in[0] = {};
  if (v.din[0].empty()) v.param[0] = {};
}

inline OpCase conv2d_case(int n, int h, int w, Conv2d s, bool bias, double weight_range = 1) {
  OpCase c{.name = "conv2d " + std::to_string(n) + "x" + std::to_string(s.in) + "x" + std::to_string(h) + "x" + std::to_string(w) + " to " +
                   std::to_string(s.out) + " kernel " + std::to_string(s.kernel) + " stride " + std::to_string(s.stride) + " pad " +
                   std::to_string(s.pad_before) + "," + std::to_string(s.pad_after) + (bias ? "" : " no bias"),
           .tolerance = kConv2dTolerance, .batch = n};
  c.in = {images("x", s.in, h, w)};
  c.param = {param("weight", s.out, s.in, s.kernel, s.kernel, -weight_range, weight_range)};
  if (bias) c.param.push_back(param("bias", 1, s.out, 1, 1));
  c.out = images("y", s.out, conv2d_size(s, h), conv2d_size(s, w));
  c.forward = [s](const Views& v) { conv2d_forward(s, v.in[0], v.param[0], v.bias(1), v.out); };
  c.backward = [s](const Views& v) { conv2d_backward(s, v.in[0], v.param[0], v.dout, v.din[0], v.dparam[0], v.dbias(1)); };
  c.drop_unneeded = drop_unneeded_of_matrix;
  const oracle::ConvSize o{s.in, s.out, s.kernel, s.stride, s.pad_before, h, w, conv2d_size(s, h), conv2d_size(s, w)};
  c.set_oracle([o](const auto& a) { return oracle::conv2d(o, a.n, a.in[0], a.param[0], a.bias(1)); });
  c.linear_in_inputs = c.linear_in_params = true;
  c.big = s.in * s.out >= 1024;
  return c;
}

inline OpCase linear_case(int n, Linear s, bool bias) {
  OpCase c{.name = "linear " + std::to_string(n) + "x" + std::to_string(s.in) + " to " + std::to_string(s.out) + (bias ? "" : " no bias"),
           .tolerance = kLinearTolerance, .batch = n};
  c.in = {images("x", s.in, 1, 1)};
  c.param = {param("weight", s.out, s.in, 1, 1)};
  if (bias) c.param.push_back(param("bias", 1, s.out, 1, 1));
  c.out = images("y", s.out, 1, 1);
  c.forward = [s](const Views& v) { linear_forward(s, v.in[0], v.param[0], v.bias(1), v.out); };
  c.backward = [s](const Views& v) { linear_backward(s, v.in[0], v.param[0], v.dout, v.din[0], v.dparam[0], v.dbias(1)); };
  c.drop_unneeded = drop_unneeded_of_matrix;
  c.set_oracle([s](const auto& a) { return oracle::linear(s.in, s.out, a.n, a.in[0], a.param[0], a.bias(1)); });
  c.linear_in_inputs = c.linear_in_params = true;
  c.big = s.in * s.out >= 65536;
  return c;
}

inline std::vector<OpCase> conv2d_cases() {
  return {
      conv2d_case(1, 1, 1, {1, 1, 1, 1, 0, 0}, true),     // one pixel, one channel
      conv2d_case(2, 1, 1, {3, 2, 3, 1, 1, 1}, true),     // a picture smaller than the kernel
      conv2d_case(2, 5, 7, {3, 4, 3, 1, 1, 1}, true),
      conv2d_case(2, 5, 7, {3, 4, 3, 1, 1, 1}, false),
      conv2d_case(5, 4, 3, {2, 3, 1, 1, 0, 0}, true),     // pointwise: no gathering
      conv2d_case(2, 7, 5, {3, 2, 1, 2, 0, 0}, false),    // pointwise with a stride: gathering
      conv2d_case(2, 8, 6, {2, 3, 3, 2, 1, 1}, true),
      conv2d_case(2, 8, 6, {2, 3, 3, 2, 0, 1}, true),     // padding after only
      conv2d_case(2, 7, 9, {2, 3, 3, 2, 0, 1}, true),     // the last row of padding is not reached
      conv2d_case(1, 5, 5, {2, 3, 3, 1, 2, 0}, true),     // padding before only
      conv2d_case(2, 9, 11, {3, 2, 7, 2, 3, 3}, true),
      conv2d_case(1, 4, 5, {1, 2, 7, 1, 3, 3}, false),    // kernel larger than the picture
      conv2d_case(1, 6, 6, {2, 2, 3, 1, 0, 0}, true),     // no padding
      conv2d_case(1, 11, 10, {2, 2, 3, 3, 1, 1}, true),   // stride 3
      conv2d_case(1, 20, 20, {40, 33, 3, 1, 1, 1}, true),           // more than one block of pixels and of channels
      conv2d_case(1, 8, 8, {256, 256, 3, 1, 1, 1}, true, 0.1),      // deep inside a U-Net: outputs in blocks
      conv2d_case(1, 16, 16, {256, 64, 1, 1, 0, 0}, true, 0.2),
      conv2d_case(1, 16, 16, {256, 24, 3, 1, 1, 1}, true, 0.1),
      conv2d_case(1, 32, 32, {3, 64, 3, 1, 1, 1}, true),
      conv2d_case(1, 32, 32, {128, 3, 3, 1, 1, 1}, true, 0.1),      // out of a U-Net
  };
}

inline std::vector<OpCase> linear_cases() {
  return {linear_case(1, {1, 1}, true), linear_case(2, {3, 5}, true), linear_case(5, {7, 4}, false), linear_case(2, {1, 6}, true),
          linear_case(2, {6, 1}, false), linear_case(2, {512, 256}, true), linear_case(5, {640, 10}, true)};
}

}  // namespace purescope
