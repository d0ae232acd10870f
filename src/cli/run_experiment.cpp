// experiment: measures the units that are missing, judges the records, writes section.json.
#include <chrono>
#include <cstdio>

#include "cli/experiment_run.h"
#include "cli/run_nets.h"
#include "cli/run_sink.h"
#include "core/check.h"
#include "experiment/measure.h"
#include "experiment/workbench.h"
#include "io/atomic_file.h"
#include "io/signals.h"
#include "report/experiment_list.h"
#include "report/section_json.h"
#include "report/section_text.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

template <class Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Seconds per image of one forward and one backward pass, the second of each (the first one touches memory for the first time).
std::pair<double, double> time_net(Net& net, int batch) {
  net.plan(batch, Mode::InputGrad);
  const std::vector<real> input(net.input().size(), static_cast<real>(0.1)), cotangent(net.output_grad().size(), static_cast<real>(0.1));
  double forward = 0, backward = 0;
  for (int k = 0; k < 2; ++k) {
    from_host(input.data(), net.input());
    net.set_time(10);
    forward = seconds_of([&] { net.forward(); to_host(net.output()); });
    from_host(cotangent.data(), net.output_grad());
    backward = seconds_of([&] { net.backward(); to_host(net.input_grad()); });
  }
  return {forward / batch, backward / batch};
}

PassSeconds time_passes(Net& unet, Net& classifier, int batch) {
  PassSeconds each;
  std::tie(each.unet_forward, each.unet_backward) = time_net(unet, batch);
  std::tie(each.classifier_forward, each.classifier_backward) = time_net(classifier, batch);
  return each;
}

LoadedNet need_purifier(const AttackOptions& o) {
  if (o.purifier.weights == "none") fail(kUsage, "an experiment without a purifier", "--purifier none", "name one; `attack -p none` attacks a classifier alone");
  return load_purifier(o.purifier, o.common);
}

std::string inside_text(const InsideOptions& o) {
  return json_array({std::to_string(o.perturbations), std::to_string(o.noises), std::to_string(o.divergence_steps), std::to_string(o.probes), std::to_string(o.fresh),
                     std::to_string(o.exact_jacobian_size), std::to_string(o.rank), std::to_string(o.leading)});
}

// What tells this run from others, on top of the configuration of attack.
std::vector<ConfigEntry> extra_config(const ExperimentRunOptions& o, const ExperimentOptions& x, std::vector<std::string>& purifications) {
  std::string names;
  std::vector<std::string> scales, quoted;
  for (size_t s = 0; s < x.samplers.size(); ++s) {
    names += (s ? "," : "") + x.samplers[s].name;
    for (int t : x.run.t) purifications.push_back(describe(purify_at(x, static_cast<int>(s), t)));
  }
  for (double v : x.scales) scales.push_back(json_number(v));
  for (const std::string& p : purifications) quoted.push_back(json_quote(p));
  return {{"experiment", json_quote(o.name)}, {"sampler", json_quote(names)}, {"attack-images", std::to_string(x.attack_images)}, {"tries", std::to_string(x.tries)},
          {"inside", inside_text(x.inside)}, {"other-seed", std::to_string(x.test_seed)}, {"scales", json_array(scales)}, {"purifications", json_array(quoted), ConfigRole::Identity}};
}

}  // namespace

ExperimentCost experiment_cost(const ExperimentRunOptions& o) {
  const LoadedNet purifier = need_purifier(o.run), classifier = load_classifier(o.run.classifier, o.run.common);
  Net unet = purifier.make_net(), behind = classifier.make_net();
  const Dataset data = load_run_data(o.run);
  return {time_passes(unet, behind, usual_batch(purifier.image())), trained_range(purifier), data.count(), static_cast<int>(data.image_size())};
}

int run_experiment(const ExperimentRunOptions& o) {
  const Experiment& experiment = find_experiment(o.name);
  const Dataset data = load_run_data(o.run);
  const LoadedNet purifier = need_purifier(o.run), classifier = load_classifier(o.run.classifier, o.run.common);
  check_run(o.run, data, {classifier.image().h, classifier.image().w, classifier.outputs()});
  AttackOptions run = o.run;
  ExperimentOptions x = resolve_experiment(o, experiment, trained_range(purifier), data.count(), run);
  x.values = static_cast<int>(data.image_size());
  for (int t : x.run.t) check_t_max(purifier, t, o.run.common.force);
  const std::vector<ExperimentUnit> units = experiment.units(x);

  Net unet = purifier.make_net(), base = classifier.make_net(), behind = classifier.make_net();
  const int batch = batch_for(run, &purifier, classifier, x.run.t, data.count());
  const PassSeconds each = time_passes(unet, behind, batch);
  const NoiseStream stream(run.noise.mode);
  const size_t keep = apply_memory(run.purify.memory, &unet, base, behind, batch, x.run.t.back());

  install_stop_handlers();
  const std::string scalar = sizeof(real) == 8 ? "f64" : "f32";
  std::string command;
  for (const std::string& word : run.command_line) command += (command.empty() ? "" : " ") + word;
  ExperimentOptions shown = x;
  if (o.name != "protocol" && o.name != "distances") shown.run.attack.eot.draws = 1;   // these alone have attacks under EOT
  const auto settings = settings_that_matter(experiment_settings(shown, run, data.description, purifier.model.arch + " (" + run.purifier.weights + ")",
                                            classifier.model.arch + " (" + run.classifier.weights + ")", scalar), experiment.kind);
  const auto judged = [&](const std::vector<std::string>& records) { return experiment_section(experiment, records, settings, command); };
  SinkPlan plan{"experiment-" + o.name, {}, [&](const std::vector<std::string>& records, bool json) {
    return json ? json_array({section_json(judged(records))}) : section_text(judged(records));
  }};
  plan.extra = extra_config(o, x, plan.purification);
  RunSink sink(run, data, purifier.params->sha256(), classifier.params->sha256(), purifier.model.arch, classifier.model.arch, scalar, std::move(plan));
  RunRecordSink records(sink);
  Workbench bench(x, data, run.first, unet, base, behind, stream, batch, keep, records);

  int total = 0;
  Passes left;
  for (const ExperimentUnit& u : units) {
    total += u.images;
    for (int i = 0; i < u.images; ++i) {
      RecordId id = u.id;
      id.image = run.first + i;
      if (sink.wants(id)) left = left + u.passes;
    }
  }
  if (!run.common.quiet) std::fprintf(stderr, "%s: %s; still to do: %s\n", o.name.c_str(), cost_text(total_passes(units), each).c_str(), cost_text(left, each).c_str());
  Progress progress("experiment " + o.name, total, sink.count(), progress_options(run.common.quiet));
  const bool finished = run_units(experiment.kind, bench, units, progress);
  progress.finish();
  if (!finished) return sink.stopped();
  if (experiment.kind == ExperimentKind::Examples && !sink.verifying()) write_examples(bench, units, sink.records(), sink.folder() + "/" + kExamplesFile);
  const int code = sink.finish();
  if (!sink.verifying()) write_text_atomic(sink.folder() + "/section.json", section_json(judged(sink.records())) + "\n");
  return code;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
