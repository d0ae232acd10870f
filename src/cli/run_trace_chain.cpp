// trace: one image through the defence and one gradient back, every array on the way in a file of its own.
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "cli/attack_run.h"
#include "cli/commands.h"
#include "cli/run_audit_target.h"
#include "core/check.h"
#include "io/atomic_file.h"
#include "io/json_text.h"
#include "io/npy.h"
#include "io/signals.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// Passes noise through and keeps a copy of every draw.
class KeptNoise : public NoiseSource {
 public:
  explicit KeptNoise(NoiseSource& source) : source_(source) {}
  void forward(ForwardKind kind, int t, View out) override {
    source_.forward(kind, t, out);
    forward_draws.emplace_back(t, copy_of(out));
  }
  void reverse(int order, int t, View out) override {
    source_.reverse(order, t, out);
    reverse_draws.emplace_back(order, copy_of(out));
  }
  std::vector<std::pair<int, Buffer>> forward_draws, reverse_draws;

 private:
  NoiseSource& source_;
};

// The folder, and index.jsonl with name, shape, norm and meaning of every array in it.
class TraceFolder {
 public:
  TraceFolder(const std::string& path, bool force) : path_(path) {
    std::error_code error;
    if (std::filesystem::exists(path) && !std::filesystem::is_empty(path, error) && !force)
      fail(kCannotCreate, "the folder is not empty", "--out " + path, "name a new folder, or add --force");
    std::filesystem::create_directories(path, error);
    if (error)
      fail(kCannotCreate, "cannot create the folder: " + error.message(), "--out " + path, "choose another place");
  }
  void add(const std::string& name, View v, const std::string& meaning) {
    write_array(path_ + "/" + name + ".npy", v);
    double square = 0;
    for (size_t i = 0; i < v.size(); ++i) square += static_cast<double>(v.data[i]) * v.data[i];
    index_ += JsonLine()
                  .add("file", name + ".npy")
                  .raw("shape", "[" + std::to_string(v.n) + "," + std::to_string(v.c) + "," + std::to_string(v.h) +
                                    "," + std::to_string(v.w) + "]")
                  .add("l2", std::sqrt(square))
                  .add("what", meaning)
                  .text() +
              "\n";
    ++count_;
  }
  void finish(const std::string& first_line) const { write_text_atomic(path_ + "/index.jsonl", first_line + "\n" + index_); }
  int count() const { return count_; }

 private:
  std::string path_, index_;
  int count_ = 0;
};

std::string step_name(const char* part, int order, int label, const char* what) {
  char text[96];
  std::snprintf(text, sizeof text, "%s_step%04d_t%04d_%s", part, order, label, what);
  return text;
}

// The forward pass of a diffusion chain, with what its backward pass needs again.
struct ChainTrace {
  std::vector<Buffer> outputs;     // network outputs, by order
  std::vector<Buffer> cotangents;  // d loss / d state, from order = steps down to 0
  std::vector<Buffer> products;    // J^T of the network, in the same order but without the first
};

void observe(Purifier& p, ChainTrace& trace) {
  p.on_step = [&p, &trace](int) { trace.outputs.push_back(copy_of(p.unet().output())); };
  p.on_cotangent = [&p, &trace](int order, View d) {
    if (order < static_cast<int>(p.steps().size())) trace.products.push_back(copy_of(p.unet().input_grad()));
    trace.cotangents.push_back(copy_of(d));
  };
}

// Predicted x0 before clipping, and 1 where it is clipped.
void write_step(TraceFolder& out, const Purifier& p, const ChainTrace& trace, int order) {
  const ReverseStep& s = p.steps()[order];
  const Buffer state = copy_of(p.trail().x(order));
  const View x = state.view(), eps = trace.outputs[order].view();
  out.add(step_name("forward", order, s.label, "state"), x, "input u of the reverse step, in [-1,1] units");
  out.add(step_name("forward", order, s.label, "network"), eps, "eps, the network's output");
  Buffer x0 = copy_of(x), mask = copy_of(x);
  affine_forward(s.to_x0, x, -s.from_eps, eps, 0, x0.view());
  for (size_t i = 0; i < mask.size(); ++i) mask.data()[i] = s.clip && !(std::abs(x0.data()[i]) <= 1);
  out.add(step_name("forward", order, s.label, "x0"), x0.view(), "predicted x0 before clipping");
  out.add(step_name("forward", order, s.label, "clipped"), mask.view(),
          "1 where the prediction is clipped: no gradient passes there");
}

