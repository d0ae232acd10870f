// Runs an OpCase in buffers with red zones on both sides. Every run checks that nothing outside the outputs was written and that no
// input changed.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "core/buffer.h"
#include "core/hash.h"
#include "ops/op_case.h"

namespace purescope {

using Reals = std::vector<real>;

// Uniform numbers from a counter: value i of stream `key`.
inline double uniform(uint64_t key, uint64_t i, double low, double high) {
  return low + (high - low) * static_cast<double>(mix(key + mix(i)) >> 11) / 9007199254740992.0;
}

inline Reals random_reals(uint64_t key, size_t count, double low, double high) {
  Reals values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<real>(uniform(key, i, low, high));
  return values;
}

// An array between two red zones of NaN: reading outside poisons the result, writing outside is noticed.
class Guarded {
 public:
  Guarded(const Array& a, int batch, const Reals& values) : array_(a), batch_(batch), buffer_(values.size() + 2 * kZone) {
    std::fill_n(buffer_.data(), buffer_.size(), std::numeric_limits<real>::quiet_NaN());
    std::copy(values.begin(), values.end(), buffer_.data() + kZone);
    zone_.assign(buffer_.data(), buffer_.data() + kZone);
  }
  Guarded(const Array& a, int batch, double fill) : Guarded(a, batch, Reals(a.size(batch), static_cast<real>(fill))) {}
  View view() const { return {buffer_.data() + kZone, array_.images(batch_), array_.c, array_.h, array_.w}; }
  Reals values() const { return Reals(buffer_.data() + kZone, buffer_.data() + buffer_.size() - kZone); }
  bool zones_intact() const {
    const size_t bytes = kZone * sizeof(real);
    return std::memcmp(buffer_.data(), zone_.data(), bytes) == 0 &&
           std::memcmp(buffer_.data() + buffer_.size() - kZone, zone_.data(), bytes) == 0;
  }
  const std::string& name() const { return array_.name; }

 private:
  static constexpr size_t kZone = 64;
  Array array_;
  int batch_;
  Buffer buffer_;
  Reals zone_;
};

// The arguments and the cotangent of one run.
struct Data {
  int batch = 0, first_image = 0;
  std::vector<Reals> in, param, state;
  Reals dout;
};

inline Data make_data(const OpCase& c, int batch) {
  Data d;
  d.batch = batch;
  uint64_t key = fnv1a(c.name);
  auto draw = [&](const Array& a) { return random_reals(key = mix(key), a.size(batch), a.low, a.high); };
  for (const Array& a : c.in) d.in.push_back(draw(a));
  for (const Array& a : c.param) d.param.push_back(draw(a));
  for (const Array& a : c.state) d.state.push_back(draw(a));
  d.dout = random_reals(mix(key), c.out.size(batch), -1, 1);
  return d;
}

// Image k alone.
inline Data image_of(const Data& all, int k) {
  Data d = all;
  d.batch = 1;
  d.first_image = k;
  auto cut = [&](Reals& v) { const size_t size = v.size() / all.batch; v = Reals(v.begin() + k * size, v.begin() + (k + 1) * size); };
  for (Reals& v : d.in) cut(v);
  cut(d.dout);
  return d;
}

struct Result {
  Reals out, saved;
  std::vector<Reals> state, din, dparam;  // unwanted gradients stay empty
};

constexpr unsigned kAll = ~0u, kNone = 0;

struct RunOptions {
  unsigned wanted = kAll;   // bit i: gradient of input i, then of the parameters
  double fill = std::numeric_limits<double>::quiet_NaN();  // what outputs, saved and dx hold before the call
  double dparam = 0;        // what the parameter gradients start from
  bool drop_unneeded = false;
};

// Forward, then backward if any gradient is wanted.
inline Result run(const OpCase& c, const Data& d, const RunOptions& options = {}) {
  std::vector<Guarded> in, param, state, din, dparam;
  for (size_t i = 0; i < c.in.size(); ++i) in.emplace_back(c.in[i], d.batch, d.in[i]);
  for (size_t i = 0; i < c.param.size(); ++i) param.emplace_back(c.param[i], d.batch, d.param[i]);
  for (size_t i = 0; i < c.state.size(); ++i) state.emplace_back(c.state[i], d.batch, d.state[i]);
  for (const Array& a : c.in) din.emplace_back(a, d.batch, options.fill);
  for (const Array& a : c.param) dparam.emplace_back(a, d.batch, options.dparam);
  Guarded out(c.out, d.batch, options.fill), saved(c.saved, d.batch, options.fill), dout(c.out, d.batch, d.dout);
  Views v;
  v.first_image = d.first_image;
  for (const Guarded& g : in) v.in.push_back(g.view());
  for (const Guarded& g : param) v.param.push_back(g.view());
  for (const Guarded& g : state) v.state.push_back(g.view());
  v.out = out.view();
  if (c.saved.c) v.saved = saved.view();
  c.forward(v);
  Result r;
  r.out = out.values();
  r.saved = saved.values();
  for (const Guarded& g : state) r.state.push_back(g.values());
  auto wanted = [&](size_t i) { return (options.wanted >> i & 1) != 0; };
  v.dout = dout.view();
  for (size_t i = 0; i < din.size(); ++i) v.din.push_back(wanted(i) ? din[i].view() : View{});
  for (size_t i = 0; i < dparam.size(); ++i) v.dparam.push_back(wanted(din.size() + i) ? dparam[i].view() : View{});
  if (options.drop_unneeded && c.drop_unneeded) c.drop_unneeded(v);
  const bool backward = c.backward && (options.wanted & ((1u << (din.size() + dparam.size())) - 1)) != 0;
  if (backward) c.backward(v);
  for (size_t i = 0; backward && i < din.size(); ++i) r.din.push_back(wanted(i) ? din[i].values() : Reals{});
  for (size_t i = 0; backward && i < dparam.size(); ++i) r.dparam.push_back(wanted(din.size() + i) ? dparam[i].values() : Reals{});

  auto intact = [&](const Guarded& g, const char* what) {
    EXPECT_TRUE(g.zones_intact()) << c.name << ": wrote outside " << what << " " << g.name();
  };
  auto unchanged = [&](const Guarded& g, const Reals& before) {
    intact(g, "input");
    const Reals now = g.values();
    EXPECT_EQ(std::memcmp(now.data(), before.data(), now.size() * sizeof(real)), 0) << c.name << ": changed its input " << g.name();
  };
  for (size_t i = 0; i < in.size(); ++i) unchanged(in[i], d.in[i]);
  for (size_t i = 0; i < param.size(); ++i) unchanged(param[i], d.param[i]);
  for (size_t i = 0; i < state.size(); ++i) c.writes_state ? intact(state[i], "state") : unchanged(state[i], d.state[i]);
  unchanged(dout, d.dout);
  intact(out, "output");
  intact(saved, "saved");
  for (const Guarded& g : din) intact(g, "gradient of");
  for (const Guarded& g : dparam) intact(g, "gradient of");
  EXPECT_EQ(std::memcmp(out.values().data(), r.out.data(), r.out.size() * sizeof(real)), 0) << c.name << ": backward changed the output";
  return r;
}

}  // namespace purescope
