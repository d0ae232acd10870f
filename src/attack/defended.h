// What is attacked: a classifier behind a purifier (or alone), as a function of images in [0, 1] and of the purifier's noise.
#pragma once
#include <memory>
#include <vector>

#include "diffusion/purify.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// How the gradient goes back through the purifier (the forward pass is always the real one).
enum class Backward {
  Full,  // exact vector-Jacobian product of the whole chain
  Bpda   // identity (Athalye et al. 2018): the gradient with respect to the purified image
};

// loss = sum over images of the cross-entropy of classifier(f_xi(2 x - 1) / 2 + 1/2). No clamp between purifier and classifier.
class Defended {
 public:
  // unet may be null: the classifier alone. Both nets are planned here for up to `batch` images.
  Defended(Net* unet, Net& classifier, const PurifyOptions& options, Backward backward, int batch, bool gradient, int keep_steps = 0);

  // Runs x [n,3,h,w] in [0,1] under this noise (ignored without purifier). Then logits() and purified() hold the results.
  void forward(View x, NoiseSource* noise);
  // dx = d(sum of cross-entropies)/dx at the x of the last forward().
  void backward(const int* labels, View dx);
  // The same with a cotangent of the logits instead of a loss.
  void backward_logits(View dlogits, View dx);

  View logits() const { return classifier_.output(); }                 // [n, classes]
  View purified() const { return classifier_.input(); }                // [n,3,h,w] in [0,1] units, not clamped
  std::vector<double> losses(const int* labels) const;                 // cross-entropy per image
  std::vector<int> predictions() const;                                // first maximum of the logits; -1 where a logit is not finite
  bool has_purifier() const { return purifier_ != nullptr; }
  Purifier* purifier() { return purifier_.get(); }                     // null without purifier
  int batch() const { return batch_; }
  ValueInfo image() const { return classifier_.model().values[classifier_.model().input]; }

 private:
  std::unique_ptr<Purifier> purifier_;
  Net& classifier_;
  Backward backward_;
  int batch_;
  Buffer scaled_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