void write_step_back(TraceFolder& out, Purifier& p, const ChainTrace& trace, int order) {
  const int steps = static_cast<int>(p.steps().size());
  const ReverseStep& s = p.steps()[order];
  const View dy = trace.cotangents[steps - 1 - order].view();
  Buffer direct = copy_of(dy), deps = copy_of(dy);
  reverse_step_backward(s, copy_of(p.trail().x(order)).view(), trace.outputs[order].view(), dy, direct.view(), deps.view());
  out.add(step_name("backward", order, s.label, "direct"), direct.view(),
          "part of the cotangent that does not pass the network");
  out.add(step_name("backward", order, s.label, "into_network"), deps.view(), "cotangent of eps");
  out.add(step_name("backward", order, s.label, "from_network"), trace.products[steps - 1 - order].view(),
          "vector-Jacobian product of the network");
  out.add(step_name("backward", order, s.label, "cotangent"), trace.cotangents[steps - order].view(),
          "d loss / d u at the input of the step");
}

}  // namespace

int run_trace(const AuditRunOptions& o) {
  AttackOptions run;
  run.data = o.data;
  run.first = o.first;
  run.count = 1;
  const Dataset data = load_run_data(run);
  AuditRunOptions one = o;
  one.batch = 1;
  AuditTarget target(one);
  check_run(run, data, {target.image().h, target.image().w, target.classes()});
  TraceFolder out(o.out, o.common.force);
  Buffer x(1, data.channels, data.height, data.width, Device::Cpu), g = like(x.view());
  std::copy_n(data.image(0), data.image_size(), x.data());
  const int label = data.labels[0];
  KeyedNoise keyed(target.stream(), o.noise.seeds[0], {o.first}, 0);
  KeptNoise noise(keyed);
  Defended& d = target.target();
  Purifier* p = d.purifier();
  ChainTrace trace;
  if (p) observe(*p, trace);
  d.forward(Mirror(x.view(), d.device()).view(), &noise);
  if (p) p->on_step = nullptr;
  const Buffer purified = copy_of(d.purified()), logits = copy_of(d.logits());
  const double loss = d.losses(&label)[0];
  out.add("image", x.view(), "the image, in [0,1]");
  for (const auto& [t, e] : noise.forward_draws)
    out.add(step_name("forward", 0, t, "noise_forward"), e.view(), "forward noise e of index t");
  for (size_t k = 0; p && k < trace.outputs.size(); ++k) {
    write_step(out, *p, trace, static_cast<int>(k));
    for (const auto& [order, z] : noise.reverse_draws)
      if (order == static_cast<int>(k))
        out.add(step_name("forward", order, p->steps()[k].label, "noise"), z.view(), "noise z of the step");
  }
  out.add("purified", purified.view(), "what the classifier sees, in [0,1] units");
  out.add("logits", logits.view(), "the classifier's output");
  const Mirror there(g.view(), d.device(), Mirror::Load::No);
  d.backward(&label, there.view());
  there.store();
  const bool chain = p && !trace.cotangents.empty() && trace.products.size() == trace.outputs.size();
  for (int k = static_cast<int>(trace.outputs.size()) - 1; chain && k >= 0; --k) write_step_back(out, *p, trace, k);
  out.add("gradient", g.view(), "d loss / d image");
  if (p) p->on_cotangent = nullptr;
  const std::string head = JsonLine()
                               .add("image", o.first)
                               .add("label", label)
                               .add("prediction", d.predictions()[0])
                               .add("loss", loss)
                               .add("defence", audited_defence(o))
                               .add("plant", o.plant)
                               .add("backward", backward_name(o.audit.backward))
                               .add("seed", o.noise.seeds[0])
                               .text();
  out.finish(head);
  print_out(o.common.json ? head + "\n"
                          : "loss " + json_number(static_cast<real>(loss)) + ", " + std::to_string(out.count()) +
                                " arrays in " + o.out + ", listed in index.jsonl\n");
  return kOk;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
