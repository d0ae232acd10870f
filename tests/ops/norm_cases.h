// Rows of group_norm and batch_norm for the op tests.
#pragma once
#include "ops/op_case.h"
#include "oracle/elementwise.h"
#include "oracle/normalization.h"

namespace purescope {

inline OpCase group_norm_case(int n, int h, int w, GroupNorm s) {
  OpCase c{.name = "group_norm " + std::to_string(n) + "x" + std::to_string(s.channels) + "x" + std::to_string(h) + "x" + std::to_string(w) +
                   " groups " + std::to_string(s.groups) + (s.silu ? " silu" : ""),
           .tolerance = kGroupNormTolerance, .batch = n};
  c.in = {images("x", s.channels, h, w, -1, 2)};
  c.param = {param("weight", 1, s.channels, 1, 1), param("bias", 1, s.channels, 1, 1)};
  c.out = images("y", s.channels, h, w);
  c.saved = images("saved", s.groups, 2, 1);
  c.forward = [s](const Views& v) { group_norm_forward(s, v.in[0], v.param[0], v.param[1], v.out, v.saved); };
  c.backward = [s](const Views& v) { group_norm_backward(s, v.in[0], v.param[0], v.param[1], v.saved, v.dout, v.din[0], v.dparam[0], v.dparam[1]); };
  c.set_oracle([=](const auto& a) {
    const auto y = oracle::group_norm(s.channels, s.groups, s.eps, a.n, h * w, a.in[0], a.param[0], a.param[1]);
    return s.silu ? oracle::silu(y) : y;
  });
  c.linear_in_params = !s.silu;
  c.big = s.channels >= 256;
  return c;
}

inline OpCase batch_norm_case(int n, int h, int w, BatchNorm s) {
  OpCase c{.name = std::string("batch_norm ") + (s.training ? "training " : "eval ") + std::to_string(n) + "x" + std::to_string(s.channels) + "x" +
                   std::to_string(h) + "x" + std::to_string(w),
           .tolerance = kBatchNormTolerance, .batch = n};
  c.in = {images("x", s.channels, h, w, -1, 2)};
  c.param = {param("weight", 1, s.channels, 1, 1), param("bias", 1, s.channels, 1, 1)};
  c.state = {param("running_mean", 1, s.channels, 1, 1), param("running_var", 1, s.channels, 1, 1, 0.5, 2)};
  c.out = images("y", s.channels, h, w);
  if (s.training) c.saved = param("saved", 1, s.channels, 2, 1);
  c.forward = [s](const Views& v) { batch_norm_forward(s, v.in[0], v.param[0], v.param[1], v.state[0], v.state[1], v.out, v.saved); };
  c.backward = [s](const Views& v) {
    batch_norm_backward(s, v.in[0], v.param[0], v.state[0], v.state[1], v.saved, v.dout, v.din[0], v.dparam[0], v.dparam[1]);
  };
  c.drop_unneeded = [s](Views& v) {
    if (!s.training && v.dparam[0].empty()) v.in[0] = {};
    if (v.din[0].empty()) v.param[0] = {};
  };
  c.set_oracle([=](const auto& a) {
    return oracle::batch_norm(s.channels, s.eps, s.training, a.n, h * w, a.in[0], a.param[0], a.param[1], a.state[0], a.state[1]);
  });
  c.linear_in_inputs = !s.training;
  c.linear_in_params = true;
  c.couples_images = c.writes_state = s.training;
  c.big = s.channels >= 256;
  return c;
}

inline std::vector<OpCase> group_norm_cases() {
  return {group_norm_case(1, 1, 1, {8, 2, 1e-5}),      // one pixel: a group is its four channels
          group_norm_case(2, 3, 5, {4, 4, 1e-6}),      // one channel per group
          group_norm_case(5, 2, 3, {6, 3, 1e-5}),
          group_norm_case(2, 5, 7, {6, 1, 1e-6}),      // one group
          group_norm_case(2, 3, 3, {6, 2, 0.3}),       // an eps as large as the variance
          group_norm_case(2, 16, 16, {256, 32, 1e-6}), // as in a U-Net
          group_norm_case(1, 17, 15, {32, 32, 1e-6}),
          group_norm_case(1, 1, 1, {8, 2, 1e-5, true}),
          group_norm_case(5, 2, 3, {6, 3, 1e-5, true}),
          group_norm_case(2, 5, 7, {6, 1, 0.3, true}),
          group_norm_case(2, 16, 16, {256, 32, 1e-6, true})};
}

inline std::vector<OpCase> batch_norm_cases() {
  return {batch_norm_case(1, 1, 1, {3, 1e-5, false}),         batch_norm_case(2, 5, 7, {3, 1e-5, false}),
          batch_norm_case(5, 3, 2, {4, 0.3, false}),          batch_norm_case(2, 16, 16, {256, 1e-5, false}),
          batch_norm_case(5, 1, 1, {3, 1e-5, true}),          batch_norm_case(2, 5, 7, {3, 1e-5, true}),
          batch_norm_case(1, 3, 4, {4, 0.3, true}),           batch_norm_case(2, 16, 16, {256, 1e-5, true})};
}

}  // namespace purescope
