// audit --gradient: a gradient from elsewhere against ours, at the same image and noise.
#include <cmath>
#include <cstdio>

#include "audit/judge_gradient.h"
#include "cli/commands.h"
#include "cli/run_audit_target.h"
#include "core/check.h"
#include "io/json_text.h"
#include "io/signals.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

class NoRecords : public AuditSink {
 public:
  bool has(const std::string&, int64_t, int64_t) const override { return false; }
  void put(const std::string&, int64_t, int64_t, const JsonLine&) override {}
  void array(const std::string&, const std::vector<int64_t>&, const std::vector<double>&) override {}
};

// Cosine at which two programs' gradients count as the same: float32 against float32 through a chain.
constexpr double kSameCosine = 0.999, kSameRelative = 0.02;
constexpr double kResembles = 0.1;  // relative error, up to a factor, below which a mistake explains a gradient

std::string line(const Likeness& l) {
  char text[320];
  std::snprintf(text, sizeof text,
                "%-20s cosine %9.6f  relative error %9.2e  (scaled by %.4g: %9.2e)  signs %5.1f %%  %s\n",
                l.name.c_str(), l.cosine, l.relative, l.scale, l.relative_scaled, 100 * l.sign, l.failure.c_str());
  return text;
}

std::string json(const Likeness& l) {
  return JsonLine()
      .add("name", l.name)
      .add("cosine", l.cosine)
      .add("relative", l.relative)
      .add("relative_scaled", l.relative_scaled)
      .add("scale", l.scale)
      .add("sign", l.sign)
      .add("failure", l.failure)
      .text();
}

// What the gradient resembles: the smallest error up to a factor, of equal ones that whose factor is nearest to 1. NaN
// in the given gradient makes every comparison false: then nothing is near.
std::string explain(const std::vector<Likeness>& list) {
  auto distance = [](const Likeness& l) { return l.relative_scaled + 1e-3 * std::min(1.0, l.relative); };
  const Likeness* nearest = nullptr;
  for (const Likeness& l : list)
    if (std::isfinite(l.relative_scaled) && (!nearest || distance(l) < distance(*nearest))) nearest = &l;
  if (!nearest) return "FAIL: it holds NaN or only zeros";
  if (nearest->relative_scaled > kResembles)
    return "FAIL: it is not the full gradient, and no known mistake explains it (nearest: " + nearest->name + ")";
  if (nearest == &list[0]) return "FAIL: it is the full gradient times " + json_number(1 / nearest->scale);
  return "FAIL: resembles " + nearest->name + " (" + nearest->failure + ")";
}

}  // namespace

int run_judge_gradient(const AuditRunOptions& o) {
  NoRecords nothing;
  AuditRunOptions sized = o;
  sized.audit.backward = Backward::Full;
  const LoadedNet shape = load_classifier(o.classifier, o.common);
  const Buffer x = read_images(o.input, shape.image(), "--input", o.common, false),
               given = read_images(o.gradient, shape.image(), "--gradient", o.common, false);
  if (x.view().n != given.view().n)
    fail(kBadInput,
         "--gradient holds " + std::to_string(given.view().n) + " images, --input " + std::to_string(x.view().n),
         o.gradient, "give one gradient per image");
  sized.batch = x.view().n;
  AuditTarget target(sized);
  Subject subject(target.target(), target.bare(), sized.audit, target.stream(), nothing);
  Unit u{x.view(), read_labels(o.labels, x.view().n, target.classes()), {}, o.noise.seeds[0]};
  for (int n = 0; n < x.view().n; ++n) u.ids.push_back(o.noise.first_index + n);
  KeyedNoise keyed = subject.noise(u);
  std::unique_ptr<FileNoise> file;
  if (!o.noise.file.empty()) file = std::make_unique<FileNoise>(o.noise.file);
  const std::vector<Likeness> list =
      compare_gradient(subject, u, given.view(), file ? static_cast<NoiseSource&>(*file) : keyed);
  const bool same = list[0].cosine >= kSameCosine && list[0].relative <= kSameRelative;
  const std::string verdict = same ? "PASS: it is the full gradient" : explain(list);
  if (o.common.json) {
    std::vector<std::string> items;
    for (const Likeness& l : list) items.push_back(json(l));
    print_out(JsonLine().add("verdict", verdict).raw("candidates", json_array(items)).text() + "\n");
  } else {
    for (const Likeness& l : list) print_out(line(l));
    print_out(verdict + "\n");
  }
  return same ? kOk : kNegative;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
