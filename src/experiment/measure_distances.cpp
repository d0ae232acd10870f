// distances and randomness.
#include <cstdlib>

#include "analysis/ssim.h"
#include "audit/subject.h"
#include "core/check.h"
#include "experiment/chain_walk.h"
#include "experiment/directions.h"
#include "experiment/measure_inside.h"
#include "io/signals.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// The START of walk:START:SAMPLER.
std::string start_of(const ExperimentUnit& u) {
  const size_t from = u.id.kind.find(':') + 1;
  return u.id.kind.substr(from, u.id.kind.find(':', from) - from);
}

struct Way {
  std::vector<double> place, l2, linf, ssim;
};

std::vector<float> floats(View v, int n) {
  const std::vector<real> row = to_host(v.images(n, 1));
  return {row.begin(), row.end()};
}

}  // namespace

PurifyOptions chain_of(const Workbench& w, const ExperimentUnit& u, bool single_steps) {
  PurifyOptions o = purify_at(w.options, u.sampler, u.id.t);
  if (single_steps && o.forward == ForwardKind::Jump && o.respacing.empty()) o.forward = ForwardKind::Steps;
  return o;
}

bool craft_start(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b, const PurifyOptions& chain, Rand rand,
                 const Backward& backward, Buffer& adversarial) {
  RobustnessOptions o = w.options.run;
  o.purify = chain;
  o.steps_reverse = chain.steps_reverse;
  o.backward = backward;
  Robustness robustness(&w.free_unet(), w.base, w.behind, o, w.stream, w.batch, 0);
  AttackCheckpoint checkpoint;
  w.sink.load_state(Workbench::state_key(u), b.ids, checkpoint);
  AttackResult result = robustness.craft({u.id.t, u.id.seed, u.id.eps, rand}, b.x.view(), b.labels, b.ids, &checkpoint,
                                         [] { return stop_requested(); });
  if (result.stopped) {
    w.sink.save_state(Workbench::state_key(u), b.ids, checkpoint);
    return false;
  }
  adversarial = std::move(result.adversarial);
  return true;
}

bool measure_distances(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const std::string name = start_of(u);
  const PurifyOptions chain = chain_of(w, u, true);
  const View x = b.x.view();
  Buffer start;
  if (name.starts_with("uniform")) {
    start = perturbed(x, std::strtod(name.c_str() + 7, nullptr) * u.id.eps, w.stream, u.id.seed, b.ids, 0);
  } else {
    const bool eot = name.ends_with("-eot"), bpda = name.starts_with("bpda");
    if (!craft_start(w, u, b, chain, eot ? Rand::Eot : Rand::Fixed, bpda ? Backward(Backward::Bpda) : Backward(),
                     start))
      return false;
  }
  Purifier purifier(w.free_unet(), chain, w.batch, false);
  const std::vector<Stage> stages = chain_stages(purifier);
  KeyedNoise noise(w.stream, u.id.seed, b.ids, 0, w.options.run.t_base);
  std::vector<Way> ways(x.n);
  Buffer inside, outside(x.n, x.c, x.h, x.w);
  walk_chain(purifier, start.view(), noise, [&](int stage, View state) {
    // Distances are taken at the size of the images outside, in [0,1] units.
    if (state.h == x.h && state.w == x.w) copy_forward(state, outside.view());
    else resize_bilinear_forward(state, outside.view());
    affine_forward(0.5, outside.view(), 0, {}, 0.5, outside.view());
    const std::vector<double> l2 = l2_distances(outside.view(), x), linf = linf_distances(outside.view(), x),
                              s = ssim(outside.view(), x);
    for (int n = 0; n < x.n; ++n) {
      ways[n].place.push_back(stages[stage].place);
      ways[n].l2.push_back(l2[n]);
      ways[n].linf.push_back(linf[n]);
      ways[n].ssim.push_back(s[n]);
    }
  });
  for (int n = 0; n < x.n; ++n)
    w.put(u, b.ids[n],
          with_fields(w.line(u, b.ids[n]).text(), JsonLine()
                                                      .add("start", name)
                                                      .raw("place", number_list(ways[n].place))
                                                      .raw("l2", number_list(ways[n].l2))
                                                      .raw("linf", number_list(ways[n].linf))
                                                      .raw("ssim", number_list(ways[n].ssim))));
  return true;
}

bool measure_randomness(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const int perturbations = w.options.inside.perturbations, noises = w.options.inside.noises;
  const View x = b.x.view();
  Purifier purifier(w.free_unet(), chain_of(w, u, false), w.batch, false);
  std::vector<std::vector<std::vector<float>>> inputs(x.n);
  std::vector<std::vector<std::vector<std::vector<float>>>> outputs(x.n);  // [image][perturbation][noise]
  Buffer start(x.n, x.c, x.h, x.w), end(x.n, x.c, x.h, x.w);
  for (int p = 0; p < perturbations; ++p) {
    const Buffer moved = perturbed(x, u.id.eps, w.stream, u.id.seed, b.ids, p);
    for (int n = 0; n < x.n; ++n) {
      inputs[n].push_back(floats(moved.view(), n));
      outputs[n].emplace_back();
    }
    for (int s = 0; s < noises; ++s) {
      if (stop_requested()) return false;
      KeyedNoise noise(w.stream, u.id.seed + s, b.ids, 0, w.options.run.t_base);
      affine_forward(2, moved.view(), 0, {}, -1, start.view());
      affine_forward(0.5, purifier.forward(start.view(), noise), 0, {}, 0.5, end.view());
      for (int n = 0; n < x.n; ++n) outputs[n][p].push_back(floats(end.view(), n));
    }
  }
  for (int n = 0; n < x.n; ++n) {
    const RandomnessNumbers r = randomness_numbers(floats(x, n), inputs[n], outputs[n]);
    w.put(u, b.ids[n],
          with_fields(w.line(u, b.ids[n]).text(), JsonLine()
                                                      .add("perturbations", perturbations)
                                                      .add("noises", noises)
                                                      .add("var_total", r.total)
                                                      .add("var_input", r.input)
                                                      .add("var_internal", r.internal)
                                                      .add("snr", r.snr)
                                                      .add("radius_start", r.radius_start)
                                                      .add("radius_fixed_noise", r.radius_fixed_noise)
                                                      .add("radius_fixed_input", r.radius_fixed_input)
                                                      .add("radius_both", r.radius_both)
                                                      .add("cosine_noise", r.cosine_noise)
                                                      .add("cosine_input", r.cosine_input)
                                                      .add("cosine_both", r.cosine_both)));
  }
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
