// Rows of the ops that the ImageNet and score-SDE networks add: scale-shift, pooling, packed attention, transposed pointwise
// convolution, scaling, and the resampling around a purifier.
#pragma once
#include "ops/op_cases.h"
#include "oracle/adm.h"

namespace purescope {

inline OpCase scale_shift_case(Size z) {
  OpCase c{.name = "scale_shift" + sizes(z.n, z.c, z.h, z.w), .tolerance = kScaleShiftTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w), images("e", 2 * z.c, 1, 1)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { scale_shift_forward(v.in[0], v.in[1], v.out); };
  c.backward = [](const Views& v) { scale_shift_backward(v.in[0], v.in[1], v.dout, v.din[0], v.din[1]); };
  c.drop_unneeded = [](Views& v) {
    const bool dx = !v.din[0].empty(), de = !v.din[1].empty();
    if (!de) v.in[0] = {};
    if (!dx) v.in[1] = {};
  };
  c.set_oracle([=](const auto& a) { return oracle::scale_shift(a.n, z.c, z.h * z.w, a.in[0], a.in[1]); });
  c.big = z.c == 256;
  return c;
}

inline OpCase avg_pool_case(Size z) {
  OpCase c{.name = "avg_pool" + sizes(z.n, z.c, z.h, z.w), .tolerance = kAvgPoolTolerance, .batch = z.n};
  c.in = {images("x", z.c, 2 * z.h, 2 * z.w)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { avg_pool_forward(v.in[0], v.out); };
  c.backward = [](const Views& v) { avg_pool_backward(v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::avg_pool(a.n * z.c, z.h, z.w, a.in[0]); });
  c.linear_in_inputs = true;
  c.big = z.c == 256;
  return c;
}

inline OpCase max_pool_case(Size z, MaxPool s) {
  OpCase c{.name = "max_pool" + sizes(z.n, z.c, z.h, z.w) + " kernel " + std::to_string(s.kernel) + " stride " + std::to_string(s.stride) +
                   " pad " + std::to_string(s.pad),
           .tolerance = kMaxPoolTolerance, .batch = z.n};
  const int h = max_pool_size(s, z.h), w = max_pool_size(s, z.w);
  c.in = {images("x", z.c, z.h, z.w)};
  c.out = images("y", z.c, h, w);
  c.saved = images("saved", z.c, h, w);
  c.forward = [s](const Views& v) { max_pool_forward(s, v.in[0], v.out, v.saved); };
  c.backward = [s](const Views& v) { max_pool_backward(s, v.saved, v.dout, v.din[0]); };
  c.drop_unneeded = [](Views& v) { v.in[0] = {}; };
  c.set_oracle([=](const auto& a) { return oracle::max_pool(s.kernel, s.stride, s.pad, a.n * z.c, z.h, z.w, a.in[0]); });
  c.has_kink = true;
  c.big = z.c == 64;
  return c;
}

inline OpCase attention_packed_case(Size z, int heads, double scale) {
  OpCase c{.name = "attention_packed" + sizes(z.n, z.c, z.h, z.w) + " heads " + std::to_string(heads), .tolerance = kAttentionPackedTolerance,
           .batch = z.n};
  const Attention s{z.c, heads, scale};
  c.in = {images("z", 3 * z.c, z.h, z.w)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [s](const Views& v) { attention_packed_forward(s, v.in[0], v.out); };
  c.backward = [s](const Views& v) { attention_packed_backward(s, v.in[0], v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::attention_packed(z.c, heads, scale, a.n, z.h * z.w, a.in[0]); });
  c.big = z.c >= 64;
  return c;
}

inline OpCase nin_case(Size z, int out) {
  OpCase c{.name = "nin" + sizes(z.n, z.c, z.h, z.w) + " to " + std::to_string(out), .tolerance = kNinTolerance, .batch = z.n};
  const Linear s{z.c, out};
  c.in = {images("x", z.c, z.h, z.w)};
  c.param = {param("W", z.c, out, 1, 1), param("b", 1, out, 1, 1)};
  c.out = images("y", out, z.h, z.w);
  c.forward = [s](const Views& v) { nin_forward(s, v.in[0], v.param[0], v.param[1], v.out); };
  c.backward = [s](const Views& v) { nin_backward(s, v.in[0], v.param[0], v.dout, v.din[0], v.dparam[0], v.dparam[1]); };
  c.drop_unneeded = drop_unneeded_of_matrix;
  c.set_oracle([=](const auto& a) { return oracle::nin(z.c, out, a.n, z.h * z.w, a.in[0], a.param[0], a.param[1]); });
  c.linear_in_inputs = c.linear_in_params = true;
  c.big = z.c == 256;
  return c;
}

// A step of a network without a function of its own: y = factor x + 0.
inline OpCase scale_case(Size z) {
  OpCase c{.name = "scale" + sizes(z.n, z.c, z.h, z.w), .tolerance = kScaleTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { affine_forward(0.7, v.in[0], 0, {}, 0, v.out); };
  c.backward = [](const Views& v) { affine_forward(0.7, v.dout, 0, {}, 0, v.din[0]); };
  c.set_oracle([](const auto& a) {
    auto y = a.in[0];
    for (auto& v : y) v *= 0.7;
    return y;
  });
  c.linear_in_inputs = true;
  c.big = z.c == 256;
  return c;
}

inline OpCase resize_bilinear_case(Size z, int h, int w) {
  OpCase c{.name = "resize_bilinear" + sizes(z.n, z.c, z.h, z.w) + " to " + std::to_string(h) + "x" + std::to_string(w),
           .tolerance = kResizeBilinearTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w)};
  c.out = images("y", z.c, h, w);
  c.forward = [](const Views& v) { resize_bilinear_forward(v.in[0], v.out); };
  c.backward = [](const Views& v) { resize_bilinear_backward(v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::resize_bilinear(a.n * z.c, z.h, z.w, h, w, a.in[0]); });
  c.linear_in_inputs = true;
  c.big = z.h > 100;
  return c;
}

inline std::vector<OpCase> scale_shift_cases() { return per_size(scale_shift_case); }
inline std::vector<OpCase> avg_pool_cases() { return per_size(avg_pool_case); }
inline std::vector<OpCase> scale_cases() { return per_size(scale_case); }
inline std::vector<OpCase> max_pool_cases() {
  return {max_pool_case({1, 1, 1, 1}, {3, 2, 1}), max_pool_case({2, 3, 7, 5}, {3, 2, 1}),  max_pool_case({5, 2, 8, 6}, {3, 2, 1}),
          max_pool_case({2, 2, 6, 9}, {2, 2, 0}), max_pool_case({1, 2, 9, 7}, {3, 2, 0}),  max_pool_case({2, 2, 5, 5}, {3, 1, 2}),
          max_pool_case({1, 64, 28, 28}, {3, 2, 1})};
}
inline std::vector<OpCase> attention_packed_cases() {
  return {attention_packed_case({1, 2, 1, 2}, 1, 0.7), attention_packed_case({2, 6, 3, 5}, 3, 0.4), attention_packed_case({5, 4, 2, 2}, 2, 0.5),
          attention_packed_case({1, 8, 9, 9}, 2, 0.5), attention_packed_case({1, 128, 8, 8}, 2, 0.125)};
}
inline std::vector<OpCase> nin_cases() {
  return {nin_case({1, 1, 1, 1}, 1), nin_case({2, 3, 5, 7}, 4), nin_case({5, 4, 1, 3}, 2), nin_case({1, 256, 16, 16}, 256)};
}
inline std::vector<OpCase> resize_bilinear_cases() {
  return {resize_bilinear_case({1, 1, 1, 1}, 1, 1), resize_bilinear_case({2, 3, 5, 7}, 8, 6), resize_bilinear_case({5, 2, 8, 8}, 7, 7),
          resize_bilinear_case({2, 3, 28, 28}, 32, 32), resize_bilinear_case({2, 3, 32, 32}, 28, 28), resize_bilinear_case({1, 2, 1, 3}, 4, 9),
          resize_bilinear_case({1, 1, 9, 9}, 2, 1), resize_bilinear_case({1, 3, 224, 224}, 256, 256),
          resize_bilinear_case({1, 3, 256, 256}, 224, 224)};
}

}  // namespace purescope
