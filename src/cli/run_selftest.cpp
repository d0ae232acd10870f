// The checks of `selftest` that need networks: small ones with weights made by formula, one per family.
#include <algorithm>
#include <cmath>
#include <functional>

#include "cli/commands.h"
#include "cli/load.h"
#include "cli/run_selftest_masks.h"
#include "core/current_device.h"
#include "core/parallel.h"
#include "ops/labels.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

struct Family {
  const char* name;
  const char* arch;
  double float_bar, derivative_bar;
};
// ReLU networks: a kink near the point limits central differences, and a mask that flips in float moves single
// gradients.
const Family kFamilies[] = {
    {"ddpm-unet", "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16", 5e-5, 1e-8},
    {"wrn", "wrn:depth=10,widen=1,size=16", 2e-3, 1e-6},
    {"cifar-resnet", "cifar-resnet:depth=8,size=16", 2e-3, 1e-6},
};
constexpr int kBatch = 2;
constexpr double kTime = 37;

LoadedNet formula_net(const char* arch) {
  NetworkChoice choice{"formula", arch, "--weights", "--arch"};
  return load_network(choice, {});
}

void fill(View v, const std::string& key, double shift, double scale) {
  const Mirror host(v, Device::Cpu, Mirror::Load::No);
  for (size_t i = 0; i < v.size(); ++i) host.data()[i] = formula_value(key, i, shift, scale);
  host.store();
}

void fill_input(const Net& net) {
  if (is_purifier(net.model()))
    fill(net.input(), "input", 0, std::sqrt(3.0));
  else
    fill(net.input(), "input", 0.5, 0.5);
}

accum dot(View a, View b) {
  const Mirror x(a), y(b);
  accum sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<accum>(x.data()[i]) * y.data()[i];
  return sum;
}

// Output and input gradient for the formula input and cotangent.
void run(Net& net, Buffer& out, Buffer& dx) {
  fill_input(net);
  net.set_time(kTime);
  net.forward();
  copy_forward(net.output(), out.view());
  fill(net.output_grad(), "cotangent", 0, 1);
  net.backward();
  copy_forward(net.input_grad(), dx.view());
}

Buffer like(View v) { return Buffer(v.n, v.c, v.h, v.w); }

bool same_bits(View a, View b) { return same_shape(a, b) && to_host(a) == to_host(b); }

// |L(x + h v) - L(x - h v)| / 2h against <g, v>, relative to |g||v|; the best of three h.
double derivative_error(const std::function<double(View)>& value, View x, View g, View v) {
  const double slope = dot(g, v), scale = std::sqrt(dot(g, g) * dot(v, v));
  Buffer moved = like(x);
  double best = INFINITY;
  for (double h : {1e-4, 1e-5, 1e-6}) {
    affine_forward(1, x, h, v, 0, moved.view());
    const double up = value(moved.view());
    affine_forward(1, x, -h, v, 0, moved.view());
    const double error = std::abs((up - value(moved.view())) / (2 * h) - slope) / scale;
    best = std::min(best, error);
  }
  return best;
}

// d <cotangent, out> / dx in the direction of the gradient.
SelftestRow net_derivative(const Family& f) {
  const LoadedNet loaded = formula_net(f.arch);
  Net net = loaded.make_net();
  net.plan(kBatch, Mode::InputGrad);
  Buffer out = like(net.output()), dx = like(net.input()), x = like(net.input()), cotangent = like(net.output());
  run(net, out, dx);
  fill_input(net);
  copy_forward(net.input(), x.view());
  fill(cotangent.view(), "cotangent", 0, 1);
  auto value = [&](View at) {
    copy_forward(at, net.input());
    net.set_time(kTime);
    net.forward();
    return dot(net.output(), cotangent.view());
  };
  return {std::string("derivative of ") + f.name, derivative_error(value, x.view(), dx.view(), dx.view()),
          f.derivative_bar};
}

