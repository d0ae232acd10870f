// What is attacked: a classifier behind a defence (or alone), as a function of images in [0, 1] and of the defence's noise.
#pragma once
#include <memory>
#include <vector>

#include "defence/defence.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// What an attack ascends. Margin (Carlini and Wagner 2017): largest other logit - logit of the label; it does not saturate.
enum class AttackLoss { CrossEntropy, Margin };

// loss = sum over images of the cross-entropy of classifier(f_xi(x)), f a Defence. No clamp between purifier and classifier.
class Defended {
 public:
  // unet may be null: the classifier alone. Both nets are planned here for up to `batch` images.
  Defended(Net* unet, Net& classifier, const PurifyOptions& options, Backward backward, int batch, bool gradient, int keep_steps = 0);
  // Any defence, made for `batch` images; null: the classifier alone.
  Defended(std::unique_ptr<Defence> defence, Net& classifier, int batch, bool gradient);

  // Runs x [n,3,h,w] in [0,1], on the networks' device, under this noise (ignored without a defence). Then logits() and purified() hold the results.
  void forward(View x, NoiseSource* noise);
  // dx = d(sum of losses)/dx at the x of the last forward().
  void backward(const int* labels, View dx);
  // The same with a cotangent of the logits instead of a loss.
  void backward_logits(View dlogits, View dx);

  View logits() const { return classifier_->output(); }                 // [n, classes]
  View purified() const { return classifier_->input(); }                // [n,3,h,w] in [0,1] units, not clamped
  std::vector<double> losses(const int* labels) const;                 // per image
  std::vector<int> predictions() const;                                // first maximum of the logits; -1 where a logit is not finite
  bool has_purifier() const { return defence_ != nullptr; }
  Purifier* purifier() { return defence_ ? defence_->purifier() : nullptr; }   // null where no diffusion chain stands before the classifier
  Defence* defence() { return defence_.get(); }                        // null: the classifier alone

  void set_mode(const Backward& mode);                                 // exit 2 where the defence has none such
  void set_loss(AttackLoss loss) { loss_ = loss; }
  AttackLoss loss() const { return loss_; }
  // Logits are multiplied by this from now on (a temperature; audits plant large ones). Default 1.
  void set_logit_scale(double scale) { logit_scale_ = scale; }
  int batch() const { return batch_; }
  Device device() const { return classifier_->device(); }
  ValueInfo image() const { return classifier_->model().values[classifier_->model().input]; }
  Net& classifier() { return *classifier_; }
  // `other` stands behind the defence from now on: for the same images, planned by the caller for batch() of them and with gradients.
  void set_classifier(Net& other) { classifier_ = &other; }

 private:
  std::unique_ptr<Defence> defence_;
  Net* classifier_;
  int batch_;
  AttackLoss loss_ = AttackLoss::CrossEntropy;
  double logit_scale_ = 1;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
