// The sizes at which every op is tested: odd sizes, single pixels, one channel per group, strides, lopsided padding, missing biases,
// batches of 1, 2 and 5, and one size of a real network each. The conv2d and normalisation rows are in headers of their own.
#pragma once
#include <memory>

#include "core/buffer.h"
#include "net/plan.h"
#include "ops/conv_cases.h"
#include "ops/norm_cases.h"
#include "oracle/attention.h"
#include "oracle/elementwise.h"
#include "oracle/loss.h"
#include "oracle/resample.h"

namespace purescope {

inline std::string sizes(int n, int c, int h, int w) {
  return " " + std::to_string(n) + "x" + std::to_string(c) + "x" + std::to_string(h) + "x" + std::to_string(w);
}

struct Size { int n, c, h, w; };
inline const std::vector<Size> kSizes = {{1, 1, 1, 1}, {2, 3, 5, 7}, {5, 4, 1, 3}, {2, 6, 8, 8}, {1, 7, 3, 2}};
constexpr Size kReal = {2, 256, 16, 16};

inline OpCase silu_case(Size z, double range) {
  OpCase c{.name = "silu" + sizes(z.n, z.c, z.h, z.w) + " range " + std::to_string(range), .tolerance = kSiluTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w, -range, range)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { silu_forward(v.in[0], v.out); };
  c.backward = [](const Views& v) { silu_backward(v.in[0], v.dout, v.din[0]); };
  c.set_oracle([](const auto& a) { return oracle::silu(a.in[0]); });
  c.big = z.c == 256;
  return c;
}

inline OpCase relu_case(Size z) {
  OpCase c{.name = "relu" + sizes(z.n, z.c, z.h, z.w), .tolerance = kReluTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w, z.c == 1 ? 1 : -2, 2)};  // a single value must be a positive one, or its gradient is zero
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { relu_forward(v.in[0], v.out); };
  c.backward = [](const Views& v) { relu_backward(v.out, v.dout, v.din[0]); };
  c.set_oracle([](const auto& a) { return oracle::relu(a.in[0]); });
  c.has_kink = true;
  c.big = z.c == 256;
  return c;
}

// ReLU as a lean plan runs it: the backward pass has the signs and not the values.
inline OpCase relu_signs_case(Size z) {
  OpCase c = relu_case(z);
  c.name = "relu by its signs" + sizes(z.n, z.c, z.h, z.w);
  const auto bits = std::make_shared<Buffer>();
  c.forward = [bits](const Views& v) {
    relu_forward(v.in[0], v.out);
    *bits = Buffer(v.out.n, static_cast<int>(sign_reals(v.out.image_size())), 1, 1, v.out.device);
    sign_bits_forward(v.out, bits->view());
  };
  c.backward = [bits](const Views& v) { sign_bits_backward(bits->view(), v.dout, v.din[0]); };
  return c;
}

// The backward of a sum is what the network does: the same cotangent to both sides.
inline OpCase add_case(Size z) {
  OpCase c{.name = "add" + sizes(z.n, z.c, z.h, z.w), .tolerance = kAddTolerance, .batch = z.n};
  c.in = {images("a", z.c, z.h, z.w), images("b", z.c, z.h, z.w)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { add_forward(v.in[0], v.in[1], v.out); };
  c.backward = [](const Views& v) {
    for (const View& d : v.din)
      if (!d.empty()) copy_forward(v.dout, d);
  };
  c.set_oracle([](const auto& a) { return oracle::add(a.in[0], a.in[1]); });
  c.linear_in_inputs = true;
  return c;
}

inline OpCase concat_case(Size z, int b_channels) {
  OpCase c{.name = "concat" + sizes(z.n, z.c, z.h, z.w) + " and " + std::to_string(b_channels), .tolerance = kConcatTolerance, .batch = z.n};
  c.in = {images("a", z.c, z.h, z.w), images("b", b_channels, z.h, z.w)};
  c.out = images("y", z.c + b_channels, z.h, z.w);
  c.forward = [](const Views& v) { concat_forward(v.in[0], v.in[1], v.out); };
  c.backward = [](const Views& v) { concat_backward(v.dout, v.din[0], v.din[1]); };
  const size_t a_size = c.in[0].size(1), b_size = c.in[1].size(1);
  c.set_oracle([=](const auto& a) { return oracle::concat(a.n, a_size, b_size, a.in[0], a.in[1]); });
  c.linear_in_inputs = true;
  return c;
}

inline OpCase add_channel_case(Size z) {
  OpCase c{.name = "add_channel" + sizes(z.n, z.c, z.h, z.w), .tolerance = kAddChannelTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w), images("v", z.c, 1, 1)};
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [](const Views& v) { add_channel_forward(v.in[0], v.in[1], v.out); };
  c.backward = [](const Views& v) { add_channel_backward(v.dout, v.din[0], v.din[1]); };
  c.set_oracle([=](const auto& a) { return oracle::add_channel(a.n * z.c, z.h * z.w, a.in[0], a.in[1]); });
  c.linear_in_inputs = true;
  return c;
}

