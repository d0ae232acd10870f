// forward and vjp: one network on an array, in passes of a few images (image k gives the same bits in any pass).
#include <algorithm>
#include <cstdio>
#include <deque>

#include "cli/commands.h"
#include "cli/load.h"
#include "cli/run_trace.h"
#include "core/check.h"
#include "io/output_check.h"
#include "io/safetensors.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// One t for all images, or one each; purifiers only.
void check_times(const std::vector<int64_t>& t, const Model& model, int images) {
  if (model.time < 0) {
    if (!t.empty()) fail(kUsage, "--t is given, but the network has no time input", model.arch, "leave --t out");
    return;
  }
  if (t.empty())
    fail(kUsage, "--t is missing", model.arch + " has a time input",
         "give the diffusion index, 0 to 999: one for all images, or one each");
  if (t.size() != 1 && static_cast<int>(t.size()) != images)
    fail(kUsage, std::to_string(t.size()) + " values of --t for " + std::to_string(images) + " images", "--t",
         "give one for all images, or one each");
}

void load_pass(Net& net, View x, const std::vector<int64_t>& t, int first) {
  net.set_batch(x.n);
  transfer(x, net.input());
  if (net.model().time < 0) return;
  std::vector<real> times;
  for (int n = 0; n < x.n; ++n) times.push_back(static_cast<real>(t[t.size() == 1 ? 0 : first + n]));
  from_host(times.data(), net.time());
}

void write_param_grads(const std::string& path, Net& net) {
  std::vector<TensorOut> tensors;
  std::deque<Mirror> hosts;  // keeps what the tensors point to
  const Model& model = net.model();
  for (size_t i = 0; i < model.params.size(); ++i)
    if (model.params[i].trainable)
      tensors.push_back({model.params[i].key, sizeof(real) == 8 ? Dtype::F64 : Dtype::F32, model.params[i].shape,
                         hosts.emplace_back(net.grads().view(static_cast<int>(i))).data()});
  write_safetensors(path, tensors, {{"arch", model.arch}, {"kind", "parameter gradients, summed over the batch"}});
}

}  // namespace

int run_forward(const ForwardOptions& o) {
  const LoadedNet loaded = load_network(o.net, o.common);
  const Buffer input = read_images(o.input, loaded.image(), "--input", o.common, false);
  const View x = input.view();
  check_times(o.t, loaded.model, x.n);
  check_output(o.output, "--output");
  check_output(o.dump, "--dump");
  Net net = loaded.make_net();
  const ValueInfo out = loaded.model.values[loaded.model.output];
  Buffer result(x.n, out.c, out.h, out.w, Device::Cpu);
  const int batch = std::min(o.batch, x.n);
  net.plan(batch, Mode::Forward);
  for (int first = 0; first < x.n; first += batch) {
    load_pass(net, x.images(first, std::min(batch, x.n - first)), o.t, first);
    net.forward();
    transfer(net.output(), result.view().images(first, net.output().n));
  }
  if (!o.dump.empty()) write_trace(o.dump, trace_network(loaded, x, o.t), loaded.model.arch, sizeof(real) == 8);
  write_array(o.output, result.view());
  return kOk;
}

// dx = J(x)^T c for every image; with --dparams also the gradients of all trainable parameters, summed over the images
// in order.
int run_vjp(const ForwardOptions& o) {
  const LoadedNet loaded = load_network(o.net, o.common);
  const Buffer input = read_images(o.input, loaded.image(), "--input", o.common, false);
  const View x = input.view();
  check_times(o.t, loaded.model, x.n);
  check_output(o.output, "--output");
  check_output(o.dparams, "--dparams");
  const Buffer cotangent =
      read_images(o.cotangent, loaded.model.values[loaded.model.output], "--cotangent", o.common, false);
  if (cotangent.view().n != x.n)
    fail(kBadInput,
         "--cotangent holds " + std::to_string(cotangent.view().n) + " images, --input " + std::to_string(x.n),
         o.cotangent, "give one cotangent per image");
  Net net = loaded.make_net();
  Buffer dx(x.n, x.c, x.h, x.w, Device::Cpu);
  const int batch = std::min(o.batch, x.n);
  net.set_lean(o.memory == "min");
  net.plan(batch, o.dparams.empty() ? Mode::InputGrad : Mode::Training);
  if (!o.dparams.empty()) net.grads().fill_zero();
  for (int first = 0; first < x.n; first += batch) {
    const int count = std::min(batch, x.n - first);
    load_pass(net, x.images(first, count), o.t, first);
    net.forward();
    transfer(cotangent.view().images(first, count), net.output_grad());
    net.backward();
    transfer(net.input_grad(), dx.view().images(first, count));
  }
  write_array(o.output, dx.view());
  if (!o.dparams.empty()) write_param_grads(o.dparams, net);
  return kOk;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
