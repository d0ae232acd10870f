#include "cli/run_nets.h"

#include "cli/attack_run.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

std::optional<LoadedNet> chosen_purifier(const AttackOptions& o) {
  if (o.purifier.weights == "none") return {};
  return load_purifier(o.purifier, o.common);
}

}  // namespace

int batch_size(const AttackOptions& o, const LoadedNet* purifier) {
  if (o.batch) return o.batch;
  return purifier && purifier->image().h * purifier->image().w > 32 * 32 ? 1 : 8;
}

RunNets::RunNets(const AttackOptions& o, const Dataset& data)
    : purifier(chosen_purifier(o)), classifier(load_classifier(o.classifier, o.common)), base(classifier.make_net()), behind(classifier.make_net()),
      batch(batch_size(o, purifier ? &*purifier : nullptr)) {
  check_run(o, data, {classifier.image().h, classifier.image().w, classifier.outputs()});
  if (!purifier) return;
  for (int t : o.run.t) check_t_max(*purifier, t, o.common.force);
  purifier_net.emplace(purifier->make_net());
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
