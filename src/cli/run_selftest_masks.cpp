// The audit audited, for `selftest`: every planted mask in front of small networks, judged by the check that is named for it; and an
// honest chain, by the same checks.
#include <memory>
#include <set>

#include "audit/gradient_checks.h"
#include "cli/load.h"
#include "cli/run_selftest_masks.h"
#include "defence/planted.h"
#include "io/json_text.h"
#include "report/audit_judge.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr const char* kUnet = "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4";
constexpr const char* kLearned = "adm:ch=8,mult=1-2,blocks=1,attn=2,head=4,size=8,groups=4,learn-sigma,scale-shift,resblock-updown";
constexpr const char* kClassifier = "wrn:depth=10,widen=1,size=8";

class Lines : public AuditSink {
 public:
  bool has(const std::string& kind, int64_t image, int64_t) const override { return kinds_.count(kind + std::to_string(image)); }
  void put(const std::string& kind, int64_t image, int64_t seed, const JsonLine& fields) override {
    kinds_.insert(kind + std::to_string(image));
    std::string head = JsonLine().add("kind", kind).add("img", image).add("seed", seed).text();
    head.back() = ',';
    lines.push_back(head + fields.text().substr(1));
  }
  void array(const std::string&, const std::vector<int64_t>&, const std::vector<double>&) override {}
  std::vector<std::string> lines;

 private:
  std::set<std::string> kinds_;
};

// The verdict of one check of the gradient on a chain of six steps; `mask` empty: the honest one.
Verdict verdict_of(const std::string& mask, int check) {
  NetworkChoice unet_choice{"formula", mask == "detached-sigma" ? kLearned : kUnet, "", ""}, head{"formula", kClassifier, "", ""};
  Net unet = load_network(unet_choice, {}).make_net();
  const LoadedNet classifier = load_network(head, {});
  Net behind = classifier.make_net(), alone = classifier.make_net();
  PurifyOptions purify;
  purify.t = 6;
  if (mask == "detached-sigma") purify.variance = Variance::Learned;
  constexpr int kImages = 2;
  std::unique_ptr<Defence> defence = std::make_unique<DiffusionDefence>(unet, purify, kImages, true);
  double scale = 1;
  if (!mask.empty()) {
    Plant planted = plant(mask, std::move(defence));
    defence = std::move(planted.defence);
    scale = planted.logit_scale;
  }
  Defended target(std::move(defence), behind, kImages, true), bare(nullptr, alone, kImages, true);
  target.set_logit_scale(scale);
  AuditOptions options;
  options.checks = {check};
  options.directions = 2;
  const NoiseStream stream(NoiseMode{});
  Buffer x(kImages, 3, 8, 8);
  for (size_t i = 0; i < x.size(); ++i) x.data()[i] = formula_value("masks", i, 0.5, 0.4);
  Unit u{x.view(), {}, {5, 8}, 3};
  KeyedNoise noise(stream, u.seed, u.ids);
  target.forward(u.x, &noise);
  for (int label : target.predictions()) u.labels.push_back(label < 0 ? 0 : label);
  Lines sink;
  Subject subject(target, bare, options, stream, sink);
  switch (check) {
    case kDifferences: measure_differences(subject, u); break;
    case kModes: measure_modes(subject, u); break;
    case kDeterminism: measure_determinism(subject, u); break;
    case kSaturation: measure_saturation(subject, u); break;
    default: measure_connected(subject, u);
  }
  return judge_audit(sink.lines, options, AuditBars{})[0].verdict;
}

}  // namespace

std::vector<SelftestRow> selftest_masks() {
  std::vector<SelftestRow> rows;
  for (int check : {kConnected, kDifferences, kModes, kDeterminism, kSaturation})
    rows.push_back({std::string("honest chain passes check ") + audit_check_name(check), verdict_of("", check) == Verdict::Pass ? 0.0 : 1.0, 0});
  for (const PlantInfo& mask : planted_masks()) {
    if (mask.check == kLoss) continue;
    const Verdict v = verdict_of(mask.name, mask.check);
    rows.push_back({std::string("planted ") + mask.name + " is flagged", v == Verdict::Fail || v == Verdict::Warn ? 0.0 : 1.0, 0});
  }
  return rows;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
