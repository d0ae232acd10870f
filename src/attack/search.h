// What the black-box attacks have in common: a state per image, a loop over iterations that can be stopped and continued.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "attack/oracle.h"
#include "core/check.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// State of one image: the point it stands at, the loss there, and what an optimiser remembers.
struct Seeker {
  std::vector<real> x;
  std::vector<double> memory;
  double loss = 0;
};

// A derived class fills in one iteration; this one keeps track of who stands, counts, stops, saves and loads.
class Search {
 public:
  Search(const AttackTask& task, LossKind loss, const EotOptions& eot, int restarts, int iterations)
      : task_(task), oracle_(task, loss, eot, eot.average), size_(task.x0.image_size()), restarts_(std::max(1, restarts)), iterations_(iterations),
        images_(task.x0.n), standing_(task.x0.n, 1), seekers_(task.x0.n) {}
  virtual ~Search() = default;
  AttackResult run();

 protected:
  virtual void begin(const std::vector<int>& who) = 0;                    // a restart
  virtual void iterate(const std::vector<int>& who, int iteration) = 0;   // one iteration
  void broken(int n) { standing_[n] = 0; images_[n].adversarial_on_path = true; }
  // Losses at one point per listed image; NaN marks the image. Counts one step.
  Evaluation judge(const std::vector<int>& who, View x);

  const AttackTask& task_;
  Oracle oracle_;
  size_t size_;
  int restarts_, iterations_, restart_ = 0, iteration_ = -1;
  int64_t step_ = 0;
  std::vector<PgdImage> images_;
  std::vector<char> standing_;
  std::vector<Seeker> seekers_;

 private:
  std::vector<int> active() const;
  void judge_clean();
  void save() const;
  void load();
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
