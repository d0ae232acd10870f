// The loss of an attack at many points, and its gradient: passes through the target, with the draws of a randomised defence averaged.
//
// n draws (EOT) go through the target together, as many rows at once as it was planned for. What comes out does not depend on how the
// rows are split into passes: sums over draws run in the order of the draws, in double.
#pragma once
#include <vector>

#include "attack/attack_task.h"
#include "attack/logit_loss.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// A point to judge: it belongs to image `image` (its place in the task) and is judged in attack step `step`.
struct Row { int image = 0; int64_t step = 0; };

struct Evaluation {
  int classes = 0;
  std::vector<double> loss;       // per row: mean over the draws (mode Loss), loss of the mean logits (mode Logits), or of the last draw
  std::vector<int> prediction;    // per row: of the mean logits, or of the last draw; -1 not finite
  std::vector<real> logits;       // per row [classes]: mean over the draws, or those of the last draw
  bool success(int row, int label) const { return prediction[row] >= 0 && prediction[row] != label; }
};

class Oracle {
 public:
  // `average`: judge by all draws (else by the last one). Exit 2 if the classifier has too few classes for the loss.
  Oracle(const AttackTask& task, LossKind loss, const EotOptions& eot, bool average);
  void set_targets(const std::vector<int>& targets) { targets_ = targets; }   // TargetedDlr: one class per image of the task

  // x holds one image per row, on any device; dx may lie on another one.
  Evaluation values(View x, const std::vector<Row>& rows) { return run(x, rows, {}); }
  // The same, and dx = gradient of the loss (mode Loss: mean of the gradients of the draws). A gradient with a value that is not finite
  // becomes 0 and its row is marked in `bad`.
  Evaluation gradient(View x, const std::vector<Row>& rows, View dx) { return run(x, rows, dx); }
  const std::vector<char>& bad() const { return bad_; }
  // Share of exact zeros in the gradient of this row.
  size_t zeros(int row) const { return zeros_[row]; }

  // Passes so far, per image of the task.
  const std::vector<double>& forwards() const { return forwards_; }
  const std::vector<double>& backwards() const { return backwards_; }
  void set_counts(const std::vector<double>& forwards, const std::vector<double>& backwards) { forwards_ = forwards; backwards_ = backwards; }

 private:
  struct Slots { int first, count; };   // a run of (row, draw) pairs, row by row
  Evaluation run(View x, const std::vector<Row>& rows, View dx);
  void forward(View x, const std::vector<Row>& rows, Slots part);
  double loss_of(const View& z, int n, int row_image, real* dz) const;
  void backward(const std::vector<Row>& rows, Slots part, View dz, View dx);
  bool direct() const { return eot_.draws == 1 && !task_.observe; }
  void judge(const std::vector<Row>& rows, Evaluation& e);
  void finish(View dx);
  const AttackTask& task_;
  LossKind loss_;
  EotOptions eot_;
  bool average_;
  int capacity_;
  std::vector<int> targets_;
  Buffer input_, draw_gradient_;                      // one pass, on the device
  Buffer logits_, dlogits_;                           // one pass, on the host
  Buffer all_logits_;                                 // every (row, draw), on the host
  std::vector<double> sum_;                           // of the gradients, per row
  std::vector<NoiseSlot> slots_;
  std::vector<char> bad_;
  std::vector<size_t> zeros_;
  std::vector<double> forwards_, backwards_;
};

// Rows of every listed image in step `step`.
std::vector<Row> rows_of(const std::vector<int>& images, int64_t step);

// Copies images `who` of `from` one after the other into `to`, and back.
void gather(View from, const std::vector<int>& who, View to);
void scatter(View from, const std::vector<int>& who, View to);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
