#include "attack/search.h"

#include <cmath>
#include <numeric>

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

std::vector<int> Search::active() const {
  std::vector<int> who;
  for (int n = 0; n < task_.x0.n; ++n) if (standing_[n] && !images_[n].not_finite) who.push_back(n);
  return who;
}

Evaluation Search::judge(const std::vector<int>& who, View x) {
  const Evaluation e = oracle_.values(x, rows_of(who, task_.first_step + step_++));
  for (size_t k = 0; k < who.size(); ++k) {
    if (e.prediction[k] < 0 || !std::isfinite(e.loss[k])) images_[who[k]].not_finite = true;
    images_[who[k]].loss_last = e.loss[k];
  }
  return e;
}

// One pass at x0: images that are misclassified as they are stay there.
void Search::judge_clean() {
  std::vector<int> all(task_.x0.n);
  std::iota(all.begin(), all.end(), 0);
  const Evaluation e = judge(all, task_.x0);
  for (int n : all) {
    seekers_[n].x.assign(task_.x0.image(n), task_.x0.image(n) + size_);
    images_[n].loss_start = seekers_[n].loss = e.loss[n];
    if (e.success(n, task_.labels[n])) broken(n);
  }
}

AttackResult Search::run() {
  check_bounds(task_.x0);
  if (task_.checkpoint && task_.checkpoint->set) load();
  else judge_clean();
  for (; restart_ < restarts_; ++restart_, iteration_ = -1)
    for (; iteration_ < iterations_ && !active().empty(); ++iteration_) {
      if (task_.stop && task_.stop()) {
        if (task_.checkpoint) save();
        return {Buffer(), {}, true};
      }
      if (iteration_ < 0) begin(active());
      else iterate(active(), iteration_);
    }
  AttackResult r{Buffer(task_.x0.n, task_.x0.c, task_.x0.h, task_.x0.w, Device::Cpu), images_, false};
  for (int n = 0; n < task_.x0.n; ++n) {
    std::copy(seekers_[n].x.begin(), seekers_[n].x.end(), r.adversarial.view().image(n));
    r.images[n].forwards = oracle_.forwards()[n];
  }
  if (task_.checkpoint) task_.checkpoint->set = false;
  return r;
}

void Search::save() const {
  AttackCheckpoint& c = *task_.checkpoint;
  c.set = true;
  c.values = {{"counters", {static_cast<double>(restart_), static_cast<double>(iteration_), static_cast<double>(step_)}},
              {"images", image_numbers(images_)}, {"standing", doubles(standing_)}, {"forwards", oracle_.forwards()}};
  for (size_t n = 0; n < seekers_.size(); ++n) {
    const std::string at = "seeker" + std::to_string(n) + ".";
    c.values[at + "x"] = doubles(seekers_[n].x);
    c.values[at + "memory"] = seekers_[n].memory;
    c.values[at + "loss"] = {seekers_[n].loss};
  }
}

void Search::load() {
  const auto& v = task_.checkpoint->values;
  restart_ = static_cast<int>(v.at("counters").at(0));
  iteration_ = static_cast<int>(v.at("counters").at(1));
  step_ = static_cast<int64_t>(v.at("counters").at(2));
  images_ = images_from(v.at("images"));
  standing_ = convert<char>(v.at("standing"));
  oracle_.set_counts(v.at("forwards"), std::vector<double>(task_.x0.n, 0.0));
  for (size_t n = 0; n < seekers_.size(); ++n) {
    const std::string at = "seeker" + std::to_string(n) + ".";
    seekers_[n].x = convert<real>(v.at(at + "x"));
    seekers_[n].memory = v.at(at + "memory");
    seekers_[n].loss = v.at(at + "loss").at(0);
  }
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