// d CE(classifier(purify(x))) / dx through ten reverse steps without clipping, in the direction of the gradient.
SelftestRow chain_derivative() {
  const LoadedNet ddpm = formula_net(kFamilies[0].arch), wrn = formula_net(kFamilies[1].arch);
  Net unet = ddpm.make_net(), classifier = wrn.make_net();
  PurifyOptions options;
  options.t = 10;
  options.clip = Clip::None;
  Purifier purifier(unet, options, 1, true);
  classifier.plan(1, Mode::InputGrad);
  const NoiseStream stream(NoiseMode{});
  KeyedNoise noise(stream, 0, {0});
  const int three = 3;
  const DeviceLabels label(&three, 1, current_device());
  Buffer u = like(classifier.input()), d = like(classifier.input()), loss(1, 1, 1, 1);
  fill(u.view(), "input", 0, 1);
  auto value = [&](View at) {
    affine_forward(0.5, purifier.forward(at, noise), 0, {}, 0.5, classifier.input());
    classifier.forward();
    cross_entropy_forward(classifier.output(), label.data(), loss.view());
    return static_cast<double>(to_host(loss.view())[0]);
  };
  value(u.view());
  cross_entropy_backward(classifier.output(), label.data(), 1, classifier.output_grad());
  classifier.backward();
  affine_forward(0.5, classifier.input_grad(), 0, {}, 0, d.view());
  purifier.backward(d.view());
  return {"gradient of the whole chain, 10 steps", derivative_error(value, u.view(), d.view(), d.view()), 1e-6};
}

// Image 1 of a batch against the same image alone, and one thread against two: output and input gradient, bit for bit.
void invariance_rows(const Family& f, std::vector<SelftestRow>& rows) {
  const LoadedNet loaded = formula_net(f.arch);
  Net net = loaded.make_net();
  const int threads = thread_count();
  net.plan(kBatch, Mode::InputGrad);
  Buffer out[2] = {like(net.output()), like(net.output())}, dx[2] = {like(net.input()), like(net.input())};
  for (int i = 0; i < 2; ++i) {
    set_thread_count(i + 1);
    run(net, out[i], dx[i]);
  }
  set_thread_count(threads);
  const bool equal = same_bits(out[0].view(), out[1].view()) && same_bits(dx[0].view(), dx[1].view());
  rows.push_back({std::string("1 thread = 2 threads, bitwise, ") + f.name, equal ? 0.0 : 1.0, 0});
  Buffer x = like(net.input()), cotangent = like(net.output());
  fill_input(net);
  copy_forward(net.input(), x.view());
  fill(cotangent.view(), "cotangent", 0, 1);
  net.plan(1, Mode::InputGrad);
  copy_forward(x.view().images(1, 1), net.input());
  net.set_time(kTime);
  net.forward();
  bool alone = same_bits(net.output(), out[0].view().images(1, 1));
  copy_forward(cotangent.view().images(1, 1), net.output_grad());
  net.backward();
  alone = alone && same_bits(net.input_grad(), dx[0].view().images(1, 1));
  rows.push_back({std::string("image in a batch = alone, bitwise, ") + f.name, alone ? 0.0 : 1.0, 0});
}

}  // namespace

std::vector<SelftestNumbers> selftest_numbers() {
  std::vector<SelftestNumbers> list;
  for (const Family& f : kFamilies) {
    const LoadedNet loaded = formula_net(f.arch);
    Net net = loaded.make_net();
    net.plan(kBatch, Mode::InputGrad);
    Buffer out = like(net.output()), dx = like(net.input());
    run(net, out, dx);
    const std::vector<real> y = to_host(out.view()), d = to_host(dx.view());
    list.push_back({std::string(f.name) + " output", {y.begin(), y.end()}, 5e-5});
    list.push_back({std::string(f.name) + " input gradient", {d.begin(), d.end()}, f.float_bar});
  }
  return list;
}

std::vector<SelftestRow> selftest_checks() {
  std::vector<SelftestRow> rows;
  if (sizeof(real) == 8) {
    for (const Family& f : kFamilies) rows.push_back(net_derivative(f));
    rows.push_back(chain_derivative());
  }
  for (const Family& f : kFamilies) invariance_rows(f, rows);
  if (sizeof(real) == 8 && current_device() == Device::Cpu)  // the checks of an audit read arrays in place
    for (const SelftestRow& row : selftest_masks()) rows.push_back(row);
  return rows;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