inline OpCase upsample_nearest_case(Size z) {
  OpCase c{.name = "upsample_nearest" + sizes(z.n, z.c, z.h, z.w), .tolerance = kUpsampleNearestTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w)};
  c.out = images("y", z.c, 2 * z.h, 2 * z.w);
  c.forward = [](const Views& v) { upsample_nearest_forward(v.in[0], v.out); };
  c.backward = [](const Views& v) { upsample_nearest_backward(v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::upsample_nearest(a.n * z.c, z.h, z.w, a.in[0]); });
  c.linear_in_inputs = true;
  return c;
}

inline OpCase global_avg_pool_case(Size z) {
  OpCase c{.name = "global_avg_pool" + sizes(z.n, z.c, z.h, z.w), .tolerance = kGlobalAvgPoolTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w)};
  c.out = images("y", z.c, 1, 1);
  c.forward = [](const Views& v) { global_avg_pool_forward(v.in[0], v.out); };
  c.backward = [](const Views& v) { global_avg_pool_backward(v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::global_avg_pool(a.n * z.c, z.h * z.w, a.in[0]); });
  c.linear_in_inputs = true;
  return c;
}

inline OpCase attention_case(Size z, int heads, double scale, double range) {
  OpCase c{.name = "attention" + sizes(z.n, z.c, z.h, z.w) + " heads " + std::to_string(heads), .tolerance = kAttentionTolerance, .batch = z.n};
  const Attention s{z.c, heads, scale};
  for (const char* name : {"q", "k"}) c.in.push_back(images(name, z.c, z.h, z.w, -range, range));
  c.in.push_back(images("v", z.c, z.h, z.w));
  c.out = images("y", z.c, z.h, z.w);
  c.forward = [s](const Views& v) { attention_forward(s, v.in[0], v.in[1], v.in[2], v.out); };
  c.backward = [s](const Views& v) { attention_backward(s, v.in[0], v.in[1], v.in[2], v.dout, v.din[0], v.din[1], v.din[2]); };
  c.drop_unneeded = [](Views& v) { if (v.din[0].empty() && v.din[1].empty()) v.in[2] = {}; };  // dv needs P and dy
  c.set_oracle([=](const auto& a) { return oracle::attention(z.c, heads, scale, a.n, z.h * z.w, a.in[0], a.in[1], a.in[2]); });
  c.big = z.c == 256;
  return c;
}

inline OpCase time_embedding_case(int n, TimeEmbedding s) {
  OpCase c{.name = "time_embedding " + std::to_string(s.dim) + " divisor " + std::to_string(s.divisor), .tolerance = kTimeEmbeddingTolerance, .batch = n};
  c.in = {images("t", 1, 1, 1, 0, 1000)};
  c.out = images("y", s.dim, 1, 1);
  c.forward = [s](const Views& v) { time_embedding_forward(s, v.in[0], v.out); };
  c.oracle = [s](const Args<double>& a) { return oracle::time_embedding(s.dim, s.divisor, s.sin_first, a.in[0]); };
  return c;
}

inline OpCase normalize_case(int n, int h, int w) {
  const Normalize s{{0.4914f, 0.4822f, 0.4465f}, {0.2471f, 0.2435f, 0.2616f}};  // three different values each; CIFAR-10
  OpCase c{.name = "normalize" + sizes(n, 3, h, w), .tolerance = kNormalizeTolerance, .batch = n};
  c.in = {images("x", 3, h, w, 0, 1)};
  c.out = images("y", 3, h, w);
  c.forward = [s](const Views& v) { normalize_forward(s, v.in[0], v.out); };
  c.backward = [s](const Views& v) { normalize_backward(s, v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::normalize(s.mean, s.std, a.n, h * w, a.in[0]); });
  c.linear_in_inputs = true;
  return c;
}

