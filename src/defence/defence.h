// What stands before a classifier: images in [0, 1] in, purified images out, and the way back for a gradient.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "defence/backward_options.h"
#include "diffusion/purify.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// What the last forward() of a defence clipped: per stage (diffusion step, in the order of execution) the fraction of values, per image.
struct ClipCensus {
  std::vector<std::vector<double>> fraction;   // [stage][image]
};

class Defence {
 public:
  virtual ~Defence() = default;

  // y = f_xi(x): x and y [n,c,h,w] in [0,1] units (y need not stay inside), n up to the batch it was made for; they do not overlap.
  // `noise` is xi; it must outlive the backward pass, and may be null where random() is false.
  virtual void forward(View x, NoiseSource* noise, View y) = 0;
  // d: in, the cotangent of y of the last forward(); out, that of its x, by the current mode.
  void backward(View d);

  // Exit 2 where this defence has no such mode.
  void set_mode(const Backward& mode);
  const Backward& mode() const { return mode_; }
  virtual bool has_mode(const Backward& mode) const;

  // Keeps everything that backward() reads instead of computing it again, or stops doing so; false where there is nothing to keep.
  virtual bool keep_everything(bool) { return false; }
  virtual bool random() const = 0;               // does forward() draw?
  virtual std::string describe() const = 0;      // one line, for headers and reports
  virtual Purifier* purifier() { return nullptr; }   // the diffusion chain inside, if there is one
  // Collected by forward() while it is on; empty stages where nothing clips.
  virtual void count_clips(bool) {}
  virtual ClipCensus clips() const { return {}; }

 protected:
  virtual void vjp(View d) = 0;   // as backward(), for every mode but bpda
  virtual void mode_changed() {}

 private:
  Backward mode_;
};

// The diffusion purifier, guided or not: y = (f(2 x - 1) + 1) / 2.
class DiffusionDefence : public Defence {
 public:
  // Plans `unet` for `batch` images. In the modes bpda and forward-noise-only without `gradient` the network is planned without a backward
  // pass. keep_steps: see Purifier.
  DiffusionDefence(Net& unet, const PurifyOptions& options, int batch, bool gradient, int keep_steps = 0);

  void forward(View x, NoiseSource* noise, View y) override;
  bool has_mode(const Backward& mode) const override;
  bool keep_everything(bool on) override;
  bool random() const override { return true; }
  std::string describe() const override { return purescope::describe(options_); }
  Purifier* purifier() override { return purifier_.get(); }
  void count_clips(bool on) override;
  ClipCensus clips() const override { return census_; }

 protected:
  void vjp(View d) override;
  void mode_changed() override;

 private:
  void count_clips_of(int order);
  Net& unet_;
  PurifyOptions options_;
  int batch_, keep_steps_;
  bool gradient_;
  std::unique_ptr<Purifier> purifier_, shorter_;
  Buffer u_;                        // 2 x - 1 of the last forward()
  NoiseSource* noise_ = nullptr;    // of the last forward(), for the shorter chain
  ClipCensus census_;
};

class IdentityDefence : public Defence {
 public:
  void forward(View x, NoiseSource* noise, View y) override;
  bool random() const override { return false; }
  std::string describe() const override { return "no purifier"; }

 protected:
  void vjp(View) override {}
};

// Randomised smoothing's base: y = x + sigma e (Cohen et al. 2019), e the forward noise of step 0. The gradient is the identity.
class GaussianNoiseDefence : public Defence {
 public:
  explicit GaussianNoiseDefence(double sigma) : sigma_(sigma) {}
  void forward(View x, NoiseSource* noise, View y) override;
  bool random() const override { return true; }
  std::string describe() const override;

 protected:
  void vjp(View) override {}

 private:
  double sigma_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
