#include "attack/attacks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "attack/apgd.h"
#include "attack/black_box.h"
#include "attack/oracle.h"
#include "attack/pgd.h"
#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int64_t kStepsPerAttack = int64_t{1} << 20;   // room for the steps of one attack of the suite
constexpr int kCleanBroken = -2;

AttackResult run_pgd(const AttackTask& task, const PgdOptions& options, const AttackSettings& s) {
  PgdCheckpoint state = task.checkpoint ? unpack_pgd(*task.checkpoint) : PgdCheckpoint{};
  const Mirror x0(task.x0, current_device());
  AttackTask there = task;
  there.x0 = x0.view();
  AttackResult r = pgd(there, options, s.eot, &state);
  if (task.checkpoint) *task.checkpoint = pack(state);
  return r;
}

// The suite's state between two attacks.
class Suite {
 public:
  Suite(const AttackTask& task, const PgdOptions& o, const AttackSettings& s)
      : task_(task), o_(o), s_(s), oracle_(task, LossKind::CrossEntropy, s.eot, s.eot.average), result_(task.x0.data, task.x0.data + task.x0.size()),
        images_(task.x0.n) {}

  AttackResult run() {
    if (task_.checkpoint && task_.checkpoint->set) load();
    else judge_clean();
    for (; stage_ < static_cast<int>(suite_sequence().size()); ++stage_)
      if (!standing().empty() && !one_attack()) return {Buffer(), {}, true};
    AttackResult r{Buffer(task_.x0.n, task_.x0.c, task_.x0.h, task_.x0.w, Device::Cpu), images_, false};
    std::copy(result_.begin(), result_.end(), r.adversarial.data());
    if (task_.checkpoint) task_.checkpoint->set = false;
    return r;
  }

 private:
  std::vector<int> standing() const {
    std::vector<int> who;
    for (int n = 0; n < task_.x0.n; ++n) if (images_[n].broken_by == -1 && !images_[n].not_finite) who.push_back(n);
    return who;
  }

  void judge_clean() {
    std::vector<int> all(task_.x0.n);
    std::iota(all.begin(), all.end(), 0);
    const Evaluation e = oracle_.values(task_.x0, rows_of(all, task_.first_step));
    for (int n : all) {
      images_[n].loss_start = images_[n].loss_last = e.loss[n];
      images_[n].forwards = s_.eot.draws;
      if (e.prediction[n] < 0) images_[n].not_finite = true;
      if (!e.success(n, task_.labels[n])) continue;
      images_[n].broken_by = kCleanBroken;
      images_[n].adversarial_on_path = true;
    }
  }

  // False if stopped.
  bool one_attack() {
    const std::vector<int> who = standing();
    const int count = static_cast<int>(who.size());
    Buffer x0(count, task_.x0.c, task_.x0.h, task_.x0.w, Device::Cpu);
    gather(task_.x0, who, x0.view());
    AttackTask part{task_.target, x0.view(), nullptr, {}, task_.stream, task_.seed, {}, task_.noise, task_.stop, task_.checkpoint ? &inner_ : nullptr, task_.observe,
                    task_.first_step + (stage_ + 1) * kStepsPerAttack};
    std::vector<int> labels;
    for (int n : who) {
      labels.push_back(task_.labels[n]);
      part.eps.push_back(task_.eps[n]);
      part.images.push_back(task_.images[n]);
    }
    part.labels = labels.data();
    AttackSettings settings = s_;
    settings.kind = suite_sequence()[stage_];
    const AttackResult r = attack(part, o_, settings);
    if (r.stopped) {
      if (task_.checkpoint) save();
      return false;
    }
    inner_ = {};
    const Evaluation e = oracle_.values(r.adversarial.view(), rows_of(who, part.first_step + kStepsPerAttack - 1));
    const Mirror adversarial(r.adversarial.view());
    for (int k = 0; k < count; ++k) take(who[k], r.images[k], e, k, adversarial.view().image(k));
    return true;
  }

  // What attack `stage_` did to image n, candidate k.
  void take(int n, const PgdImage& from, const Evaluation& e, int k, const real* candidate) {
    PgdImage& image = images_[n];
    image.forwards += from.forwards + s_.eot.draws;
    image.backwards += from.backwards;
    image.loss_last = e.loss[k];
    image.grad_zero = std::max(image.grad_zero, from.grad_zero);
    image.adversarial_on_path = image.adversarial_on_path || from.adversarial_on_path;
    image.not_finite = image.not_finite || from.not_finite || e.prediction[k] < 0;
    const bool last = stage_ + 1 == static_cast<int>(suite_sequence().size()), success = e.success(k, task_.labels[n]);
    if (success) image.broken_by = stage_;
    if (success || last) std::copy_n(candidate, task_.x0.image_size(), result_.begin() + n * task_.x0.image_size());
  }

  void save() const {
    AttackCheckpoint& c = *task_.checkpoint;
    c.set = true;
    c.values.clear();
    for (const auto& [name, list] : inner_.values) c.values["inner." + name] = list;
    c.values["stage"] = {static_cast<double>(stage_), inner_.set ? 1.0 : 0.0};
    c.values["suite.result"] = doubles(result_);
    c.values["suite.images"] = image_numbers(images_);
  }

  void load() {
    const auto& v = task_.checkpoint->values;
    stage_ = static_cast<int>(v.at("stage").at(0));
    inner_.set = v.at("stage").at(1) != 0;
    for (const auto& [name, list] : v) if (name.starts_with("inner.")) inner_.values[name.substr(6)] = list;
    result_ = convert<real>(v.at("suite.result"));
    images_ = images_from(v.at("suite.images"));
  }

  const AttackTask& task_;
  const PgdOptions& o_;
  const AttackSettings& s_;
  Oracle oracle_;
  int stage_ = 0;
  std::vector<real> result_;
  std::vector<PgdImage> images_;
  AttackCheckpoint inner_;
};

AttackResult on_host(const AttackTask& task, const PgdOptions& options, const AttackSettings& s) {
  switch (s.kind) {
    case AttackKind::ApgdCe:
    case AttackKind::ApgdDlr:
    case AttackKind::ApgdT: return apgd(task, s.kind, options, s);
    case AttackKind::Square: return square(task, options, s);
    case AttackKind::Spsa:
    case AttackKind::Nes: return estimated(task, s.kind, options, s);
    case AttackKind::Random: return random_search(task, options, s);
    case AttackKind::Suite: check_bounds(task.x0); return Suite(task, options, s).run();
    case AttackKind::Pgd:
    case AttackKind::Fgsm: break;
  }
  PURESCOPE_REQUIRE(!"an attack of the enum");
  return {};
}

}  // namespace

AttackResult attack(const AttackTask& task, const PgdOptions& options, const AttackSettings& s) {
  if (options.norm == Norm::L2 && std::string(attack_norms(s.kind)).find("l2") == std::string::npos)
    fail(kUsage, std::string(attack_name(s.kind)) + " is built for l-inf only", "--norm l2", "choose pgd, fgsm, apgd-ce, apgd-dlr, apgd-t or random");
  if (s.kind == AttackKind::Pgd) return run_pgd(task, options, s);
  if (s.kind == AttackKind::Fgsm) return run_pgd(task, fgsm_options(options), s);
  // The others keep their images on the host; only passes through the target run on its device.
  const Mirror x0(task.x0);
  AttackTask here = task;
  here.x0 = x0.view();
  AttackResult r = on_host(here, options, s);
  r.adversarial = on_device(std::move(r.adversarial));
  return r;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
