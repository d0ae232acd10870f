// steps and gaussian.
#include <algorithm>
#include <cmath>
#include <limits>

#include "audit/subject.h"
#include "experiment/chain_walk.h"
#include "experiment/gaussian_steps.h"
#include "experiment/measure_inside.h"
#include "experiment/step_rates.h"
#include "io/signals.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int kExactBatch = 16;       // vector-Jacobian products at a time, where every value needs one
constexpr int kPrintedSteps = 6;      // of the diverging field: enough to see it
constexpr double kTrackedLength = 1;  // of the perturbations of Gaussian walks; the field is linear

// Reverse steps at which the Jacobian is looked at: up to `most`, spread evenly, the first and the last among them.
std::vector<int> chosen_steps(int steps, int most) {
  std::vector<int> chosen;
  const int count = std::min(steps, std::max(most, 1));
  for (int k = 0; k < count; ++k)
    chosen.push_back(count == 1 ? 0 : static_cast<int>((static_cast<int64_t>(k) * (steps - 1)) / (count - 1)));
  return chosen;
}

// What one image has at the chosen steps.
struct AtSteps {
  std::vector<double> order, kappa, gamma, trace, trace_error, frobenius, frobenius_error, exact_trace, exact_frobenius,
      eq16, eq16_second, fresh, clipped;
};

// Eq. 16, fresh perturbations and clips at one reverse step.
void look_at_step(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b, Purifier& purifier, int order,
                  View state, bool exact, std::vector<AtSteps>& all) {
  const InsideOptions& o = w.options.inside;
  EpsJacobian jacobian(purifier);
  const StepFactors factors = step_factors(purifier, order);
  const std::vector<Divergence> divergence =
      estimate_divergence(jacobian, order, state, o.probes, w.stream, u.id.seed, b.ids);
  const std::vector<double> clipped = clipped_share(jacobian, purifier, order, state);
  std::vector<double> fresh(state.n, 0);
  for (int draw = 0; draw < o.fresh; ++draw) {
    const std::vector<double> rates =
        fresh_rates(jacobian, purifier, order, state, 2 * u.id.eps, draw, w.stream, u.id.seed, b.ids);
    for (int n = 0; n < state.n; ++n) fresh[n] += rates[n] / o.fresh;
  }
  for (int n = 0; n < state.n; ++n) {
    const bool here = exact && b.ids[n] == w.first && static_cast<int>(state.image_size()) <= o.exact_trace_size;
    const Divergence truth = here
                                 ? exact_divergence(jacobian, order, state.images(n, 1), std::max(w.batch, kExactBatch))
                                 : Divergence{kNone, kNone, kNone, kNone, 0};
    AtSteps& a = all[n];
    a.order.push_back(order);
    a.kappa.push_back(factors.kappa);
    a.gamma.push_back(factors.gamma);
    a.trace.push_back(divergence[n].trace);
    a.trace_error.push_back(divergence[n].trace_error);
    a.frobenius.push_back(divergence[n].frobenius);
    a.frobenius_error.push_back(divergence[n].frobenius_error);
    a.exact_trace.push_back(truth.trace);
    a.exact_frobenius.push_back(truth.frobenius);
    const double d = static_cast<double>(state.image_size());
    a.eq16.push_back(first_order_rate(factors, divergence[n].trace, d));
    a.eq16_second.push_back(second_order_rate(factors, divergence[n].trace, divergence[n].frobenius, d));
    a.fresh.push_back(fresh[n]);
    a.clipped.push_back(clipped[n]);
  }
}

}  // namespace

