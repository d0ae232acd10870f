#include "cli/run_nets.h"

#include <algorithm>
#include <cstdio>

#include "cli/attack_run.h"
#include "core/check.h"
#include "core/current_device.h"
#include "core/math_mode.h"
#include "net/algorithms.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

std::optional<LoadedNet> chosen_purifier(const AttackOptions& o) {
  if (o.purifier.weights == "none") return {};
  return load_purifier(o.purifier, o.common);
}


std::string mebibytes(size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

// What one run holds beside its weights: arenas of gradient passes, kept activations, states of the chain, transformed filters.
struct Need {
  const AttackOptions& options;
  const LoadedNet* purifier;
  const LoadedNet& classifier;
  int steps;  // of the longest chain

  size_t bytes(int images) const {
    bool lean = false;
    size_t reals = 0;
    if (purifier) {
      const MemoryPlan plan = memory_plan(options.purify.memory, purifier->model, images, steps);
      const ValueInfo v = purifier->image();
      lean = plan.lean;
      reals += arena(*purifier, images, lean) * (1 + plan.kept_steps) + (steps + size_t{1}) * images * v.c * v.h * v.w;
    }
    return (reals + 2 * arena(classifier, images, lean) + filters()) * sizeof(real);
  }

 private:
  static size_t arena(const LoadedNet& net, int images, bool lean) { return make_plan(net.model, images, Mode::InputGrad, false, lean).arena; }
  size_t filters() const {
    if (current_math() != MathMode::Fast || current_device() != Device::Cpu) return 0;
    size_t reals = 0;
    for (const LoadedNet* net : {purifier, &classifier}) {
      if (!net) continue;
      Model model = net->model;
      choose_algorithms(model, MathMode::Fast);
      reals += filter_values(model, true);
    }
    return reals;
  }
};

constexpr int kLargestAuto = 256;  // beyond it a card has long been full of work
constexpr double kUsable = 0.9;    // of the free memory: workspaces and the host's own things are not counted

// 0: not even one image fits.
int fitting_batch(const Need& need, int images, size_t free) {
  int fits = 0;
  for (int batch = 1; batch <= kLargestAuto && need.bytes(batch) <= kUsable * free; batch *= 2) {
    fits = batch;
    if (batch >= images) break;
  }
  return fits;
}

}  // namespace

int usual_batch(const ValueInfo& image) { return image.h * image.w > 32 * 32 ? 1 : 8; }

int batch_for(const AttackOptions& o, const LoadedNet* purifier, const LoadedNet& classifier, const std::vector<int>& t, int images) {
  int steps = 0;
  for (int start : t) steps = std::max(steps, o.purify.steps_reverse ? std::min(o.purify.steps_reverse, start) : start);
  const Need need{o, purifier, classifier, steps};
  const size_t free = device_free_memory(current_device());
  const int fits = fitting_batch(need, images, free), usual = usual_batch((purifier ? *purifier : classifier).image());
  const int batch = o.batch == kAutoBatch ? std::max(fits, 1) : o.batch ? o.batch : usual;
  const std::string where = mebibytes(need.bytes(batch)) + " for " + std::to_string(batch) + (batch == 1 ? " image" : " images") + " per pass, " + mebibytes(free) +
                            " free on " + device_kind(current_device());
  if (need.bytes(batch) > free)
    fail(kUnavailable, "the networks of this run do not fit into memory", where,
         fits ? "use --batch " + std::to_string(fits) + ", or --batch auto" : "use --memory min, or a machine with more memory");
  if (!o.common.quiet) std::fprintf(stderr, "memory: %s, weights not counted\n", where.c_str());
  return batch;
}

RunNets::RunNets(const AttackOptions& o, const Dataset& data)
    : purifier(chosen_purifier(o)), classifier(load_classifier(o.classifier, o.common)), base(classifier.make_net()), behind(classifier.make_net()) {
  check_run(o, data, {classifier.image().h, classifier.image().w, classifier.outputs()});
  if (purifier) {
    for (int t : o.run.t) check_t_max(*purifier, t, o.common.force);
    purifier_net.emplace(purifier->make_net());
  }
  batch = batch_for(o, purifier ? &*purifier : nullptr, classifier, o.run.t, data.count());
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
