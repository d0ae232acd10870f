// The checks made of every OpCase: is it the right function, is its backward its derivative, does it keep the contract of
// ops/signatures.inc.
#pragma once
#include <cmath>

#include "compare.h"
#include "core/parallel.h"
#include "ops/op_run.h"

namespace purescope {

template <class T>
Args<T> oracle_args(const Data& d) {
  Args<T> a;
  a.n = d.batch;
  auto widen = [](const std::vector<Reals>& from, std::vector<std::vector<T>>& to) {
    for (const Reals& v : from) to.emplace_back(v.begin(), v.end());
  };
  widen(d.in, a.in);
  widen(d.param, a.param);
  widen(d.state, a.state);
  return a;
}

// Level 0: the output against the oracle in double, for the batch of the case.
inline void check_forward(const OpCase& c) {
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Comparison r = compare(run(c, d, {.wanted = kNone}).out, c.oracle(oracle_args<double>(d)), tolerance_of(c.tolerance, kRealIsDouble));
  EXPECT_TRUE(r.ok) << r.message;
}

// Directions in which a derivative is taken: single elements (all of a small array, some of a large one) and random directions of
// length one.
struct Probes {
  std::vector<size_t> elements;
  std::vector<std::vector<double>> directions;
};

inline Probes make_probes(const OpCase& c, const std::string& array, size_t size) {
  Probes p;
  const uint64_t key = fnv1a(c.name + "/" + array);
  const bool all = size <= 200 && !c.big;
  const size_t count = all ? size : c.big ? 3 : 24;
  for (size_t i = 0; i < count; ++i) p.elements.push_back(all ? i : static_cast<size_t>(uniform(key, i, 0, 1) * size));
  for (int k = 0; k < (all ? 0 : c.big ? 1 : 2); ++k) {
    std::vector<double> direction(size);
    double norm = 0;
    for (size_t i = 0; i < size; ++i) { direction[i] = uniform(key + 1 + k, i, -1, 1); norm += direction[i] * direction[i]; }
    for (double& v : direction) v /= std::sqrt(norm);
    p.directions.push_back(direction);
  }
  return p;
}

// Calls slope(move) for every probe; move(values, step) shifts an array by step along the probe.
template <class Slope>
std::vector<double> slopes(const Probes& p, const Slope& slope) {
  std::vector<double> result;
  for (const size_t e : p.elements) result.push_back(slope([e](auto& values, auto step) { values[e] += step; }));
  for (const auto& direction : p.directions)
    result.push_back(slope([&direction](auto& values, auto step) {
      for (size_t i = 0; i < direction.size(); ++i) values[i] += direction[i] * step;
    }));
  return result;
}

// The gradient that the op computed, projected on the probes.
inline std::vector<double> project(const Probes& p, const Reals& gradient) {
  std::vector<double> result;
  for (const size_t e : p.elements) result.push_back(gradient[e]);
  for (const auto& direction : p.directions) {
    double total = 0;
    for (size_t i = 0; i < direction.size(); ++i) total += direction[i] * gradient[i];
    result.push_back(total);
  }
  return result;
}

// d<dout, oracle> along the probes by the complex step.
inline std::vector<double> complex_slopes(const OpCase& c, const Data& d, bool of_param, size_t which, const Probes& p) {
  constexpr double kStep = 1e-30;
  Args<Complex> args = oracle_args<Complex>(d);
  std::vector<Complex>& moved = of_param ? args.param[which] : args.in[which];
  return slopes(p, [&](const auto& move) {
    const std::vector<Complex> before = moved;
    move(moved, Complex(0, kStep));
    const std::vector<Complex> y = c.complex_oracle(args);
    moved = before;
    double total = 0;
    for (size_t i = 0; i < y.size(); ++i) total += d.dout[i] * (y[i].imag() / kStep);
    return total;
  });
}

// d<dout, forward> along the probes by central differences of the op itself; of several steps the one nearest to `claimed`.
inline std::vector<double> difference_slopes(const OpCase& c, const Data& d, bool of_param, size_t which, const Probes& p,
                                             const std::vector<double>& claimed) {
  Data shifted = d;
  Reals& moved = of_param ? shifted.param[which] : shifted.in[which];
  size_t probe = 0;
  return slopes(p, [&](const auto& move) {
    double best = 0, error = -1;
    for (const double h : {7e-3, 1e-3, 1e-4, 1e-5}) {
      const Reals before = moved;
      move(moved, static_cast<real>(h));
      const Reals above = run(c, shifted, {.wanted = kNone}).out;
      moved = before;
      move(moved, static_cast<real>(-h));
      const Reals below = run(c, shifted, {.wanted = kNone}).out;
      moved = before;
      double total = 0;
      for (size_t i = 0; i < above.size(); ++i) total += d.dout[i] * (above[i] - below[i]);
      total /= 2 * h;
      if (error < 0 || std::fabs(total - claimed[probe]) < error) { best = total; error = std::fabs(total - claimed[probe]); }
    }
    ++probe;
    return best;
  });
}

// Level 1: every gradient, for a random cotangent, against the complex step of the oracle and (in double) central differences.
inline void check_derivative(const OpCase& c) {
  if (!c.backward) return;
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result r = run(c, d);
  auto check = [&](bool of_param, size_t which) {
    const Array& array = of_param ? c.param[which] : c.in[which];
    SCOPED_TRACE("gradient of " + array.name);
    const Probes p = make_probes(c, array.name, array.size(c.batch));
    const std::vector<double> claimed = project(p, of_param ? r.dparam[which] : r.din[which]);
    const Comparison exact = compare(claimed, complex_slopes(c, d, of_param, which, p), kRealIsDouble ? kComplexStep : c.tolerance.f32);
    EXPECT_TRUE(exact.ok) << "complex step: " << exact.message;
    if (!kRealIsDouble) return;
    const std::vector<double> numeric = difference_slopes(c, d, of_param, which, p, claimed);
    const Comparison close = compare(claimed, numeric, c.has_kink ? kCentralDifferenceKink : kCentralDifference);
    EXPECT_TRUE(close.ok) << "central differences: " << close.message;
    EXPECT_FALSE(compare_bits(claimed, numeric).ok) << "both sides have the same bits: is something compared with itself?";
  };
  for (size_t i = 0; !c.zero_gradient && i < c.in.size(); ++i) check(false, i);
  for (size_t i = 0; i < c.param.size(); ++i) check(true, i);
}

inline double dot(const Reals& a, const Reals& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += static_cast<double>(a[i]) * b[i];
  return total;
}

// <dout, f(v) - f(0)> = <gradient, v> for the arguments in which the op is linear.
inline void check_adjoint(const OpCase& c) {
  if (!kRealIsDouble || !c.backward) return;
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result r = run(c, d);
  auto check = [&](const char* what, const std::vector<Reals>& at, const std::vector<Reals>& gradient, std::vector<Reals> Data::*args) {
    Data zero = d;
    for (Reals& v : zero.*args) v.assign(v.size(), 0);
    const Reals base = run(c, zero, {.wanted = kNone}).out;
    Reals change = r.out;
    for (size_t i = 0; i < change.size(); ++i) change[i] -= base[i];
    double right = 0;
    for (size_t i = 0; i < at.size(); ++i) right += dot(gradient[i], at[i]);
    const double left = dot(d.dout, change), scale = std::sqrt(dot(d.dout, d.dout) * dot(change, change));
    const Comparison close = compare(&left, &right, 1, kAdjoint, scale);
    EXPECT_TRUE(close.ok) << "adjoint in the " << what << ": " << close.message;
  };
  if (c.linear_in_inputs) check("inputs", d.in, r.din, &Data::in);
  if (c.linear_in_params) check("parameters", d.param, r.dparam, &Data::param);
}

// The same bits in everything that both runs computed.
inline void expect_same(const Result& a, const Result& b, const std::string& what) {
  auto same = [&](const Reals& x, const Reals& y, const std::string& name) {
    if (x.empty() || y.empty()) return;
    const Comparison r = compare_bits(x, y);
    EXPECT_TRUE(r.ok) << what << ", " << name << ": " << r.message;
  };
  same(a.out, b.out, "output");
  same(a.saved, b.saved, "saved");
  for (size_t i = 0; i < a.state.size() && i < b.state.size(); ++i) same(a.state[i], b.state[i], "state " + std::to_string(i));
  for (size_t i = 0; i < a.din.size() && i < b.din.size(); ++i) same(a.din[i], b.din[i], "gradient of input " + std::to_string(i));
  for (size_t i = 0; i < a.dparam.size() && i < b.dparam.size(); ++i)
    same(a.dparam[i], b.dparam[i], "gradient of parameter " + std::to_string(i));
}

// Outputs, saved and dx are overwritten; dparams are added to.
inline void check_overwrite_and_accumulate(const OpCase& c, const Data& d, const Result& r) {
  expect_same(r, run(c, d, {.fill = 7}), "overwritten NaN against overwritten 7");
  if (!c.backward) return;
  constexpr double kStart = 0.75;
  const Result added = run(c, d, {.dparam = kStart});
  for (size_t i = 0; i < c.param.size(); ++i) {
    std::vector<double> expected(r.dparam[i].begin(), r.dparam[i].end());
    for (double& v : expected) v += kStart;
    const Comparison sum = compare(added.dparam[i], expected, tolerance_of(kAccumulate, kRealIsDouble));
    EXPECT_TRUE(sum.ok) << "accumulation into the gradient of " << c.param[i].name << ": " << sum.message;
  }
}

// Any subset of the gradients gives the same bits as all of them, also when the inputs it does not need are empty.
inline void check_subsets(const OpCase& c, const Data& d, const Result& r) {
  if (!c.backward) return;
  const unsigned end = 1u << (c.in.size() + c.param.size());
  for (unsigned wanted = 1; wanted < end; ++wanted) {
    const std::string what = "gradients wanted: " + std::to_string(wanted);
    expect_same(r, run(c, d, {.wanted = wanted}), what);
    if (c.drop_unneeded) expect_same(r, run(c, d, {.wanted = wanted, .drop_unneeded = true}), what + ", unneeded inputs empty");
  }
}

// Image k of a batch has the bits of image k alone.
inline void check_batch_invariance(const OpCase& c) {
  if (c.couples_images) return;
  const int batch = c.big ? 2 : 5;
  const Data d = make_data(c, batch);
  const Result all = run(c, d);
  auto cut = [&](const Reals& v, int k) {
    const size_t size = v.size() / batch;
    return Reals(v.begin() + k * size, v.begin() + (k + 1) * size);
  };
  for (int k = 0; k < batch; ++k) {
    Result alone = run(c, image_of(d, k)), expected = alone;
    alone.dparam.clear();  // sums over the batch
    expected.out = cut(all.out, k);
    expected.saved = cut(all.saved, k);
    for (size_t i = 0; i < all.din.size(); ++i) expected.din[i] = cut(all.din[i], k);
    expect_same(alone, expected, "image " + std::to_string(k) + " alone and in a batch of " + std::to_string(batch));
  }
}

inline void check_thread_invariance(const OpCase& c, const Data& d) {
  const int before = thread_count();
  set_thread_count(1);
  const Result one = run(c, d);
  for (const int threads : {2, 3}) {
    set_thread_count(threads);
    expect_same(one, run(c, d), std::to_string(threads) + " threads against one");
  }
  set_thread_count(before);
}

// Everything that ops/signatures.inc promises. Red zones and unchanged inputs are part of every run.
inline void check_contract(const OpCase& c) {
  SCOPED_TRACE(c.name);
  const Data d = make_data(c, c.batch);
  const Result r = run(c, d);
  check_overwrite_and_accumulate(c, d, r);
  check_subsets(c, d, r);
  check_batch_invariance(c);
  check_thread_invariance(c, d);
}

}  // namespace purescope