bool measure_steps(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const View x = b.x.view();
  const int batch =
      static_cast<int>(x.image_size()) <= w.options.inside.exact_trace_size ? std::max(w.batch, kExactBatch) : w.batch;
  Purifier purifier(w.free_unet(), chain_of(w, u, true), batch, true);
  KeyedNoise noise(w.stream, u.id.seed, b.ids, 0, w.options.run.t_base);
  const std::vector<Stage> stages = chain_stages(purifier);
  const ChainStates base = chain_states(purifier, x, noise);
  const Buffer moved = perturbed(x, u.id.eps, w.stream, u.id.seed, b.ids, 0);
  const auto norms = tracked_norms(purifier, moved.view(), noise, base);
  const int steps = static_cast<int>(purifier.steps().size());
  const std::vector<int> chosen = chosen_steps(steps, w.options.inside.divergence_steps);
  std::vector<AtSteps> at(x.n);
  const View like = purifier.trail().x(0);
  Buffer state(like.n, like.c, like.h, like.w);
  const size_t first = base.size() - steps -
                       (w.options.samplers[u.sampler].purify.image_size ? 1 : 0);  // stage after the first reverse step
  for (size_t k = 0; k < chosen.size(); ++k) {
    if (stop_requested()) return false;
    from_host(base[first + chosen[k] - 1].data(), state.view());
    look_at_step(w, u, b, purifier, chosen[k], state.view(), k == 0 || k == chosen.size() / 2 || k + 1 == chosen.size(),
                 at);
  }
  std::vector<double> place, forward;
  for (const Stage& s : stages) {
    place.push_back(s.place);
    forward.push_back(s.kind == Stage::Forward ? s.label : -1);
  }
  for (int n = 0; n < x.n; ++n) {
    std::vector<double> norm;
    for (const auto& of_stage : norms) norm.push_back(of_stage[n]);
    const AtSteps& a = at[n];
    w.put(u, b.ids[n],
          with_fields(w.line(u, b.ids[n]).text(), JsonLine()
                                                      .add("values", like.image_size())
                                                      .add("probes", w.options.inside.probes)
                                                      .add("fresh_draws", w.options.inside.fresh)
                                                      .add("first_reverse", first)
                                                      .raw("place", number_list(place))
                                                      .raw("forward_label", number_list(forward))
                                                      .raw("norm", number_list(norm))
                                                      .raw("order", number_list(a.order))
                                                      .raw("kappa", number_list(a.kappa))
                                                      .raw("gamma", number_list(a.gamma))
                                                      .raw("trace", number_list(a.trace))
                                                      .raw("trace_error", number_list(a.trace_error))
                                                      .raw("frobenius", number_list(a.frobenius))
                                                      .raw("frobenius_error", number_list(a.frobenius_error))
                                                      .raw("exact_trace", number_list(a.exact_trace))
                                                      .raw("exact_frobenius", number_list(a.exact_frobenius))
                                                      .raw("eq16", number_list(a.eq16))
                                                      .raw("eq16_second", number_list(a.eq16_second))
                                                      .raw("fresh", number_list(a.fresh))
                                                      .raw("clipped", number_list(a.clipped))));
  }
  return true;
}

bool measure_gaussian(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const FieldSetting field = table_s1();
  FieldSetting printed = field;
  printed.small = field.small * field.small;
  for (int64_t id : b.ids) {
    const FieldWalk any = walk_field(field, FieldStart::Isotropic, kTrackedLength, w.stream, u.id.seed, id),
                    on = walk_field(field, FieldStart::Inside, kTrackedLength, w.stream, u.id.seed, id),
                    off = walk_field(field, FieldStart::Outside, kTrackedLength, w.stream, u.id.seed, id);
    w.put(u, id,
          with_fields(
              w.line(u, id).text(),
              JsonLine()
                  .add("values", field.size())
                  .add("inside", field.inside)
                  .add("large", field.large)
                  .add("small", field.small)
                  .add("h", field.step)
                  .add("printed_factor", factor_outside(printed))
                  .add("refusal", field_refusal(printed))
                  .add("chain", any.chain)
                  .add("on_chain", on.chain)
                  .add("off_first", off.rates.front())
                  .add("on_first", on.rates.front())
                  .add("closed_chain", closed_form_chain(field))
                  .raw("rate", number_list(any.rates))
                  .raw("share", number_list(any.shares))
                  .raw("closed_rate", number_list(closed_form_rates(field)))
                  .raw("closed_share", number_list(closed_form_shares(field)))
                  .raw("printed_growth", number_list(plain_growth(printed, kPrintedSteps, w.stream, u.id.seed, id)))));
  }
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