inline OpCase subsample_pad_case(Size z, SubsamplePad s) {
  OpCase c{.name = "subsample_pad" + sizes(z.n, z.c, z.h, z.w) + " pad " + std::to_string(s.before) + " " + std::to_string(s.after),
           .tolerance = kSubsamplePadTolerance, .batch = z.n};
  c.in = {images("x", z.c, z.h, z.w)};
  c.out = images("y", z.c + s.before + s.after, (z.h + s.stride - 1) / s.stride, (z.w + s.stride - 1) / s.stride);
  c.forward = [s](const Views& v) { subsample_pad_forward(s, v.in[0], v.out); };
  c.backward = [s](const Views& v) { subsample_pad_backward(s, v.dout, v.din[0]); };
  c.set_oracle([=](const auto& a) { return oracle::subsample_pad(s.stride, s.before, s.after, a.n, z.c, z.h, z.w, a.in[0]); });
  c.linear_in_inputs = true;
  return c;
}

inline std::vector<int> test_labels(int first, int count, int classes) {
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) labels.push_back((3 * (first + i) + 1) % classes);
  return labels;
}

// Not a step of a network, but under the same contract: logits in, one loss per image out. The weight of dy is applied by hand, as
// the op takes one scale for all images.
inline OpCase cross_entropy_case(int n, int classes, double range) {
  OpCase c{.name = "cross_entropy " + std::to_string(n) + "x" + std::to_string(classes), .tolerance = kCrossEntropyTolerance, .batch = n};
  c.in = {images("logits", classes, 1, 1, -range, range)};
  c.out = images("loss", 1, 1, 1);
  c.forward = [=](const Views& v) {
    cross_entropy_forward(v.in[0], test_labels(v.first_image, v.in[0].n, classes).data(), v.out);
  };
  c.backward = [=](const Views& v) {
    const std::vector<int> labels = test_labels(v.first_image, v.in[0].n, classes);
    for (int i = 0; i < v.in[0].n; ++i)
      cross_entropy_backward(v.in[0].images(i, 1), labels.data() + i, v.dout.data[i], v.din[0].images(i, 1));
  };
  c.set_oracle([=](const auto& a) { return oracle::cross_entropy(classes, test_labels(0, a.n, classes), a.in[0]); });
  return c;
}

// One row per size.
template <class Make>
std::vector<OpCase> per_size(const Make& make) {
  std::vector<OpCase> cases;
  for (const Size& z : kSizes) cases.push_back(make(z));
  cases.push_back(make(kReal));
  return cases;
}

inline std::vector<OpCase> silu_cases() { return per_size([](Size z) { return silu_case(z, z.h == 8 ? 30 : 6); }); }
inline std::vector<OpCase> relu_cases() {
  std::vector<OpCase> cases = per_size(relu_case);
  for (const OpCase& c : per_size(relu_signs_case)) cases.push_back(c);
  cases.push_back(relu_signs_case({3, 3, 3, 3}));   // 27 values: the last byte is a part of one
  return cases;
}
inline std::vector<OpCase> add_cases() { return per_size(add_case); }
inline std::vector<OpCase> add_channel_cases() { return per_size(add_channel_case); }
inline std::vector<OpCase> upsample_nearest_cases() { return per_size(upsample_nearest_case); }
inline std::vector<OpCase> global_avg_pool_cases() { return per_size(global_avg_pool_case); }
inline std::vector<OpCase> concat_cases() { return per_size([](Size z) { return concat_case(z, z.c == 256 ? 128 : 2); }); }
inline std::vector<OpCase> normalize_cases() { return {normalize_case(1, 1, 1), normalize_case(5, 3, 7), normalize_case(2, 32, 32)}; }
inline std::vector<OpCase> cross_entropy_cases() {
  return {cross_entropy_case(1, 2, 3), cross_entropy_case(5, 10, 8), cross_entropy_case(2, 1000, 4)};
}
inline std::vector<OpCase> time_embedding_cases() {
  return {time_embedding_case(1, {2, 1, true}), time_embedding_case(5, {128, 63, true}), time_embedding_case(2, {128, 64, false})};
}
inline std::vector<OpCase> attention_cases() {
  return {attention_case({1, 2, 1, 2}, 1, 0.7, 2), attention_case({2, 6, 3, 5}, 1, 0.4, 2), attention_case({2, 6, 3, 3}, 3, 0.9, 2),
          attention_case({5, 4, 2, 2}, 2, 0.5, 4), attention_case({1, 8, 9, 9}, 2, 0.5, 2), attention_case({1, 256, 16, 16}, 1, 0.0625, 2)};
}
inline std::vector<OpCase> subsample_pad_cases() {
  return {subsample_pad_case({1, 1, 1, 1}, {1, 0, 0}), subsample_pad_case({2, 3, 6, 4}, {2, 1, 2}), subsample_pad_case({5, 2, 5, 7}, {2, 2, 0}),
          subsample_pad_case({2, 16, 32, 32}, {2, 8, 8}), subsample_pad_case({1, 2, 7, 7}, {3, 0, 1})};
}

}  // namespace purescope
